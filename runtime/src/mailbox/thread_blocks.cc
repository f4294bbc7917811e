#include "mailbox/thread_blocks.h"

#include <cstddef>
#include <cstdlib>
#include <utility>

namespace quern::internal {
namespace {

constexpr size_t kBlocksOfAnAsk = 2;  // the message, and the stamp in front of it

// Without a destructor: other objects of an ending thread may still send.
struct Held {
  Magazine magazines[kBlockClasses];
  bool ending = false;
};
constinit thread_local Held held;

struct FreesAtEnd {
  FreesAtEnd() = default;
  FreesAtEnd(const FreesAtEnd&) = delete;
  FreesAtEnd& operator=(const FreesAtEnd&) = delete;
  ~FreesAtEnd() {
    held.ending = true;
    for (Magazine& magazine : held.magazines) FreeAll(std::exchange(magazine, {}));
  }
};

// Of this thread's, before the first block.
void MakeRoom(Magazine* magazine) {
  if (magazine->has_room()) return;
  static thread_local FreesAtEnd at_end;
  (void)at_end;
  *magazine = Magazine::Make(kMagazineEnvelopes + kBlocksOfAnAsk);
}

}  // namespace

void* ThreadBlocks::Allocate(uint8_t block_class) {
  Magazine& magazine = held.magazines[block_class];
  return magazine.empty() ? MallocOrThrow(BlockBytes(block_class)) : magazine.Pop();
}

void ThreadBlocks::Free(void* memory, uint8_t block_class) {
  Magazine& magazine = held.magazines[block_class];
  if (held.ending || magazine.count() >= kMagazineEnvelopes) return std::free(memory);
  MakeRoom(&magazine);
  magazine.Push(memory);
}

void ThreadBlocks::Refill(MagazineDepot& depot) {
  if (held.ending) return;
  for (uint8_t i = 0; i < kBlockClasses; ++i) {
    Magazine& magazine = held.magazines[i];
    if (magazine.count() >= kBlocksOfAnAsk || !depot.Has(i)) continue;
    MakeRoom(&magazine);
    Magazine full = depot.TakeFull(i, {});
    while (!full.empty()) magazine.Push(full.Pop());
    depot.GiveEmpty(full);
  }
}

size_t ThreadBlocks::Count(uint8_t block_class) { return held.magazines[block_class].count(); }

}  // namespace quern::internal
