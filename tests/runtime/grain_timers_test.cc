// Timers of grains: they belong to one activation, tick as messages, and never bring a grain back.

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <absl/strings/str_split.h>

#include "grain_test_kit.h"
#include "quern/quern.h"
#include "quern/runtime/fiber_group.h"
#include "quern/testing/fake_clock.h"

namespace quern::testing {

struct Plan {
  std::string expression = {};
  std::string zone = {};
};
struct PlanApi : Protocol<void(Plan), void(Note), void(Wait), void(Leave), int64_t(Get)> {
  static constexpr std::string_view kKind = "planner";
};

}  // namespace quern::testing

namespace quern {
template <>
struct Codec<testing::Plan> : EmptyCodec<testing::Plan> {
  static constexpr std::string_view kName = "test.Plan";
};
}  // namespace quern

namespace quern::testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// Of 2026, in UTC: one second before Berlin's 02:00 becomes 03:00, and before its 03:00 becomes
// 02:00.
constexpr WallTime kBeforeTheGap{seconds(1'774'745'999)};
constexpr WallTime kBeforeTheFold{seconds(1'792'889'999)};

// Ticks by the plan, and writes down when, in minutes since it has begun.
class Planner : public Grain<PlanApi> {
 public:
  explicit Planner(Scene* scene) : scene_(scene) { Write("made"); }
  Status OnActivate() override {
    if (!scene_->on_activate) return absl::OkStatus();
    Every(seconds(10), Note{"early tick"});
    const Status status = scene_->on_activate();
    Write(status.ok() ? "activated" : "failed");
    return status;
  }
  void OnDeactivate(const Status&) override {
    Write(After(seconds(1), Note{"late"}) == 0 ? "gone" : "gone, with a timer");
  }
  Status On(const Plan& m) { return Cron(m.expression, m.zone, Note{"tick"}).status(); }
  void On(const Note& m) { Write(m.text); }
  void On(const Wait&) {
    Write("waits");
    FiberMutexLock lock(scene_->stage);
  }
  void On(const Leave&) { DeactivateSoon(); }
  int64_t On(const Get&) { return static_cast<int64_t>(ListTimers().size()); }

 private:
  void Write(std::string line) { scene_->journal.Add(std::move(line)); }
  Scene* const scene_;
};

class GrainTimersTest : public ::testing::Test {
 protected:
  ~GrainTimersTest() override { system_.Stop(); }

  Ref<PlanApi> Hosted(GrainOptions options = {.idle_timeout = kNeverIdle}) {
    EXPECT_TRUE(system_.Host<Planner>(std::move(options), &scene_).ok());
    return system_.Grain<PlanApi>("a");
  }
  void Jump(Duration by) {
    system_.WaitUntilQuiet();
    clock_.AdvanceBy(by);
    system_.WaitUntilQuiet();
  }
  // How many ticks until then.
  size_t TicksWithin(Duration time, Duration step) {
    scene_.journal.Clear();
    for (Duration passed{}; passed < time; passed += step) Jump(step);
    return CountOf("tick");
  }
  size_t CountOf(const std::string& line) {
    const std::vector<std::string> lines = absl::StrSplit(scene_.journal.Text(), ", ");
    return static_cast<size_t>(std::ranges::count(lines, line));
  }

  Scene scene_;
  FakeClock clock_;
  System system_{SystemOptions{.name = "timers", .workers = 2, .clock = &clock_}};
};

TEST_F(GrainTimersTest, CronTicksOnceInTheNightThatLacksTheHour) {
  clock_.SetWallTime(kBeforeTheGap);
  auto grain = Hosted();
  ASSERT_TRUE(grain.Ask(Plan{"0 30 2 * * *", "Europe/Berlin"}).ok());

  EXPECT_EQ(TicksWithin(milliseconds(900), milliseconds(100)), 0u);
  EXPECT_EQ(TicksWithin(milliseconds(100), milliseconds(100)), 1u) << "03:00 instead of 02:30";
  EXPECT_EQ(TicksWithin(hours(23) + minutes(29), minutes(1)), 0u);
  EXPECT_EQ(TicksWithin(minutes(1), minutes(1)), 1u) << "02:30 of the next night";
}

TEST_F(GrainTimersTest, CronTicksOnceInTheNightThatHasTheHourTwice) {
  clock_.SetWallTime(kBeforeTheFold - hours(1) + seconds(1));  // 02:00, for the first time
  auto grain = Hosted();
  ASSERT_TRUE(grain.Ask(Plan{"0 30 2 * * *", "Europe/Berlin"}).ok());

  EXPECT_EQ(TicksWithin(minutes(30), minutes(1)), 1u);
  EXPECT_EQ(TicksWithin(hours(24), minutes(1)), 0u) << "02:30 comes again that night";
  EXPECT_EQ(TicksWithin(hours(1), minutes(1)), 1u);
}

TEST_F(GrainTimersTest, CronNonsenseIsRefusedAndTheGrainGoesOn) {
  auto grain = Hosted();

  EXPECT_EQ(OutcomeOf(grain.Ask(Plan{"0 0 0 31 2 *", "UTC"})), "INVALID_ARGUMENT");
  EXPECT_EQ(OutcomeOf(grain.Ask(Plan{"* * * * * *", "Atlantis"})), "INVALID_ARGUMENT");

  EXPECT_EQ(grain.Ask(Get{}).value(), 0);
  EXPECT_EQ(scene_.journal.Text(), "made");
}

TEST_F(GrainTimersTest, TicksEndWithTheActivationAndBringNoGrainBack) {
  auto grain = Hosted({.idle_timeout = seconds(150), .ticks_keep_active = false});
  ASSERT_TRUE(grain.Ask(Plan{"0 * * * * *", "UTC"}).ok());

  const size_t ticks = TicksWithin(hours(5), minutes(1));

  EXPECT_EQ(ticks, 2u);
  EXPECT_EQ(scene_.journal.Text(), "tick, tick, gone");
  EXPECT_EQ(system_.CountGrains(), 0u);
  EXPECT_FALSE(system_.Peek<PlanApi>("a").has_value());
}

TEST_F(GrainTimersTest, ATickThatIsDueWhenTheGrainLeavesReachesNobody) {
  auto grain = Hosted();
  ASSERT_TRUE(grain.Ask(Plan{"0 * * * * *", "UTC"}).ok());
  scene_.stage.Lock();
  grain.Tell(Wait{});
  grain.Tell(Leave{});
  Jump(minutes(1));

  scene_.stage.Unlock();
  Jump(minutes(5));

  EXPECT_EQ(scene_.journal.Text(), "made, waits, gone");
  EXPECT_EQ(system_.CountGrains(), 0u);
  EXPECT_EQ(system_.dead_letters(), 0u);
}

TEST_F(GrainTimersTest, TheNextActivationBeginsWithoutTimers) {
  auto grain = Hosted();
  ASSERT_TRUE(grain.Ask(Plan{"0 * * * * *", "UTC"}).ok());
  ASSERT_EQ(grain.Ask(Get{}).value(), 1);

  ASSERT_TRUE(grain.Ask(Leave{}).ok());
  EXPECT_EQ(grain.Ask(Get{}).value(), 0);
  ASSERT_TRUE(grain.Ask(Plan{"0 * * * * *", "UTC"}).ok());

  EXPECT_EQ(TicksWithin(minutes(10), minutes(1)), 10u);
}

TEST_F(GrainTimersTest, WhatOnActivateStartsTicksOnceItHasSucceededAndAFailedTryLeavesNone) {
  auto grain =
      Hosted({.idle_timeout = kNeverIdle, .activate_tries = 2, .activate_timeout = minutes(1)});
  int tries = 0;
  scene_.on_activate = [&] {
    (void)SleepFor(seconds(9));
    return ++tries == 1 ? absl::UnavailableError("not yet") : absl::OkStatus();
  };
  grain.Tell(Note{"first message"});

  for (int i = 0; i < 250; ++i) Jump(milliseconds(100));

  EXPECT_EQ(scene_.journal.Text(), "made, failed, made, activated, first message, early tick");
}

TEST_F(GrainTimersTest, ATickThatMeetsAFullMailboxIsADeadLetterAndTheNextOneComes) {
  auto grain = Hosted({.idle_timeout = kNeverIdle, .mailbox_capacity = 1});
  ASSERT_TRUE(grain.Ask(Plan{"0 * * * * *", "UTC"}).ok());
  scene_.stage.Lock();
  grain.Tell(Wait{});
  system_.WaitUntilQuiet();
  ASSERT_EQ(grain.Tell(Note{"in"}), Delivery::kAccepted);

  Jump(minutes(1));
  scene_.stage.Unlock();
  system_.WaitUntilQuiet();
  EXPECT_EQ(scene_.journal.Text(), "made, waits, in");
  EXPECT_EQ(system_.dead_letters(), 1u);

  EXPECT_EQ(TicksWithin(minutes(1), minutes(1)), 1u);
}

}  // namespace
}  // namespace quern::testing
