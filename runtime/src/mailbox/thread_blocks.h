// Blocks of a thread that is no worker. What it sends is freed by workers, so it has nothing of its
// own to reuse: it takes a magazine from the depot of the system that it talks to, whole, and hands
// out of it; one lock for kMagazineEnvelopes messages.
//
//   ThreadBlocks::Refill(core->scheduler().depot());   // after an ask
//   void* block = ThreadBlocks::Allocate(block_class);
//
// Each function is about the calling thread. What it holds at its end is freed then.

#ifndef QUERN_RUNTIME_SRC_MAILBOX_THREAD_BLOCKS_H_
#define QUERN_RUNTIME_SRC_MAILBOX_THREAD_BLOCKS_H_

#include <cstddef>
#include <cstdint>

#include "mailbox/magazine.h"

namespace quern::internal {

class ThreadBlocks {
 public:
  // From malloc when none is left.
  static void* Allocate(uint8_t block_class);

  // Keeps kMagazineEnvelopes of a class at most, and frees the rest.
  static void Free(void* memory, uint8_t block_class);

  // A magazine of each class of which less than an ask needs is left here, and one in the depot.
  static void Refill(MagazineDepot& depot);

  // How many it holds.
  static size_t Count(uint8_t block_class);
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_MAILBOX_THREAD_BLOCKS_H_
