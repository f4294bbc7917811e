// What the benchmarks of the runtime share: two workers, as the targets are stated for.

#ifndef QUERN_BENCH_RUNTIME_SUITE_H_
#define QUERN_BENCH_RUNTIME_SUITE_H_

#include "quern/bench/finish.h"
#include "quern/runtime/system_options.h"

namespace quern::bench {

inline constexpr int kWorkers = 2;

inline SystemOptions TwoWorkers() {
  SystemOptions options;
  options.name = "bench";
  options.workers = kWorkers;
  return options;
}

// Each adds its rows; main() calls them in this order.
void RegisterTellBenchmarks();
void RegisterAskBenchmarks();
void RegisterSpawnBenchmarks();
void RegisterGrainBenchmarks();
void RegisterTimerBenchmarks();

}  // namespace quern::bench

#endif  // QUERN_BENCH_RUNTIME_SUITE_H_
