// What a timer of an actor costs: to arm and cancel.

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "quern/quern.h"
#include "suite.h"

namespace quern::bench {
namespace {

using std::chrono::hours;

constexpr int64_t kTimersEach = 1000;

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

}  // namespace

void RegisterTimerBenchmarks() {
  benchmark::RegisterBenchmark("timers/arm and cancel", ArmCancel, 0)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
  benchmark::RegisterBenchmark("timers/arm and cancel beside 1000", ArmCancel, kTimersEach)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
}

}  // namespace quern::bench
