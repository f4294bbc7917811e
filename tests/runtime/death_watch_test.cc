#include "quern/runtime/death_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "life_test_kit.h"
#include "quern/runtime/mailbox.h"

namespace quern {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using namespace std::chrono_literals;

struct WatchThat {
  Ref<LifeApi> target;
};
struct UnwatchThat {
  Ref<LifeApi> target;
};
struct WatchSelf {};
struct Fail {};
struct Name {
  std::string name;
};
struct Work {
  int number;
};
struct GuardApi : Protocol<void(WatchThat), void(UnwatchThat), void(WatchSelf), void(Fail),
                           Ref<LifeApi>(Name), void(Work)> {};

struct Guard : Actor<GuardApi> {
  explicit Guard(Diary* diary) : diary_(diary) {}

  Status On(const WatchThat& m, Context& context) { return context.Watch(*this, m.target); }
  void On(const UnwatchThat& m, Context& context) { context.Unwatch(m.target); }
  Status On(const WatchSelf&, Context& context) { return context.Watch(*this, Self()); }
  void On(const Fail&) { throw std::runtime_error("failed"); }
  StatusOr<Ref<LifeApi>> On(const Name& m, Context& context) {
    return context.Spawn<LifeActor>(m.name, &silent_, m.name);
  }
  void On(const Work& m) { diary_->Write("work " + std::to_string(m.number)); }
  void On(const Terminated& m) { diary_->Write(m.path + " terminated"); }

