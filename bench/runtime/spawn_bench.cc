// How fast actors come and go.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "quern/quern.h"
#include "suite.h"

namespace quern::bench {
namespace {

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

}  // namespace

void RegisterSpawnBenchmarks() {
  benchmark::RegisterBenchmark("spawn/from a thread", SpawnAndPoke, 100'000)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
  benchmark::RegisterBenchmark("spawn/children", SpawnChildren, 100'000)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
}

}  // namespace quern::bench
