#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "life_test_kit.h"

namespace quern {
namespace {

using ::testing::ElementsAre;
using namespace std::chrono_literals;

struct Ping {};

// --- Starting -----------------------------------------------------------------------------------

class StartTest : public LifeTest {};

struct TryApi : Protocol<int(Ping)> {};
// Starts at the `good`th try.
struct Try : Actor<TryApi> {
  Try(std::atomic<int>* tries, int good) : tries_(tries), good_(good) {}
  Status OnStart() {
    return ++*tries_ == good_ ? absl::OkStatus() : absl::UnavailableError("not yet");
  }
  int On(const Ping&, Context& context) { return static_cast<int>(context.restarts()); }
  std::atomic<int>* tries_;
  const int good_;
};

TEST_F(StartTest, AStartIsTriedFiveTimesThenTheNameIsFree) {
  std::atomic<int> tries{0};
  auto failed = system_.events().Subscribe<ActorFailed>().value();
  auto stopped = system_.events().Subscribe<ActorStopped>().value();
  auto never = system_.Spawn<Try>("a", &tries, 0).value();
  Settle();
  for (Duration pause : {50ms, 100ms, 200ms, 400ms}) Advance(pause);

  EXPECT_EQ(tries, 5);
  EXPECT_EQ(never.Ask(Ping{}).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(failed.Next().value().why.message(), "not yet");
  EXPECT_EQ(stopped.Next().value().path, "/a");
  EXPECT_TRUE(system_.Spawn<Try>("a", &tries, 6).ok());
  Settle();  // it has counted its try
}

TEST_F(StartTest, ATryThatSucceedsIsAStartAndNoRestart) {
  std::atomic<int> tries{0};
  auto started = system_.events().Subscribe<ActorStarted>().value();
  auto third = system_.Spawn<Try>("a", &tries, 3).value();
  Settle();
  Advance(50ms);
  Advance(100ms);

  EXPECT_EQ(third.Ask(Ping{}).value(), 0);
  EXPECT_EQ(tries, 3);
  EXPECT_EQ(started.TryNext().value().path, "/a");
}

TEST_F(StartTest, TriesAndTimeAreOptions) {
  std::atomic<int> twice{0};
  std::atomic<int> hurried{0};
  ASSERT_TRUE(system_.Spawn<Try>({.start_tries = 2}, "a", &twice, 0).ok());
  ASSERT_TRUE(system_.Spawn<Try>({.start_timeout = 200ms}, "b", &hurried, 0).ok());
  Settle();
  for (Duration pause : {50ms, 100ms, 200ms, 400ms}) Advance(pause);

  EXPECT_EQ(twice, 2);
  EXPECT_EQ(hurried, 3);  // at 0, 50 and 150 ms; the next would be at 350 ms
}

TEST_F(StartTest, WhatOnStartAsksIsBoundedByTheTimeout) {
  struct Deaf : Actor<TryApi> {
    int On(const Ping&, Context& context) { return context.Sleep(1h).ok() ? 1 : 0; }
  };
  struct Asker : Actor<TryApi> {
    explicit Asker(Ref<TryApi> deaf) : deaf_(std::move(deaf)) {}
    Status OnStart() { return deaf_.Ask(Ping{}, 1h).status(); }
    int On(const Ping&) { return 0; }
    Ref<TryApi> deaf_;
  };
  auto deaf = system_.Spawn<Deaf>("deaf").value();
  auto asker = system_.Spawn<Asker>({.start_tries = 1, .start_timeout = 1s}, "asker", deaf).value();
  Settle();
  Advance(1s);

  EXPECT_EQ(asker.Ask(Ping{}).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(StartTest, AStopRuleEndsTheTriesAndAConstructorMayThrowAnything) {
  struct Broken : Actor<TryApi> {
    explicit Broken(std::atomic<int>* made) {
      ++*made;
      throw 7;
    }
    int On(const Ping&) { return 0; }
  };
  std::atomic<int> made{0};
  ASSERT_TRUE(system_.Spawn<Broken>({.supervisor = Directive::kStop}, "a", &made).ok());
  Settle();
  EXPECT_EQ(made, 1);
  ASSERT_TRUE(system_.Spawn<Broken>({.start_tries = 3}, "a", &made).ok());
  Settle();
  Advance(50ms);
  Advance(100ms);
  EXPECT_EQ(made, 4);

  EXPECT_EQ(logger_.Count("actor failed and stops"), 2u);
}

// --- Restart, suspend, reinstate
// ------------------------------------------------------------------

class OrderTest : public LifeTest {};

TEST_F(OrderTest, ARestartKeepsSubtreeRefsAndMailbox) {
  auto boss = Spawn("boss");
  auto child = SpawnUnder(boss, "child");
  auto grandchild = SpawnUnder(child, "grandchild");
  EXPECT_EQ(CountOf(grandchild), 1);

  EXPECT_TRUE(boss.Restart().ok());
  Settle();

  EXPECT_THAT(
      diary_.Take(),
      ElementsAre("boss stopped", "boss gone", "boss started", "child stopped", "child gone",
                  "child started", "grandchild stopped", "grandchild gone", "grandchild started"));
  for (const auto& ref : {boss, child, grandchild}) {
    EXPECT_EQ(CountOf(ref), 1);
    EXPECT_EQ(ref.Ask(Restarts{}).value(), 1);
  }
}

TEST_F(OrderTest, AnActorMayRestartItselfFromItsOwnHandler) {
  auto actor = Spawn("a");
  EXPECT_EQ(CountOf(actor), 1);

  actor.Tell(OrderSelf{OrderSelf::kRestart});

  EXPECT_EQ(CountOf(actor), 1);
  EXPECT_THAT(diary_.Take(), ElementsAre("a stopped", "a gone", "a started"));
}

TEST_F(OrderTest, ASuspendedActorKeepsItsMailAndItsObject) {
  auto suspended = system_.events().Subscribe<ActorSuspended>().value();
  auto reinstated = system_.events().Subscribe<ActorReinstated>().value();
  auto actor = Spawn("a");
  EXPECT_EQ(CountOf(actor), 1);

  EXPECT_TRUE(actor.Suspend().ok());
  Settle();
  EXPECT_EQ(actor.Tell(Count{}), Delivery::kAccepted);
  Settle();
  EXPECT_EQ(suspended.TryNext().value().path, "/a");
  EXPECT_TRUE(actor.Reinstate().ok());

  EXPECT_EQ(CountOf(actor), 3);
  EXPECT_EQ(reinstated.TryNext().value().path, "/a");
}

TEST_F(OrderTest, AnAskOfASuspendedActorWaitsForItsDeadline) {
  auto actor = Spawn("a");
  actor.Tell(OrderSelf{OrderSelf::kSuspend});
  Settle();
  struct AskerApi : Protocol<void(Ping)> {};
  struct Asker : Actor<AskerApi> {
    Asker(Ref<LifeApi> target, Diary* diary) : target_(std::move(target)), diary_(diary) {}
    void On(const Ping&) {
      diary_->Write(
          std::string(absl::StatusCodeToString(target_.Ask(Count{}, 1s).status().code())));
    }
    Ref<LifeApi> target_;
    Diary* diary_;
  };
  auto asker = system_.Spawn<Asker>("asker", actor, &diary_).value();

  asker.Tell(Ping{});
  Settle();
  Advance(1s);

  EXPECT_THAT(diary_.Take(), ElementsAre("DEADLINE_EXCEEDED"));
}

TEST_F(OrderTest, TheLastOrderCounts) {
  auto actor = Spawn("a");

  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(actor.Suspend().ok());
    EXPECT_TRUE(actor.Reinstate().ok());
  }
  EXPECT_EQ(CountOf(actor), 1);
  EXPECT_TRUE(actor.Restart().ok());
  EXPECT_TRUE(actor.Suspend().ok());
  Settle();
  actor.Tell(Count{});
  Settle();
  EXPECT_TRUE(actor.Reinstate().ok());
  EXPECT_EQ(CountOf(actor), 2);
}

TEST_F(OrderTest, ARestartEndsASuspensionAndRunsOnStop) {
  auto actor = Spawn("a");
  EXPECT_TRUE(actor.Suspend().ok());
  Settle();

  EXPECT_TRUE(actor.Restart().ok());

  EXPECT_EQ(CountOf(actor), 1);
  EXPECT_THAT(diary_.Take(), ElementsAre("a stopped", "a gone", "a started"));
}

// Also one that never had a child: it would outlive the object that has spawned it.
TEST_F(OrderTest, WhatOnStopSpawnsInARestartIsRefused) {
  struct Late : Actor<TryApi> {
    explicit Late(std::atomic<int>* refused) : refused_(refused) {}
    void OnStop(Context& context) {
      const Status spawned = context.Spawn<Late>("child", refused_).status();
      if (absl::IsUnavailable(spawned)) ++*refused_;
    }
    int On(const Ping&, Context& context) { return static_cast<int>(context.restarts()); }
    std::atomic<int>* refused_;
  };
  std::atomic<int> refused{0};
  auto actor = system_.Spawn<Late>("a", &refused).value();

  EXPECT_TRUE(actor.Restart().ok());
  EXPECT_EQ(actor.Ask(Ping{}).value(), 1);
  EXPECT_TRUE(actor.Restart().ok());
  EXPECT_EQ(actor.Ask(Ping{}).value(), 2);

  EXPECT_EQ(refused, 2);
  EXPECT_FALSE(system_.Find<TryApi>("/a/child").ok());
  actor.Stop();
  Settle();  // it has counted once more
  EXPECT_EQ(refused, 3);
}

TEST_F(OrderTest, ASuspendedActorStops) {
  auto actor = Spawn("a");
  EXPECT_TRUE(actor.Suspend().ok());
  Settle();
  actor.Tell(Count{});

  actor.Stop();
  Settle();

  EXPECT_THAT(diary_.Take(), ElementsAre("a stopped", "a gone"));
  EXPECT_EQ(system_.dead_letters(), 1u);
}

TEST_F(OrderTest, RefusalsSayWhy) {
  struct Owner : Actor<TryApi> {
    explicit Owner(std::unique_ptr<int> value) : value_(std::move(value)) {}
    int On(const Ping&) { return *value_; }
    std::unique_ptr<int> value_;
  };
  auto owner = system_.Spawn<Owner>("owner", std::make_unique<int>(7)).value();
  auto gone = Spawn("gone");
  gone.Stop();
  Settle();

  EXPECT_EQ(owner.Restart().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(owner.Ask(Ping{}).value(), 7);
  EXPECT_EQ(gone.Restart().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(gone.Suspend().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(gone.Reinstate().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Ref<LifeApi>().Restart().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace quern
