#include "mailbox/magazine.h"

#include <malloc.h>

#include <cstdlib>
#include <new>
#include <utility>

namespace quern::internal {

void FreeAll(Magazine magazine) {
  while (magazine.top != nullptr) std::free(magazine.Pop());
}

MagazineDepot::~MagazineDepot() {
  for (auto& magazines : full_) {
    for (const Magazine& magazine : magazines) FreeAll(magazine);
  }
}

Magazine MagazineDepot::Take(uint8_t block_class) {
  absl::MutexLock lock(&mutex_);
  auto& full = full_[block_class];
  if (full.empty()) return {};
  Magazine magazine = full.back();
  full.pop_back();
  count_[block_class].store(full.size(), std::memory_order_relaxed);
  return magazine;
}

void MagazineDepot::Give(uint8_t block_class, Magazine magazine) {
  {
    absl::MutexLock lock(&mutex_);
    auto& full = full_[block_class];
    if (full.size() < kDepotMagazinesMax) {
      full.push_back(magazine);
      count_[block_class].store(full.size(), std::memory_order_relaxed);
      return;
    }
  }
  FreeAll(magazine);
  freed_.fetch_add(1, std::memory_order_relaxed);
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
  std::swap(loaded_[block_class], spare_[block_class]);
  // While messages pile up the depot is empty, and its lock is everybody's.
  if (loaded_[block_class].top == nullptr && depot_->Has(block_class)) {
    loaded_[block_class] = depot_->Take(block_class);
  }
  return loaded_[block_class].top != nullptr;
}

void BlockCache::Drain(uint8_t block_class) {
  if (spare_[block_class].count != 0) depot_->Give(block_class, spare_[block_class]);
  spare_[block_class] = std::exchange(loaded_[block_class], {});
}

void* BlockCache::NewBlock(uint8_t block_class) { return MallocOrThrow(BlockBytes(block_class)); }

}  // namespace quern::internal
