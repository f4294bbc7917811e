#include "quern/runtime/timer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "quern/quern.h"
#include "quern/runtime/limits.h"
#include "quern/testing/fake_clock.h"

namespace quern {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::FakeClock;

struct Tick {};
struct Count {};
struct Nap {
  Duration time{};
};
struct StartAll {};
struct Do {
  std::string what;
};
struct Listed {
  std::vector<TimerInfo> timers;
};
struct List {};
struct ByCalendar {
  std::string expression;
  std::string zone;
};
struct Once {
  std::unique_ptr<int> value;
};
struct Fragile {
  explicit Fragile(int* budget) : copies(budget) {}
  Fragile(const Fragile& other) : copies(other.copies) {
    if (--*copies < 0) throw std::runtime_error("no more copies");
  }
  Fragile(Fragile&& other) noexcept = default;
  int* copies;
};

struct ClockApi : Protocol<void(Tick), int(Count), void(Nap), bool(Do), Listed(List),
                           void(ByCalendar), void(Once), void(Fragile)> {};

// Counts its ticks; each may take a nap first.
struct Ticker : Actor<ClockApi> {
  Status On(const Tick&, Context& context) {
    ++ticks_;
    return nap_ == Duration::zero() ? absl::OkStatus() : context.Sleep(nap_);
  }
  int On(const Count&) { return ticks_; }
  void On(const Nap& m) { nap_ = m.time; }
  Listed On(const List&) { return {ListTimers()}; }
  Status On(const ByCalendar& m) {
    auto id = Cron(m.expression, m.zone, Tick{});
    if (id.ok()) id_ = *id;
    return id.status();
  }
  void On(const Once& m) { ticks_ += *m.value; }
  void On(const Fragile&) { ++ticks_; }
  bool On(const Do& m) {
    if (m.what == "after") id_ = After(seconds(1), Tick{});
    if (m.what == "every") id_ = Every(seconds(1), Tick{});
    if (m.what == "delay") id_ = EveryWithFixedDelay(seconds(1), Tick{});
    if (m.what == "rate") id_ = EveryAtFixedRate(seconds(1), Tick{});
    if (m.what == "nothing") id_ = Every(Duration::zero(), Tick{});
    if (m.what == "forever") id_ = After(Duration::max(), Tick{});
    if (m.what == "move-only") id_ = After(seconds(1), Once{std::make_unique<int>(7)});
    if (m.what == "pause") return PauseTimer(id_);
    if (m.what == "resume") return ResumeTimer(id_);
    if (m.what == "cancel") return Cancel(id_);
    return id_ != 0;
  }
  TimerId id_ = 0;
  Duration nap_{};
  int ticks_ = 0;
};

class TimersTest : public ::testing::Test {
 protected:
  // In steps of 100 ms: what a timer started is due before the next step.
  void Advance(Duration d) {
    for (Duration left = d; left > Duration::zero(); left -= milliseconds(100)) {
      system_.WaitUntilQuiet();
      clock_.AdvanceBy(std::min<Duration>(left, milliseconds(100)));
    }
    system_.WaitUntilQuiet();
  }
  void Jump(Duration d) {
    system_.WaitUntilQuiet();
    clock_.AdvanceBy(d);
    system_.WaitUntilQuiet();
  }
  bool Tell(const std::string& what) { return ticker_.Ask(Do{what}).value(); }
  int Ticks() { return ticker_.Ask(Count{}).value(); }
  std::vector<TimerInfo> Timers() { return ticker_.Ask(List{}).value().timers; }

