// Memory of envelopes and other small blocks in flight: a pair of magazines a size class for each
// worker, exchanged whole through a depot (Bonwick and Adams, "Magazines and vmem", 2001). Every
// block is malloc's own, so any thread may free any block and nothing depends on who lives longer.
// Under AddressSanitizer blocks go straight to malloc, so that a use after free is seen.
//
// A magazine is an array of addresses beside the blocks, not a list through them: those that come
// from another worker lie in its cache, and whoever takes one would wait for it to learn the next.

#ifndef QUERN_RUNTIME_SRC_MAILBOX_MAGAZINE_H_
#define QUERN_RUNTIME_SRC_MAILBOX_MAGAZINE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "mailbox/prefetch.h"
#include "quern/runtime/internal/block_class.h"
#include "quern/runtime/limits.h"

namespace quern::internal {

// A stack of free blocks; whoever has it gives it away, or ends it with FreeAll().
class Magazine {
 public:
  // Without room: neither Push() nor Pop().
  constexpr Magazine() = default;
  // Empty, with room for so many blocks.
  static Magazine Make(size_t room = kMagazineEnvelopes);

  bool has_room() const { return count_ < capacity_; }
  bool empty() const { return count_ == 0; }
  size_t count() const { return count_; }

  // Not of an empty one.
  void* Pop() {
    --count_;
    // It is written to soon, and this one is written to now.
    PrefetchToWrite(slots_[static_cast<ptrdiff_t>(count_) - kAhead]);
    return slots_[count_];
  }
  // Not into a full one.
  void Push(void* block) { slots_[count_++] = block; }

 private:
  friend void FreeAll(Magazine magazine);

  // Behind a block that is taken: as many fit into the time that a block takes from cache to cache.
  static constexpr ptrdiff_t kAhead = 4;

  void** slots_ = nullptr;  // kAhead more lie in front of it
  uint32_t count_ = 0;
  uint32_t capacity_ = 0;
};

// The blocks, and the magazine.
void FreeAll(Magazine magazine);

// Full magazines of all workers. Thread-safe.
class MagazineDepot {
 public:
  MagazineDepot();
  ~MagazineDepot();
  MagazineDepot(const MagazineDepot&) = delete;
  MagazineDepot& operator=(const MagazineDepot&) = delete;

  // A full one for an empty one, or that one when there is none.
  Magazine TakeFull(uint8_t block_class, Magazine empty);
  // A hint.
  bool Has(uint8_t block_class) const {
    return count_[block_class].load(std::memory_order_relaxed) != 0;
  }
  // An empty one for a full one. Beyond kDepotMagazinesMax the blocks are freed.
  Magazine TakeEmpty(uint8_t block_class, Magazine full);
  Magazine TakeEmpty();
  // Without room: nothing.
  void GiveEmpty(Magazine empty);

  // Called now and then, by one thread: when kTrimMagazines or more have been freed, and none since
  // the last call, malloc gives the kernel back what they leave empty. It would keep small blocks
  // for good. True: it has done so.
  bool TrimAfterBurst();

 private:
  bool Keep(uint8_t block_class, const Magazine& full);

  absl::Mutex mutex_;
  std::vector<Magazine> full_[kBlockClasses] ABSL_GUARDED_BY(mutex_);
  std::vector<Magazine> empty_ ABSL_GUARDED_BY(mutex_);
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

  // Null: none at hand.
  void* Take(uint8_t block_class) {
    Magazine& loaded = loaded_[block_class];
    return loaded.empty() ? nullptr : loaded.Pop();
  }

  void* Allocate(uint8_t block_class) {
    Magazine& loaded = loaded_[block_class];
    if (loaded.empty() && !Refill(block_class)) [[unlikely]] {
      return NewBlock(block_class);
    }
    return loaded.Pop();
  }

  void Free(void* memory, uint8_t block_class) {
    Magazine& loaded = loaded_[block_class];
    if (!loaded.has_room()) [[unlikely]] {
      MakeRoom(block_class);
    }
    loaded.Push(memory);
  }

 private:
  bool Refill(uint8_t block_class);
  void MakeRoom(uint8_t block_class);
  void* NewBlock(uint8_t block_class);

  MagazineDepot* const depot_;
  size_t new_bytes_ = 0;  // from malloc, since the heap was grown
  Magazine loaded_[kBlockClasses];
  Magazine spare_[kBlockClasses];
};

void* MallocOrThrow(size_t bytes);

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_MAILBOX_MAGAZINE_H_
