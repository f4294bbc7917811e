// Blocks from the calling worker's cache or what another thread holds, else from malloc.

#ifndef QUERN_RUNTIME_SRC_MAILBOX_WORKER_BLOCKS_H_
#define QUERN_RUNTIME_SRC_MAILBOX_WORKER_BLOCKS_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "mailbox/magazine.h"
#include "mailbox/thread_blocks.h"
#include "scheduler/worker.h"

namespace quern::internal {

// Null: the calling thread has none at hand.
inline void* TakeBlock(uint8_t block_class) {
#if !defined(__SANITIZE_ADDRESS__)
  if (block_class < kBlockClasses) {
    if (Worker* worker = Worker::Current(); worker != nullptr) {
      return worker->blocks().Take(block_class);
    }
  }
#endif
  (void)block_class;
  return nullptr;
}

// `block_class` from BlockClassFor(bytes).
inline void* AllocateBlock(size_t bytes, uint8_t block_class) {
#if !defined(__SANITIZE_ADDRESS__)
  if (block_class < kBlockClasses) {
    Worker* worker = Worker::Current();
    if (worker != nullptr) return worker->blocks().Allocate(block_class);
    return ThreadBlocks::Allocate(block_class);
  }
#endif
  (void)block_class;
  return MallocOrThrow(bytes);
}

// On the thread of `worker`.
inline void FreeBlockOn(Worker& worker, void* memory, uint8_t block_class) {
  (void)worker;
  (void)block_class;
#if !defined(__SANITIZE_ADDRESS__)
  if (block_class < kBlockClasses) return worker.blocks().Free(memory, block_class);
#endif
  std::free(memory);
}

inline void FreeBlockMemory(void* memory, uint8_t block_class) {
#if !defined(__SANITIZE_ADDRESS__)
  if (block_class < kBlockClasses) {
    if (Worker* worker = Worker::Current(); worker != nullptr) {
      worker->blocks().Free(memory, block_class);
      return;
    }
    return ThreadBlocks::Free(memory, block_class);
  }
#endif
  (void)block_class;
  std::free(memory);
}

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_MAILBOX_WORKER_BLOCKS_H_
