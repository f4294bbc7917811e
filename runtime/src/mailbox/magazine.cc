#include "mailbox/magazine.h"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>

namespace quern::internal {

namespace {

// glibc grows the heap of a thread page by page, a system call each, as blocks are cut off its end.
// Whoever has cut off so much asks for as much at once, and gives it back to the end of the heap.
constexpr size_t kHeapStep = 100'000;  // below what glibc maps apart or returns to the kernel

}  // namespace

Magazine Magazine::Make(size_t room) {
  auto** slots = static_cast<void**>(MallocOrThrow((kAhead + room) * sizeof(void*)));
  std::fill_n(slots, kAhead, slots);  // prefetched below the lowest block
  Magazine magazine;
  magazine.slots_ = slots + kAhead;
  magazine.capacity_ = static_cast<uint32_t>(room);
  return magazine;
}

void FreeAll(Magazine magazine) {
  while (!magazine.empty()) std::free(magazine.Pop());
  if (magazine.slots_ != nullptr) std::free(magazine.slots_ - Magazine::kAhead);
}

MagazineDepot::MagazineDepot() { empty_.reserve(kDepotMagazinesMax); }

MagazineDepot::~MagazineDepot() {
  for (auto& magazines : full_) {
    for (const Magazine& magazine : magazines) FreeAll(magazine);
  }
  for (const Magazine& magazine : empty_) FreeAll(magazine);
}

Magazine MagazineDepot::TakeFull(uint8_t block_class, Magazine empty) {
  absl::MutexLock lock(&mutex_);
  auto& full = full_[block_class];
  if (full.empty()) return empty;
  if (empty.has_room()) empty_.push_back(empty);
  Magazine magazine = full.back();
  full.pop_back();
  count_[block_class].store(full.size(), std::memory_order_relaxed);
  return magazine;
}

void MagazineDepot::GiveEmpty(Magazine empty) {
  if (!empty.has_room()) return;
  absl::MutexLock lock(&mutex_);
  empty_.push_back(empty);
}

Magazine MagazineDepot::TakeEmpty() {
  {
    absl::MutexLock lock(&mutex_);
    if (!empty_.empty()) {
      Magazine magazine = empty_.back();
      empty_.pop_back();
      return magazine;
    }
  }
  return Magazine::Make();
}

bool MagazineDepot::Keep(uint8_t block_class, const Magazine& full) {
  absl::MutexLock lock(&mutex_);
  auto& all = full_[block_class];
  if (all.size() >= kDepotMagazinesMax) return false;
  if (all.empty()) all.reserve(kDepotMagazinesMax);
  all.push_back(full);
  count_[block_class].store(all.size(), std::memory_order_relaxed);
  return true;
}

Magazine MagazineDepot::TakeEmpty(uint8_t block_class, Magazine full) {
  if (Keep(block_class, full)) return TakeEmpty();
  while (!full.empty()) std::free(full.Pop());
  freed_.fetch_add(1, std::memory_order_relaxed);
  return full;
}

bool MagazineDepot::TrimAfterBurst() {
  const uint64_t freed = freed_.load(std::memory_order_relaxed);
  const bool goes_on = std::exchange(freed_seen_, freed) != freed;
  if (goes_on || freed - freed_trimmed_ < kTrimMagazines) return false;
  freed_trimmed_ = freed;
  malloc_trim(0);
  return true;
}

void* MallocOrThrow(size_t bytes) {
  void* memory = std::malloc(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

BlockCache::~BlockCache() {
  for (int i = 0; i < kBlockClasses; ++i) {
    FreeAll(loaded_[i]);
    FreeAll(spare_[i]);
  }
}

bool BlockCache::Refill(uint8_t block_class) {
  Magazine& loaded = loaded_[block_class];
  std::swap(loaded, spare_[block_class]);
  // While messages pile up the depot is empty, and its lock is everybody's.
  if (loaded.empty() && depot_->Has(block_class)) loaded = depot_->TakeFull(block_class, loaded);
  return !loaded.empty();
}

void BlockCache::MakeRoom(uint8_t block_class) {
  Magazine& loaded = loaded_[block_class];
  Magazine& spare = spare_[block_class];
  if (!spare.empty()) spare = depot_->TakeEmpty(block_class, spare);
  std::swap(loaded, spare);
  if (!loaded.has_room()) loaded = depot_->TakeEmpty();
}

void* BlockCache::NewBlock(uint8_t block_class) {
  new_bytes_ += BlockBytes(block_class);
  if (new_bytes_ >= kHeapStep) {
    new_bytes_ = 0;
    void* volatile step = std::malloc(kHeapStep);
    std::free(step);
  }
  return MallocOrThrow(BlockBytes(block_class));
}

}  // namespace quern::internal
