#include "timer/timer_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include "quern/runtime/random.h"

namespace quern::internal {
namespace {

using namespace std::chrono_literals;

constexpr Time kStart = Time(1s);

struct Probe : TimerNode {
  int fired = 0;
  Time fired_at{};
  const Time* now = nullptr;
  static void Fire(TimerNode* node) {
    auto* probe = static_cast<Probe*>(node);
    ++probe->fired;
    if (probe->now != nullptr) probe->fired_at = *probe->now;
  }
};

TEST(TimerWheelTest, FiresAtTheFirstAdvanceThatReachesTheDueTime) {
  TimerWheel wheel(kStart);
  Probe probe;
  wheel.Arm(&probe, kStart + 10ms, &Probe::Fire);

  wheel.Advance(kStart + 10ms - 1ns);
  EXPECT_EQ(probe.fired, 0);
  EXPECT_EQ(wheel.NextDue(), kStart + 10ms);
  wheel.Advance(kStart + 10ms);

  EXPECT_EQ(probe.fired, 1);
  EXPECT_FALSE(probe.armed());
  EXPECT_EQ(wheel.NextDue(), kNever);
}

TEST(TimerWheelTest, ACancelledTimerDoesNotFire) {
  TimerWheel wheel(kStart);
  Probe probe;
  wheel.Arm(&probe, kStart + 10ms, &Probe::Fire);

  wheel.Cancel(&probe);
  wheel.Cancel(&probe);
  wheel.Advance(kStart + 1h);

  EXPECT_EQ(probe.fired, 0);
  EXPECT_EQ(wheel.size(), 0u);
}

TEST(TimerWheelTest, ADueTimeInThePastFiresNext) {
  TimerWheel wheel(kStart);
  Probe probe;
  wheel.Arm(&probe, Time(1ns), &Probe::Fire);

  wheel.Advance(kStart);

  EXPECT_EQ(probe.fired, 1);
}

TEST(TimerWheelTest, ATimerBeyondTheLastLevelIsNotLost) {
  TimerWheel wheel(kStart);
  Probe probe;
  const Time due = kStart + std::chrono::hours(24 * 365);
  wheel.Arm(&probe, due, &Probe::Fire);

  wheel.Advance(due - 1s);
  EXPECT_EQ(probe.fired, 0);
  wheel.Advance(due);

  EXPECT_EQ(probe.fired, 1);
}

TEST(TimerWheelTest, AFiredTimerMayArmItselfAgain) {
  struct Periodic : TimerNode {
    TimerWheel* wheel;
    int fired = 0;
    static void Fire(TimerNode* node) {
      auto* self = static_cast<Periodic*>(node);
      ++self->fired;
      self->wheel->Arm(self, self->due + 100ms, &Periodic::Fire);
    }
  };
  TimerWheel wheel(kStart);
  Periodic periodic;
  periodic.wheel = &wheel;
  wheel.Arm(&periodic, kStart + 100ms, &Periodic::Fire);

  for (int i = 1; i <= 100; ++i) wheel.Advance(kStart + i * 100ms);

  EXPECT_EQ(periodic.fired, 100);
  wheel.Cancel(&periodic);
}

// Against the plainest reference: a vector of due times.
TEST(TimerWheelTest, AgreesWithASortedListOnRandomTimers) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    std::unique_ptr<Random> random = SeededRandom(seed);
    Time now = kStart;
    TimerWheel wheel(now);
    std::vector<std::unique_ptr<Probe>> probes;
    std::vector<Time> dues;
    for (int step = 0; step < 2000; ++step) {
      const uint64_t choice = random->Below(10);
      if (choice < 6) {
        const Duration delay(static_cast<int64_t>(random->Below(uint64_t{1} << random->Below(45))));
        probes.push_back(std::make_unique<Probe>());
        probes.back()->now = &now;
        dues.push_back(now + delay);
        wheel.Arm(probes.back().get(), now + delay, &Probe::Fire);
      } else if (choice < 7 && !probes.empty()) {
        const size_t i = random->Below(probes.size());
        if (probes[i]->fired == 0) {
          wheel.Cancel(probes[i].get());
          dues[i] = kNever;
        }
      } else {
        const Time next = wheel.NextDue();
        Time first = kNever;
        for (size_t i = 0; i < dues.size(); ++i) {
          if (probes[i]->fired == 0) first = std::min(first, dues[i]);
        }
        ASSERT_LE(next, first) << "an idle worker would oversleep";
        now += Duration(static_cast<int64_t>(random->Below(uint64_t{1} << random->Below(43))));
        wheel.Advance(now);
        for (size_t i = 0; i < dues.size(); ++i) {
          ASSERT_EQ(probes[i]->fired, dues[i] <= now ? 1 : 0) << "timer " << i;
        }
      }
    }
    for (auto& probe : probes) wheel.Cancel(probe.get());
  }
}

}  // namespace
}  // namespace quern::internal
