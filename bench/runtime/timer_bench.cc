// What a timer of an actor costs: to arm and cancel, to tick, to have.

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "memory.h"
#include "quern/bench/process.h"
#include "quern/quern.h"
#include "suite.h"

namespace quern::bench {
namespace {

using std::chrono::hours;

constexpr int64_t kTimersEach = 1000;
constexpr int64_t kActors = 1000;

struct Ring {};
struct ArmAndCancel {
  int64_t times;
};
struct Arm {
  int64_t timers;
};
struct AlarmApi : Protocol<void(Ring), void(ArmAndCancel), void(Arm)> {};

struct Alarm : Actor<AlarmApi> {
  explicit Alarm(Finish* finish) : finish_(finish) {}
  void On(const Ring&) { finish_->One(); }
  void On(const ArmAndCancel& m) {
    for (int64_t i = 0; i < m.times; ++i) Cancel(After(hours(1), Ring{}));
    finish_->One();
  }
  void On(const Arm& m) {
    for (int64_t i = 0; i < m.timers; ++i) After(hours(1 + i % 100), Ring{});
    finish_->One();
  }
  Finish* finish_;
};

// Beside so many timers that stay.
void ArmCancel(benchmark::State& state, int64_t others) {
  constexpr int64_t kBatch = 10'000;
  Finish finish;
  System system(TwoWorkers());
  auto alarm = system.Spawn<Alarm>("alarm", &finish).value();
  finish.Expect(1);
  alarm.Tell(Arm{others});
  finish.Wait();
  while (state.KeepRunningBatch(kBatch)) {
    finish.Expect(1);
    alarm.Tell(ArmAndCancel{kBatch});
    finish.Wait();
  }
  state.SetItemsProcessed(state.iterations());
}

double MeasureTimer() {
  Finish finish;
  System system(TwoWorkers());
  const auto run = [&](int64_t first, int64_t timers) {
    finish.Expect(kActors);
    for (int64_t i = 0; i < kActors; ++i) {
      system.Spawn<Alarm>(std::to_string(first + i), &finish).value().Tell(Arm{timers});
    }
    finish.Wait();
    system.WaitUntilQuiet();
  };
  run(0, 0);  // what the actors cost is not counted
  const int64_t before = ResidentBytes();
  run(kActors, 0);
  const int64_t actors = ResidentBytes() - before;
  const int64_t again = ResidentBytes();
  run(2 * kActors, kTimersEach);
  return static_cast<double>(ResidentBytes() - again - actors) / (kActors * kTimersEach);
}

}  // namespace

void RegisterTimerMemoryBenchmarks() {
  benchmark::RegisterBenchmark("memory/timer of a million", BytesOf, &MeasureTimer)
      ->Iterations(1)
      ->Unit(benchmark::kMillisecond)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
}

void RegisterTimerBenchmarks() {
  benchmark::RegisterBenchmark("timers/arm and cancel", ArmCancel, 0)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
  benchmark::RegisterBenchmark("timers/arm and cancel beside 1000", ArmCancel, kTimersEach)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
}

}  // namespace quern::bench
