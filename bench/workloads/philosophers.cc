// Savina's dining philosophers: twenty of them, one arbitrator who gives out the forks.

#include <array>
#include <cstdint>
#include <string>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "workloads.h"

namespace quern::bench {
namespace {

constexpr size_t kPhilosophers = 20;

struct Eat {};
struct Denied {};
struct PhilosopherApi : Protocol<void(Eat), void(Denied)> {};
struct Hungry {
  size_t seat;
  Ref<PhilosopherApi> who;
};
struct Done {
  size_t seat;
};
struct ArbitratorApi : Protocol<void(Hungry), void(Done)> {};

struct Arbitrator : Actor<ArbitratorApi> {
  void On(const Hungry& m) {
    if (taken_[m.seat] || taken_[Next(m.seat)]) {
      m.who.Tell(Denied{});
      return;
    }
    taken_[m.seat] = taken_[Next(m.seat)] = true;
    m.who.Tell(Eat{});
  }
  void On(const Done& m) { taken_[m.seat] = taken_[Next(m.seat)] = false; }

  static size_t Next(size_t seat) { return (seat + 1) % kPhilosophers; }
  std::array<bool, kPhilosophers> taken_{};
};

// Whoever is denied asks again.
struct Philosopher : Actor<PhilosopherApi> {
  Philosopher(size_t seat, int64_t rounds, Ref<ArbitratorApi> arbitrator, Finish* finish,
              Tally* eaten, Tally* denied)
      : seat_(seat),
        left_(rounds),
        arbitrator_(std::move(arbitrator)),
        finish_(finish),
        eaten_(eaten),
        denied_(denied) {}
  void OnStart() { arbitrator_.Tell(Hungry{seat_, Self()}); }
  void On(const Denied&) {
    ++denials_;
    arbitrator_.Tell(Hungry{seat_, Self()});
  }
  void On(const Eat&) {
    ++meals_;
    arbitrator_.Tell(Done{seat_});
    if (--left_ > 0) {
      arbitrator_.Tell(Hungry{seat_, Self()});
      return;
    }
    eaten_->Add(meals_);
    denied_->Add(denials_);
    finish_->One();
  }

  const size_t seat_;
  int64_t left_;
  Ref<ArbitratorApi> arbitrator_;
  Finish* finish_;
  Tally* eaten_;
  Tally* denied_;
  int64_t meals_ = 0;
  int64_t denials_ = 0;
};

}  // namespace

Outcome Philosophers(const Setup& setup) {
  System system(OptionsFor(setup));
  Finish finish;
  Tally eaten;
  Tally denied;
  auto arbitrator = system.Spawn<Arbitrator>("arbitrator").value();
  finish.Expect(kPhilosophers);
  Stopwatch watch;
  for (size_t i = 0; i < kPhilosophers; ++i) {
    const std::string name = std::to_string(i);
    system.Spawn<Philosopher>(name, i, setup.size, arbitrator, &finish, &eaten, &denied).value();
  }
  finish.Wait();
  const Took took = watch.Stop();
  const auto meals = static_cast<int64_t>(eaten.sum());
  Outcome outcome{.messages = 3 * meals + 2 * static_cast<int64_t>(denied.sum()), .took = took};
  outcome.Check("meals", eaten.sum(), static_cast<double>(setup.size) * kPhilosophers);
  return outcome;
}

}  // namespace quern::bench