  FakeClock clock_;
  System system_{SystemOptions{.name = "test", .workers = 2, .clock = &clock_}};
  Ref<ClockApi> ticker_ = system_.Spawn<Ticker>("ticker").value();
};

TEST_F(TimersTest, AfterTicksOnceAndIsGone) {
  ASSERT_TRUE(Tell("after"));

  Advance(milliseconds(900));
  EXPECT_EQ(Ticks(), 0);
  Advance(milliseconds(100));
  EXPECT_EQ(Ticks(), 1);
  Advance(seconds(3));

  EXPECT_EQ(Ticks(), 1);
  EXPECT_TRUE(Timers().empty());
  EXPECT_FALSE(Tell("cancel"));
}

TEST_F(TimersTest, AfterMovesAMessageThatCannotBeCopied) {
  ASSERT_TRUE(Tell("move-only"));

  Advance(seconds(1));

  EXPECT_EQ(Ticks(), 7);
}

TEST_F(TimersTest, EveryLeavesOutWhatIsDueMeanwhileAndKeepsItsRhythm) {
  ASSERT_TRUE(Tell("every"));

  Jump(milliseconds(3500));
  EXPECT_EQ(Ticks(), 1);
  Jump(milliseconds(400));
  EXPECT_EQ(Ticks(), 1);
  Jump(milliseconds(100));

  EXPECT_EQ(Ticks(), 2);
}

TEST_F(TimersTest, EveryTickThatFallsIntoALongHandlerIsLeftOut) {
  ticker_.Tell(Nap{milliseconds(2500)});
  ASSERT_TRUE(Tell("every"));

  Advance(milliseconds(9600));  // at 1, 4 and 7; each runs for 2.5 s

  EXPECT_EQ(Ticks(), 3);
}

TEST_F(TimersTest, AFixedDelayBeginsWhenTheLastTickWasHandled) {
  ticker_.Tell(Nap{milliseconds(500)});
  ASSERT_TRUE(Tell("delay"));

  Advance(milliseconds(5400));  // at 1, 2.5, 4; the next at 5.5
  EXPECT_EQ(Ticks(), 3);
  Advance(milliseconds(700));  // it is handled at 6

  EXPECT_EQ(Ticks(), 4);
}

TEST_F(TimersTest, AFixedRateMakesUpForEveryTickOneByOne) {
  ASSERT_TRUE(Tell("rate"));

  Jump(milliseconds(3500));
  EXPECT_EQ(Ticks(), 3);
  Jump(milliseconds(500));

  EXPECT_EQ(Ticks(), 4);
}

TEST_F(TimersTest, AFixedRateCatchesUpAfterAHandlerThatTookLong) {
  ticker_.Tell(Nap{milliseconds(2500)});
  ASSERT_TRUE(Tell("rate"));
  Advance(seconds(2));  // the first tick runs from 1 to 3.5

  ticker_.Tell(Nap{});
  Advance(milliseconds(2000));

  EXPECT_EQ(Ticks(), 4);
}

TEST_F(TimersTest, AFixedRateMakesUpForAHundredTicksAtMost) {
  ASSERT_TRUE(Tell("rate"));

  Jump(seconds(1000));

  EXPECT_EQ(Ticks(), 1 + kTimerCatchUpMax);
}

TEST_F(TimersTest, ACatchUpComesBehindTheOtherMail) {
  struct Watcher : Actor<ClockApi> {
    void On(const Tick&) { log_ += 't'; }
    int On(const Count&) { return 0; }
    void On(const Nap&) { log_ += 'n'; }
    Listed On(const List&) { return {}; }
    void On(const ByCalendar&) {}
    void On(const Once&) {}
    void On(const Fragile&) {}
    bool On(const Do& m, Context& context) {
      if (m.what == "start") EveryAtFixedRate(seconds(1), Tick{});
      if (m.what == "sleep") context.Sleep(milliseconds(3500)).IgnoreError();
      return m.what == log_;
    }
    std::string log_;
  };
  auto watcher = system_.Spawn<Watcher>("watcher").value();
  watcher.Tell(Do{"start"});
  watcher.Tell(Do{"sleep"});
  system_.WaitUntilQuiet();
  watcher.Tell(Nap{});

  Jump(milliseconds(3500));
  system_.WaitUntilQuiet();

  EXPECT_TRUE(watcher.Ask(Do{"nttt"}).value());
}

TEST_F(TimersTest, APausedTimerKeepsTheTimeThatWasLeft) {
  ASSERT_TRUE(Tell("after"));
  Advance(milliseconds(400));

  EXPECT_TRUE(Tell("pause"));
  Advance(seconds(10));
  EXPECT_EQ(Ticks(), 0);
  EXPECT_TRUE(Timers().at(0).paused);
  EXPECT_EQ(Timers().at(0).due, kNever);
  EXPECT_TRUE(Tell("resume"));
  Advance(milliseconds(500));
  EXPECT_EQ(Ticks(), 0);
  Advance(milliseconds(100));

  EXPECT_EQ(Ticks(), 1);
}

TEST_F(TimersTest, APausedRhythmDoesNotTickAndGoesOnOnceResumed) {
  for (const char* kind : {"every", "delay", "rate"}) {
    ASSERT_TRUE(Tell(kind));
    Advance(milliseconds(1500));
    const int before = Ticks();

    EXPECT_TRUE(Tell("pause"));
    EXPECT_TRUE(Tell("pause"));
    Advance(seconds(5));
    EXPECT_EQ(Ticks(), before) << kind;
    EXPECT_TRUE(Tell("resume"));
    EXPECT_TRUE(Tell("resume"));
    Advance(milliseconds(1000));

    EXPECT_EQ(Ticks(), before + 1) << kind;
    EXPECT_TRUE(Tell("cancel"));
  }
}

TEST_F(TimersTest, ASecondCancelFindsNothingAndNeitherDoPauseAndResume) {
  ASSERT_TRUE(Tell("every"));

  EXPECT_TRUE(Tell("cancel"));

  EXPECT_FALSE(Tell("cancel"));
  EXPECT_FALSE(Tell("pause"));
  EXPECT_FALSE(Tell("resume"));
  Advance(seconds(3));
  EXPECT_EQ(Ticks(), 0);
}

TEST_F(TimersTest, AnIdIsNeverUsedAgain) {
  ASSERT_TRUE(Tell("every"));
  const TimerId first = Timers().at(0).id;
  ASSERT_TRUE(Tell("cancel"));

  ASSERT_TRUE(Tell("every"));

  EXPECT_NE(Timers().at(0).id, first);
}

TEST_F(TimersTest, TheListNamesKindTimeAndMessage) {
  const Time now = clock_.Now();
  ASSERT_TRUE(Tell("after"));
  ASSERT_TRUE(Tell("rate"));
  ASSERT_TRUE(ticker_.Ask(ByCalendar{"0 0 * * * *", "UTC"}).ok());

  const std::vector<TimerInfo> timers = Timers();

  ASSERT_EQ(timers.size(), 3u);
  EXPECT_EQ(timers[0].kind, TimerKind::kOnce);
  EXPECT_EQ(timers[0].due, now + seconds(1));
  EXPECT_THAT(std::string(timers[0].message), ::testing::HasSubstr("Tick"));
  EXPECT_EQ(timers[1].kind, TimerKind::kFixedRate);
  EXPECT_EQ(timers[2].kind, TimerKind::kCron);
  EXPECT_EQ(timers[2].due, Time(hours(1)));
}

TEST_F(TimersTest, CronTicksByTheCalendarOfItsZone) {
  clock_.SetWallTime(WallTime(seconds(1'774'745'999)));  // 2026-03-29 00:59:59 UTC
  ASSERT_TRUE(ticker_.Ask(ByCalendar{"0 30 2 * * *", "Europe/Berlin"}).ok());

  Jump(milliseconds(900));
  EXPECT_EQ(Ticks(), 0);
  Jump(milliseconds(100));  // 02:30 is left out that night: 03:00 it is
  EXPECT_EQ(Ticks(), 1);
  Jump(hours(23) + minutes(29));
  EXPECT_EQ(Ticks(), 1);
  Jump(minutes(1));

  EXPECT_EQ(Ticks(), 2);
}

TEST_F(TimersTest, CronLeavesOutWhatWasMissed) {
  ASSERT_TRUE(ticker_.Ask(ByCalendar{"0 * * * * *", "UTC"}).ok());

  Jump(hours(5));

  EXPECT_EQ(Ticks(), 1);
}

TEST_F(TimersTest, CronFollowsTheWallClockWhenItIsSet) {
  ASSERT_TRUE(ticker_.Ask(ByCalendar{"0 0 12 * * *", "UTC"}).ok());

  clock_.SetWallTime(WallTime(hours(11) + minutes(55)));
  Jump(minutes(10));
  EXPECT_EQ(Ticks(), 1);
  clock_.SetWallTime(WallTime(hours(11)));  // back: noon comes again, the tick does not
  Jump(hours(2));

  EXPECT_EQ(Ticks(), 1);
}

TEST_F(TimersTest, CronLooksAtTheWallClockAgainAfterAWhile) {
  ASSERT_TRUE(ticker_.Ask(ByCalendar{"0 0 12 * * *", "UTC"}).ok());
  clock_.SetWallTime(WallTime(hours(13)));  // nobody is told

  Jump(kCronRecheck - milliseconds(1));
  EXPECT_EQ(Ticks(), 0);
  Jump(milliseconds(1));

  EXPECT_EQ(Ticks(), 1);
}

TEST_F(TimersTest, APausedCronLeavesOutWhatItMissed) {
  ASSERT_TRUE(ticker_.Ask(ByCalendar{"0 * * * * *", "UTC"}).ok());
  EXPECT_TRUE(Tell("pause"));
  Jump(minutes(10));
  EXPECT_EQ(Ticks(), 0);

  EXPECT_TRUE(Tell("resume"));
  EXPECT_EQ(Ticks(), 0);
  Jump(minutes(1));

  EXPECT_EQ(Ticks(), 1);
}

TEST_F(TimersTest, CronNonsenseIsRefused) {
  EXPECT_EQ(ticker_.Ask(ByCalendar{"0 0 0 31 2 *", "UTC"}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ticker_.Ask(ByCalendar{"* * * * * *", "Atlantis"}).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(TimersTest, APeriodOfNothingIsNoTimerAndForeverIsOne) {
  EXPECT_FALSE(Tell("nothing"));
  EXPECT_TRUE(Tell("forever"));
  Jump(hours(24 * 365));

  EXPECT_EQ(Ticks(), 0);
  EXPECT_EQ(Timers().size(), 1u);
}

TEST_F(TimersTest, ForeverIsAHundredYears) {
  const Time begun = clock_.Now();
  ASSERT_TRUE(Tell("forever"));

  EXPECT_EQ(Timers().at(0).due, begun + kTimerDelayMax);
  Jump(kTimerDelayMax - seconds(1));
  EXPECT_EQ(Ticks(), 0);
  Jump(seconds(1));

  EXPECT_EQ(Ticks(), 1);
}

TEST_F(TimersTest, AnActorHasSoManyTimersAndNoMore) {
  for (size_t i = 0; i < kTimersPerActorMax; ++i) ASSERT_TRUE(Tell("every"));

  EXPECT_FALSE(Tell("after"));
  EXPECT_EQ(ticker_.Ask(ByCalendar{"* * * * * *", "UTC"}).code(),
            absl::StatusCode::kResourceExhausted);
  Jump(seconds(1));

  EXPECT_EQ(Ticks(), static_cast<int>(kTimersPerActorMax));
}

TEST_F(TimersTest, TimersTickInTheOrderInWhichTheyAreDueWhateverTheOrderOfStarting) {
  struct Order : Actor<ClockApi> {
    void On(const Tick&) {}
    int On(const Count&) { return in_order_ ? seen_ : -1; }
    void On(const Nap& m) {
      in_order_ = in_order_ && m.time > last_;
      last_ = m.time;
      ++seen_;
    }
    Listed On(const List&) { return {}; }
    void On(const ByCalendar&) {}
    void On(const Once&) {}
    void On(const Fragile&) {}
    bool On(const Do&) {
      for (int i = 0; i < 1000; ++i) {
        const Duration delay = milliseconds(1 + i * 7919 % 1000);
        const TimerId id = After(delay, Nap{delay});
        if (i % 3 == 0) Cancel(id);
      }
      return true;
    }
    Duration last_{};
    bool in_order_ = true;
    int seen_ = 0;
  };
  auto order = system_.Spawn<Order>("order").value();
  ASSERT_TRUE(order.Ask(Do{}).ok());

  Jump(seconds(2));

  EXPECT_EQ(order.Ask(Count{}).value(), 666);
}

TEST_F(TimersTest, AStopEndsThemAll) {
  ASSERT_TRUE(Tell("every"));
  ASSERT_TRUE(Tell("rate"));

  ticker_.Stop();
  Jump(seconds(10));

  EXPECT_EQ(system_.dead_letters(), 0u);
}

TEST_F(TimersTest, AMessageWhoseCopyThrowsFailsItsActorAlone) {
  struct Copier : Actor<ClockApi> {
    explicit Copier(int* copies) { EveryAtFixedRate(seconds(1), Fragile(copies)); }
    void On(const Tick&) {}
    int On(const Count&) { return ticks_; }
    void On(const Nap&) {}
    Listed On(const List&) { return {}; }
    void On(const ByCalendar&) {}
    void On(const Once&) {}
    void On(const Fragile&) { ++ticks_; }
    bool On(const Do&) { return true; }
    int ticks_ = 0;
  };
  int copies = 2;
  SpawnOptions options;
  options.supervisor = Directive::kStop;
  auto copier = system_.Spawn<Copier>(options, "copier", &copies).value();

  Advance(seconds(2));
  EXPECT_EQ(copier.Ask(Count{}).value(), 2);
  Advance(seconds(1));

  EXPECT_EQ(copier.Ask(Count{}).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(ticker_.Ask(Count{}).ok());
}

TEST(PlainTimersTest, OutsideASystemThereAreNone) {
  Ticker ticker;

  EXPECT_FALSE(ticker.On(Do{"every"}));
  EXPECT_FALSE(ticker.On(Do{"cancel"}));
  EXPECT_FALSE(ticker.On(Do{"pause"}));
  EXPECT_FALSE(ticker.On(Do{"resume"}));
  EXPECT_TRUE(ticker.On(List{}).timers.empty());
  EXPECT_EQ(ticker.On(ByCalendar{"* * * * * *", "UTC"}).code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace quern
