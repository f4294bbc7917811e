// 64 bytes from the general allocator and back: at once, a thousand at a time, freed elsewhere.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <thread>
#include <vector>

#include "floor.h"

namespace quern::bench {
namespace {

constexpr size_t kBytes = 64;
constexpr size_t kBatch = 1000;

// The compiler must not see that nobody uses the block.
void* Block() {
  void* block = std::malloc(kBytes);
  asm volatile("" : : "g"(block) : "memory");
  return block;
}

}  // namespace

Outcome AllocateAtOnce(const Setup& setup) {
  Stopwatch watch;
  for (int64_t i = 0; i < setup.size; ++i) std::free(Block());
  return {.messages = setup.size, .took = watch.Stop()};
}

Outcome AllocateBatch(const Setup& setup) {
  std::vector<void*> blocks(kBatch);
  const int64_t batches = std::max<int64_t>(1, setup.size / int64_t{kBatch});
  Stopwatch watch;
  for (int64_t i = 0; i < batches; ++i) {
    for (void*& block : blocks) block = Block();
    for (void* block : blocks) std::free(block);
  }
  return {.messages = batches * int64_t{kBatch}, .took = watch.Stop()};
}

// Two batches go round between the thread that fills them and the one that frees.
Outcome AllocateAcross(const Setup& setup) {
  std::vector<void*> batches[2] = {std::vector<void*>(kBatch), std::vector<void*>(kBatch)};
  std::atomic<int64_t> filled{0};
  std::atomic<int64_t> freed{0};
  const int64_t rounds = std::max<int64_t>(1, setup.size / int64_t{kBatch});
  Stopwatch watch;
  std::thread other([&] {
    for (int64_t round = 0; round < rounds; ++round) {
      while (filled.load(std::memory_order_acquire) <= round) {
      }
      for (void* block : batches[round % 2]) std::free(block);
      freed.store(round + 1, std::memory_order_release);
    }
  });
  for (int64_t round = 0; round < rounds; ++round) {
    while (freed.load(std::memory_order_acquire) < round - 1) {
    }
    for (void*& block : batches[round % 2]) block = Block();
    filled.store(round + 1, std::memory_order_release);
  }
  other.join();
  return {.messages = rounds * int64_t{kBatch}, .took = watch.Stop()};
}

}  // namespace quern::bench