  Diary* diary_;
  Diary silent_;
};

// Tells more at its end than goes out at once.
struct Farewell : LifeActor {
  Farewell(Diary* diary, Ref<GuardApi> guard) : LifeActor(diary, "f"), guard_(std::move(guard)) {}
  ~Farewell() {
    for (int i = 1; i <= 6; ++i) guard_.Tell(Work{i});
  }
  Ref<GuardApi> guard_;
};

class DeathWatchTest : public LifeTest {
 protected:
  Ref<GuardApi> guard_ =
      system_
          .Spawn<Guard>(
              {.supervisor = Supervisor()
                                 .Otherwise(Directive::kRestart)
                                 .Backoff({.min = Duration::zero(), .max = Duration::zero()})},
              "guard", &diary_)
          .value();
  Ref<LifeApi> SpawnSilently(const std::string& name, SpawnOptions options = {}) {
    auto ref = system_.Spawn<LifeActor>(options, name, &others_, name).value();
    Settle();
    return ref;
  }
  Diary others_;
};

TEST_F(DeathWatchTest, AWatchEndsInExactlyOneTerminated) {
  auto actor = SpawnSilently("a");
  EXPECT_TRUE(guard_.Ask(WatchThat{actor}).ok());
  EXPECT_TRUE(guard_.Ask(WatchThat{actor}).ok());  // once is enough

  actor.Stop();
  actor.Stop();
  Settle();

  EXPECT_THAT(diary_.Take(), ElementsAre("/a terminated"));
}

TEST_F(DeathWatchTest, ItStandsBehindWhatTheDestructorTold) {
  Ref<LifeApi> actor = system_.Spawn<Farewell>("f", &others_, guard_).value();
  Settle();
  EXPECT_TRUE(guard_.Ask(WatchThat{actor}).ok());

  actor.Stop();
  Settle();

  EXPECT_THAT(diary_.Take(), ElementsAre("work 1", "work 2", "work 3", "work 4", "work 5", "work 6",
                                         "/f terminated"));
}

TEST_F(DeathWatchTest, WhateverTheReason) {
  auto failed = SpawnSilently("failed", {.supervisor = Directive::kStop});
  auto idle = SpawnSilently("idle", {.passivate_after = 1s});
  auto child = guard_.Ask(Name{"child"}).value();
  for (const auto& ref : {failed, idle, child}) EXPECT_TRUE(guard_.Ask(WatchThat{ref}).ok());

  failed.Tell(Crash{});
  child.Stop();
  Settle();
  Advance(1s);

  EXPECT_THAT(diary_.Take(), UnorderedElementsAre("/failed terminated", "/idle terminated",
                                                  "/guard/child terminated"));
}

TEST_F(DeathWatchTest, AfterAnUnwatchNoneComes) {
  auto actor = SpawnSilently("a");
  EXPECT_TRUE(guard_.Ask(WatchThat{actor}).ok());
  EXPECT_TRUE(guard_.Ask(UnwatchThat{actor}).ok());

  actor.Stop();
  Settle();

  EXPECT_THAT(diary_.Take(), IsEmpty());
}

TEST_F(DeathWatchTest, AnUnwatchOvertakesATerminatedThatWaits) {
  auto actor = SpawnSilently("a");
  EXPECT_TRUE(guard_.Ask(WatchThat{actor}).ok());
  EXPECT_TRUE(guard_.Suspend().ok());
  Settle();
  guard_.Tell(UnwatchThat{actor});

  actor.Stop();  // its Terminated waits behind the Unwatch
  Settle();
  EXPECT_TRUE(guard_.Reinstate().ok());
  Settle();

  EXPECT_THAT(diary_.Take(), IsEmpty());
  EXPECT_EQ(system_.dead_letters(), 0u);
}

TEST_F(DeathWatchTest, TheDeadAreToldOfAtOnce) {
  auto actor = SpawnSilently("a");
  actor.Stop();
  Settle();

  EXPECT_TRUE(guard_.Ask(WatchThat{actor}).ok());
  Settle();
  EXPECT_THAT(diary_.Take(), ElementsAre("/a terminated"));
  EXPECT_TRUE(guard_.Ask(WatchThat{actor}).ok());
  Settle();
  EXPECT_THAT(diary_.Take(), ElementsAre("/a terminated"));
}

TEST_F(DeathWatchTest, ARestartOfTheWatchedIsNoEnd) {
  auto actor = SpawnSilently("a");
  EXPECT_TRUE(guard_.Ask(WatchThat{actor}).ok());

  EXPECT_TRUE(actor.Restart().ok());
  Settle();
  EXPECT_THAT(diary_.Take(), IsEmpty());
  actor.Stop();
  Settle();

  EXPECT_THAT(diary_.Take(), ElementsAre("/a terminated"));
}

TEST_F(DeathWatchTest, ARestartOfTheWatcherEndsItsWatches) {
  auto actor = SpawnSilently("a");
  EXPECT_TRUE(guard_.Ask(WatchThat{actor}).ok());
  guard_.Tell(Fail{});
  Settle();

  actor.Stop();
  Settle();

  EXPECT_THAT(diary_.Take(), IsEmpty());
  EXPECT_EQ(system_.dead_letters(), 0u);
}

TEST_F(DeathWatchTest, AWatcherThatStopsLeavesNothingBehind) {
  auto actor = SpawnSilently("a");
  auto child = guard_.Ask(Name{"child"}).value();
  EXPECT_TRUE(guard_.Ask(WatchThat{actor}).ok());
  EXPECT_TRUE(guard_.Ask(WatchThat{child}).ok());

  guard_.Stop();
  Settle();
  actor.Stop();
  Settle();

  EXPECT_EQ(system_.dead_letters(), 0u);
}

TEST_F(DeathWatchTest, WhatTheDeadHadToldComesFirst) {
  struct TellerApi : Protocol<void(Name)> {};
  struct Teller : Actor<TellerApi> {
    explicit Teller(Ref<GuardApi> guard) : guard_(std::move(guard)) {}
    void On(const Name&, Context& context) {
      for (int i = 0; i < 3; ++i) guard_.Tell(Work{i});
      context.Stop();
    }
    void OnStop() { guard_.Tell(Work{3}); }
    Ref<GuardApi> guard_;
  };
  struct Watcher : Actor<Protocol<void(Work)>> {
    Watcher(Ref<TellerApi> target, Diary* diary) : target_(std::move(target)), diary_(diary) {}
    Status OnStart(Context& context) { return context.Watch(*this, target_); }
    void On(const Work& m) { diary_->Write("work " + std::to_string(m.number)); }
    void On(Terminated m) { diary_->Write(m.path + " terminated"); }
    Ref<TellerApi> target_;
    Diary* diary_;
  };
  auto teller = system_.Spawn<Teller>("teller", guard_).value();
  ASSERT_TRUE(system_.Spawn<Watcher>("watcher", teller, &others_).ok());
  Settle();

  teller.Tell(Name{});
  Settle();

  EXPECT_THAT(others_.Take(), ElementsAre("/teller terminated"));
  EXPECT_THAT(diary_.Take(), ElementsAre("work 0", "work 1", "work 2", "work 3"));
}

TEST_F(DeathWatchTest, AFullMailboxRefusesNoTerminated) {
  struct Watcher : Actor<Protocol<void(Work)>> {
    Watcher(Ref<LifeApi> target, Diary* diary) : target_(std::move(target)), diary_(diary) {}
    Status OnStart(Context& context) { return context.Watch(*this, target_); }
    void On(const Work& m) { diary_->Write("work " + std::to_string(m.number)); }
    void On(Terminated&& m) { diary_->Write(m.path + " terminated"); }
    Ref<LifeApi> target_;
    Diary* diary_;
  };
  auto target = SpawnSilently("target");
  SpawnOptions options;
  options.mailbox = BoundedMailbox(1);
  auto watcher = system_.Spawn<Watcher>(options, "watcher", target, &diary_).value();
  Settle();
  EXPECT_TRUE(watcher.Suspend().ok());
  Settle();
  EXPECT_EQ(watcher.Tell(Work{1}), Delivery::kAccepted);
  EXPECT_EQ(watcher.Tell(Work{2}), Delivery::kFull);

  target.Stop();
  Settle();
  EXPECT_TRUE(watcher.Reinstate().ok());
  Settle();

  EXPECT_THAT(diary_.Take(), ElementsAre("work 1", "/target terminated"));
}

TEST_F(DeathWatchTest, TheNameIsFreeWhenTerminatedArrives) {
  struct Nurse : Actor<Protocol<void(Name)>> {
    explicit Nurse(Diary* diary) : diary_(diary) {}
    Status OnStart(Context& context) { return Hire(context); }
    Status Hire(Context& context) {
      auto child =
          context.Spawn<LifeActor>({.supervisor = Directive::kStop}, "child", &silent_, "c");
      if (!child.ok()) return child.status();
      child_ = *child;
      return context.Watch(*this, child_);
    }
    void On(const Name&) { child_.Tell(Crash{}); }
    void On(const Terminated&, Context& context) {
      diary_->Write(Hire(context).ok() ? "hired" : "the name is taken");
    }
    Diary* diary_;
    Diary silent_;
    Ref<LifeApi> child_;
  };
  auto nurse = system_.Spawn<Nurse>("nurse", &diary_).value();
  for (int i = 0; i < 50; ++i) {
    nurse.Tell(Name{});
    Settle();
  }

  EXPECT_EQ(diary_.Take(), std::vector<std::string>(50, "hired"));
}

TEST_F(DeathWatchTest, RefusalsSayWhy) {
  EXPECT_EQ(guard_.Ask(WatchThat{}).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(guard_.Ask(WatchSelf{}).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(DeathWatchTest, AnActorWatchesSoManyAndNoMore) {
  struct Leaf : Actor<Protocol<void(Work)>> {
    void On(const Work&) {}
  };
  struct Hoarder : Actor<Protocol<void(Work)>> {
    explicit Hoarder(Diary* diary) : diary_(diary) {}
    void On(const Work&, Context& context) {
      auto leaf = context.Spawn<Leaf>("leaf").value();
      leaf.Stop();
      Status status;
      for (size_t i = 0; i < kWatchesPerActorMax && status.ok(); ++i) {
        status = context.Watch(*this, context.Spawn<Leaf>(std::to_string(i)).value());
      }
      EXPECT_TRUE(status.ok()) << status;
      EXPECT_EQ(context.Watch(*this, leaf).code(), absl::StatusCode::kResourceExhausted);
      diary_->Write("full");
    }
    void On(const Terminated&) {}
    Diary* diary_;
  };
  auto hoarder = system_.Spawn<Hoarder>("hoarder", &diary_).value();

  hoarder.Tell(Work{});
  Settle();

  EXPECT_THAT(diary_.Take(), ElementsAre("full"));
}

// Watches begin while their targets end on another worker: each is told exactly once.
TEST_F(DeathWatchTest, AWatchThatRacesTheEndIsToldOnce) {
  constexpr int kRounds = 2000;
  struct Leaf : Actor<Protocol<void(Work)>> {
    void On(const Work&) {}
  };
  struct CounterApi : Protocol<void(Work), int(Fail)> {};
  struct Counter : Actor<CounterApi> {
    explicit Counter(System* system) : system_(system) {}
    void On(const Work& m, Context& context) {
      auto leaf = system_->Spawn<Leaf>("leaf" + std::to_string(m.number)).value();
      leaf.Stop();
      EXPECT_TRUE(context.Watch(*this, leaf).ok());
    }
    int On(const Fail&) { return told_; }
    void On(const Terminated&) { ++told_; }
    System* system_;
    int told_ = 0;
  };
  auto counter = system_.Spawn<Counter>("counter", &system_).value();

  for (int i = 0; i < kRounds; ++i) counter.Tell(Work{i});
  Settle();

  EXPECT_EQ(counter.Ask(Fail{}).value(), kRounds);
}

}  // namespace
}  // namespace quern
