// Grains of this process: what the name costs beside a plain actor.

#include <benchmark/benchmark.h>

#include <cstdint>

#include "grain_cases.h"
#include "quern/quern.h"
#include "suite.h"

namespace quern::bench {
namespace {

void Tell(benchmark::State& state, int grains, int64_t burst) {
  System system(TwoWorkers());
  system.Host<Tally>().IgnoreError();
  TellGrains(state, system, grains, burst);
}

void Ask(benchmark::State& state, int64_t asks) {
  System system(TwoWorkers());
  system.Host<Tally>().IgnoreError();
  AskGrain(state, system, asks);
}

}  // namespace

void RegisterGrainBenchmarks() {
  benchmark::RegisterBenchmark("grain/tell one, 2 senders", Tell, 1, 100'000)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
  benchmark::RegisterBenchmark("grain/tell over 256, 2 senders", Tell, 256, 100'000)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
  benchmark::RegisterBenchmark("grain/ask", Ask, 100'000)->MeasureProcessCPUTime()->UseRealTime();
}

}  // namespace quern::bench
