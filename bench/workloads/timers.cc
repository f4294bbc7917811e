// Timers of actors: armed and cancelled at once, and a million of them armed.

#include <chrono>
#include <cstdint>
#include <string>

#include "quern/bench/finish.h"
#include "quern/bench/process.h"
#include "quern/quern.h"
#include "workloads.h"

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
struct AlarmApi : Protocol<void(Ring), void(ArmAndCancel), void(Arm), int64_t(int64_t)> {};

struct Alarm : Actor<AlarmApi> {
  explicit Alarm(Finish* finish) : finish_(finish) {}
  void On(const Ring&) {}
  void On(const ArmAndCancel& m) {
    for (int64_t i = 0; i < m.times; ++i) cancelled_ += Cancel(After(hours(1), Ring{})) ? 1 : 0;
    finish_->One();
  }
  void On(const Arm& m) {
    for (int64_t i = 0; i < m.timers; ++i) After(hours(1 + i % 100), Ring{});
    finish_->One();
  }
  int64_t On(const int64_t&) { return cancelled_; }

  Finish* finish_;
  int64_t cancelled_ = 0;
};

}  // namespace

Outcome TimerArmCancel(const Setup& setup) {
  Finish finish;
  System system(OptionsFor(setup));
  auto alarm = system.Spawn<Alarm>("alarm", &finish).value();
  finish.Expect(1);
  Stopwatch watch;
  alarm.Tell(ArmAndCancel{setup.size});
  finish.Wait();
  Outcome outcome{.messages = setup.size, .took = watch.Stop()};
  outcome.Check("cancelled", static_cast<double>(alarm.Ask(int64_t{0}).value()),
                static_cast<double>(setup.size));
  return outcome;
}

Outcome TimerMemory(const Setup& setup) {
  const int64_t actors = std::max<int64_t>(1, setup.size / kTimersEach);
  Finish finish;
  System system(OptionsFor(setup));
  const auto arm = [&](int64_t first, int64_t timers) {
    finish.Expect(actors);
    for (int64_t i = 0; i < actors; ++i) {
      system.Spawn<Alarm>(std::to_string(first + i), &finish).value().Tell(Arm{timers});
    }
    finish.Wait();
    system.WaitUntilQuiet();
    return ResidentBytes();
  };
  const int64_t empty = arm(0, 0);  // the first tables
  const int64_t idle = arm(actors, 0);
  Stopwatch watch;
  const int64_t armed = arm(2 * actors, kTimersEach);
  Outcome outcome{.messages = actors * kTimersEach, .took = watch.Stop()};
  const auto bytes = static_cast<double>((armed - idle) - (idle - empty));  // without the actors
  outcome.figures = {{"bytes_each", bytes / static_cast<double>(outcome.messages)}};
  return outcome;
}

}  // namespace quern::bench
