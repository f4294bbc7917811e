// What the benchmarks of the runtime share: two workers, as the targets are stated for, and a way
// for actors to say that a batch is through.

#ifndef QUERN_BENCH_RUNTIME_SUITE_H_
#define QUERN_BENCH_RUNTIME_SUITE_H_

#include <atomic>
#include <cstdint>

#include "quern/runtime/system_options.h"

namespace quern::bench {

inline constexpr int kWorkers = 2;

inline SystemOptions TwoWorkers() {
  SystemOptions options;
  options.name = "bench";
  options.workers = kWorkers;
  return options;
}

// Counts down to zero on any thread; one plain thread waits for it. Reusable after a wait.
class Finish {
 public:
  void Expect(int64_t count) { left_.store(count, std::memory_order_relaxed); }
  void One() {
    if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) left_.notify_one();
  }
  void Wait() {
    for (int64_t left = left_.load(); left > 0; left = left_.load()) left_.wait(left);
  }

 private:
  std::atomic<int64_t> left_{0};
};

// Each adds its rows; main() calls them in this order.
void RegisterMemoryBenchmarks();  // first: a fresh heap
void RegisterTimerMemoryBenchmarks();
void RegisterFloorBenchmarks();
void RegisterTellBenchmarks();
void RegisterAskBenchmarks();
void RegisterSpawnBenchmarks();
void RegisterGrainBenchmarks();
void RegisterTimerBenchmarks();

}  // namespace quern::bench

#endif  // QUERN_BENCH_RUNTIME_SUITE_H_
