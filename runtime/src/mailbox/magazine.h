// Memory of envelopes and other small blocks in flight: a pair of magazines a size class for each
// worker, exchanged whole through a depot (Bonwick and Adams, "Magazines and vmem", 2001). Every
// block is malloc's own, so any thread may free any block and nothing depends on who lives longer.
// Under AddressSanitizer blocks go straight to malloc, so that a use after free is seen.

#ifndef QUERN_RUNTIME_SRC_MAILBOX_MAGAZINE_H_
#define QUERN_RUNTIME_SRC_MAILBOX_MAGAZINE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "quern/runtime/limits.h"

namespace quern::internal {

// What malloc has no waste for.
inline constexpr size_t kBlockBytes[] = {72, 104, 136, 168, 200, 264, 520};
inline constexpr int kBlockClasses = std::size(kBlockBytes);
inline constexpr uint8_t kUnpooledClass = kBlockClasses;

// The smallest one of so many bytes; kUnpooledClass: malloc.
constexpr uint8_t BlockClassFor(size_t bytes) {
  constexpr uint8_t kOfSteps[] = {0, 1, 2, 3, 4, 5, 5, 6, 6, 6, 6, 6, 6, 6, 6};
  constexpr size_t kStep = 32;
  if (bytes <= kBlockBytes[0]) return 0;
  const size_t steps = (bytes - kBlockBytes[0] + kStep - 1) / kStep;
  return steps < std::size(kOfSteps) ? kOfSteps[steps] : kUnpooledClass;
}
constexpr size_t BlockBytes(uint8_t block_class) { return kBlockBytes[block_class]; }

struct FreeBlock {
  FreeBlock* next;
};

struct Magazine {
  FreeBlock* top = nullptr;
  size_t count = 0;

  // Not of an empty one.
  void* Pop() {
    --count;
    return std::exchange(top, top->next);
  }
  void Push(void* memory) {
    auto* block = static_cast<FreeBlock*>(memory);
    block->next = std::exchange(top, block);
    ++count;
  }
};

void FreeAll(Magazine magazine);

// Full magazines of all workers. Thread-safe.
class MagazineDepot {
 public:
  MagazineDepot() = default;
  ~MagazineDepot();
  MagazineDepot(const MagazineDepot&) = delete;
  MagazineDepot& operator=(const MagazineDepot&) = delete;

  // An empty magazine when there is none.
  Magazine Take(uint8_t block_class);
  // A hint.
  bool Has(uint8_t block_class) const {
    return count_[block_class].load(std::memory_order_relaxed) != 0;
  }
  // Beyond kDepotMagazinesMax the blocks are freed.
  void Give(uint8_t block_class, Magazine full);

  // Called now and then, by one thread: when kTrimMagazines or more have been freed, and none since
  // the last call, malloc gives the kernel back what they leave empty. It would keep small blocks
  // for good. True: it has done so.
  bool TrimAfterBurst();

 private:
  absl::Mutex mutex_;
  std::vector<Magazine> full_[kBlockClasses] ABSL_GUARDED_BY(mutex_);
  std::atomic<size_t> count_[kBlockClasses] = {};  // written under the lock
  std::atomic<uint64_t> freed_{0};                 // magazines
  // Of the thread that trims.
  uint64_t freed_seen_ = 0;
  uint64_t freed_trimmed_ = 0;
};

// Owner only: one worker.
class BlockCache {
 public:
  explicit BlockCache(MagazineDepot* depot) : depot_(depot) {}
  ~BlockCache();
  BlockCache(const BlockCache&) = delete;
  BlockCache& operator=(const BlockCache&) = delete;

  void* Allocate(uint8_t block_class) {
    Magazine& loaded = loaded_[block_class];
    if (loaded.top == nullptr && !Refill(block_class)) return NewBlock(block_class);
    return loaded.Pop();
  }

  void Free(void* memory, uint8_t block_class) {
    Magazine& loaded = loaded_[block_class];
    if (loaded.count == kMagazineEnvelopes) Drain(block_class);
    loaded.Push(memory);
  }

 private:
  bool Refill(uint8_t block_class);
  void Drain(uint8_t block_class);
  static void* NewBlock(uint8_t block_class);

  MagazineDepot* const depot_;
  Magazine loaded_[kBlockClasses];
  Magazine spare_[kBlockClasses];
};

void* MallocOrThrow(size_t bytes);

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_MAILBOX_MAGAZINE_H_
