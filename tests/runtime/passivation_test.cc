#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "life_test_kit.h"

namespace quern {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

class PassivationTest : public LifeTest {};

struct PauseIt {
  bool pause;
};
struct PausableApi : Protocol<int(Count), void(PauseIt)> {};
struct Pausable : Actor<PausableApi> {
  int On(const Count&) { return ++count_; }
  void On(const PauseIt& m, Context& context) {
    m.pause ? context.PausePassivation() : context.ResumePassivation();
  }
  int count_ = 0;
};

TEST_F(PassivationTest, AnIdleActorStopsWithItsChildrenAndSaysSo) {
  auto events = system_.events().Subscribe<ActorPassivated>().value();
  auto actor = Spawn("a", {.passivate_after = 1s});
  SpawnUnder(actor, "child");

  Advance(1s);

  EXPECT_THAT(diary_.Take(), ElementsAre("child stopped", "child gone", "a stopped", "a gone"));
  EXPECT_EQ(events.TryNext().value().path, "/a");
  EXPECT_EQ(actor.Tell(Count{}), Delivery::kStopped);
  EXPECT_TRUE(system_.Spawn<LifeActor>("a", &diary_, "a").ok());
}

TEST_F(PassivationTest, MessagesKeepAnActor) {
  auto actor = Spawn("a", {.passivate_after = 200ms});

  for (int i = 1; i <= 20; ++i) {
    Advance(100ms);
    EXPECT_EQ(CountOf(actor), i);
    Settle();
  }
  Advance(200ms);

  EXPECT_EQ(CountOf(actor), -1);
}

TEST_F(PassivationTest, ATouchThatIsLeftOutNeverShortensTheIdleTime) {
  auto actor = Spawn("a", {.passivate_after = 1s});
  Advance(90ms);
  EXPECT_EQ(CountOf(actor), 1);  // within 100 ms of the start: not noted
  Settle();

  Advance(999ms);
  EXPECT_THAT(diary_.Take(), IsEmpty());
  Advance(11ms);  // at most 100 ms late

  EXPECT_THAT(diary_.Take(), ElementsAre("a stopped", "a gone"));
}

TEST_F(PassivationTest, AfterItsCountOfMessagesTheNextIsRefused) {
  auto actor = Spawn("a", {.passivate_after_messages = 2});

  EXPECT_EQ(CountOf(actor), 1);
  EXPECT_EQ(CountOf(actor), 2);
  Settle();

  EXPECT_EQ(actor.Tell(Count{}), Delivery::kStopped);
  EXPECT_THAT(diary_.Take(), ElementsAre("a stopped", "a gone"));
}

TEST_F(PassivationTest, WhatIsQueuedBehindTheLastMessageIsDeadLettered) {
  auto actor = Spawn("a", {.passivate_after_messages = 2});
  EXPECT_TRUE(actor.Suspend().ok());
  Settle();
  for (int i = 0; i < 5; ++i) actor.Tell(Count{});

  EXPECT_TRUE(actor.Reinstate().ok());
  Settle();

  EXPECT_EQ(system_.dead_letters(), 3u);
}

TEST_F(PassivationTest, NeverIsTheDefault) {
  auto actor = Spawn("a");

  Advance(24h * 365);

  EXPECT_EQ(CountOf(actor), 1);
}

TEST_F(PassivationTest, PausedItWaitsForTheResumption) {
  auto actor = system_.Spawn<Pausable>({.passivate_after = 1s}, "a").value();
  EXPECT_TRUE(actor.Ask(PauseIt{true}).ok());
  Settle();
  Advance(1h);
  EXPECT_EQ(actor.Ask(Count{}).value(), 1);

  EXPECT_TRUE(actor.Ask(PauseIt{false}).ok());
  Settle();
  Advance(999ms);
  EXPECT_EQ(actor.Ask(Count{}).value(), 2);
  Settle();
  Advance(1s);
  EXPECT_EQ(actor.Tell(Count{}), Delivery::kStopped);
}

TEST_F(PassivationTest, ACountThatWasReachedInAPauseTakesEffectAtItsEnd) {
  auto actor = system_.Spawn<Pausable>({.passivate_after_messages = 2}, "a").value();
  EXPECT_TRUE(actor.Ask(PauseIt{true}).ok());
  for (int i = 1; i <= 5; ++i) EXPECT_EQ(actor.Ask(Count{}).value(), i);

  EXPECT_TRUE(actor.Ask(PauseIt{false}).ok());
  Settle();

  EXPECT_EQ(actor.Tell(Count{}), Delivery::kStopped);
}

TEST_F(PassivationTest, ASuspendedActorStaysAndCountsAnewWhenReinstated) {
  auto actor = Spawn("a", {.passivate_after = 1s});
  EXPECT_TRUE(actor.Suspend().ok());
  Settle();
  Advance(1h);

  EXPECT_TRUE(actor.Reinstate().ok());
  Settle();
  Advance(999ms);
  EXPECT_THAT(diary_.Take(), IsEmpty());
  Advance(1ms);
  EXPECT_THAT(diary_.Take(), ElementsAre("a stopped", "a gone"));
}

TEST_F(PassivationTest, AFailureThatIsResumedIsNotPassivatedInTheSameInstant) {
  auto actor = Spawn("a", {.supervisor = Directive::kResume, .passivate_after = 200ms});
  clock_.AdvanceBy(199ms);
  actor.Tell(Crash{});
  Settle();

  Advance(1ms);
  EXPECT_EQ(CountOf(actor), 1);
  Settle();
  Advance(199ms);
  EXPECT_THAT(diary_.Take(), IsEmpty());
}

TEST_F(PassivationTest, ARestartedActorIsPassivatedToo) {
  auto actor = Spawn("a", {.passivate_after = 1s});
  EXPECT_TRUE(actor.Restart().ok());
  Settle();
  diary_.Take();

  Advance(1s);

  EXPECT_THAT(diary_.Take(), ElementsAre("a stopped", "a gone"));
}

}  // namespace
}  // namespace quern
