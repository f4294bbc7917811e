// How fast actors come and go, and what an idle one costs.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "memory.h"
#include "quern/bench/process.h"
#include "quern/quern.h"
#include "suite.h"

namespace quern::bench {
namespace {

constexpr int64_t kIdleActors = 1'000'000;

struct Poke {};
struct IdleApi : Protocol<void(Poke)> {};
struct Idle : Actor<IdleApi> {
  explicit Idle(Finish* finish) : finish_(finish) {}
  void On(const Poke&) { finish_->One(); }
  Finish* finish_;
};

// One message each, so that the clock stops when the last has been constructed and has worked.
void SpawnAndPoke(benchmark::State& state, int64_t actors) {
  Finish finish;
  while (state.KeepRunningBatch(actors)) {
    System system(TwoWorkers());
    finish.Expect(actors);
    for (int64_t i = 0; i < actors; ++i) {
      system.Spawn<Idle>(std::to_string(i), &finish).value().Tell(Poke{});
    }
    finish.Wait();
    state.PauseTiming();
    system.Stop();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations());
}

struct Grow {
  int64_t children;
};
struct ParentApi : Protocol<void(Grow)> {};
struct Parent : Actor<ParentApi> {
  explicit Parent(Finish* finish) : finish_(finish) {}
  void On(const Grow& m, Context& context) {
    for (int64_t i = 0; i < m.children; ++i) {
      context.Spawn<Idle>(std::to_string(i), finish_).value().Tell(Poke{});
    }
  }
  Finish* finish_;
};

void SpawnChildren(benchmark::State& state, int64_t actors) {
  Finish finish;
  while (state.KeepRunningBatch(actors)) {
    System system(TwoWorkers());
    auto parent = system.Spawn<Parent>("parent", &finish).value();
    finish.Expect(actors);
    parent.Tell(Grow{actors});
    finish.Wait();
    state.PauseTiming();
    system.Stop();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations());
}

struct StillApi : Protocol<void(Poke)> {};
struct Still : Actor<StillApi> {
  void On(const Poke&) { ++pokes_; }
  int64_t pokes_ = 0;
};

double MeasureIdleActor() {
  System system(TwoWorkers());
  const auto spawn = [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) system.Spawn<Still>(std::to_string(i)).value();
    system.WaitUntilQuiet();
  };
  constexpr int64_t kWarm = 1000;  // runners, magazines, the first tables
  spawn(0, kWarm);
  const int64_t before = ResidentBytes();
  spawn(kWarm, kWarm + kIdleActors);
  return static_cast<double>(ResidentBytes() - before) / kIdleActors;
}

}  // namespace

void RegisterMemoryBenchmarks() {
  benchmark::RegisterBenchmark("memory/idle actor", BytesOf, &MeasureIdleActor)
      ->Iterations(1)
      ->Unit(benchmark::kMillisecond)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
}

void RegisterSpawnBenchmarks() {
  benchmark::RegisterBenchmark("spawn/from a thread", SpawnAndPoke, 100'000)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
  benchmark::RegisterBenchmark("spawn/children", SpawnChildren, 100'000)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
}

}  // namespace quern::bench
