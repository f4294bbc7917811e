#include "quern/runtime/grain.h"

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "grain_test_kit.h"

namespace quern::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class GrainTest : public ::testing::Test {
 protected:
  GrainTest() { Scene::current = &scene_; }
  ~GrainTest() override {
    system_.Stop();
    Scene::current = nullptr;
  }

  void SetUp() override { ASSERT_TRUE(system_.Host<Tally>().ok()); }

  Ref<TallyApi> Tallied(std::string_view key) { return system_.Grain<TallyApi>(key); }
  Journal& journal() { return scene_.journal; }
  // A reply is there before the turn that sent it has ended: time stands until it has.
  void Advance(Duration by) {
    system_.WaitUntilQuiet();
    clock_.Advance(by);
  }

  Scene scene_;
  ManualClock clock_;
  System system_{SystemOptions{.name = "grains", .workers = 2, .clock = &clock_}};
};

TEST_F(GrainTest, TheFirstMessageActivatesAndTheNextFindsItThere) {
  EXPECT_EQ(Tallied("a").Ask(Add{2}).value(), 2);
  EXPECT_EQ(Tallied("a").Ask(Add{3}).value(), 5);

  EXPECT_EQ(journal().Text(), "made, activated");
}

TEST_F(GrainTest, EachKeyIsAGrainOfItsOwn) {
  EXPECT_EQ(Tallied("a").Ask(Add{2}).value(), 2);

  EXPECT_EQ(Tallied("b").Ask(Get{}).value(), 0);
  EXPECT_EQ(Tallied("a/b").Ask(Get{}).value(), 0);
}

TEST_F(GrainTest, ItsAddressIsMadeOnceAndKept) {
  const auto grain = Tallied("a");

  EXPECT_EQ(grain.path_view(), "tally/a");
  EXPECT_EQ(grain.path_view().data(), Ref<TallyApi>(grain).path_view().data());
  EXPECT_EQ(grain.path(), "tally/a");
}

TEST_F(GrainTest, AHundredFirstCallsAtOnceActivateOnce) {
  constexpr int kThreads = 10;
  constexpr int kCalls = 10;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kCalls; ++i) EXPECT_TRUE(Tallied("busy").Ask(Add{1}).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(Tallied("busy").Ask(Get{}).value(), kThreads * kCalls);
  EXPECT_EQ(journal().Text(), "made, activated");
}

TEST_F(GrainTest, MessagesWaitUntilOnActivateHasReturned) {
  scene_.stage.Lock();
  scene_.on_activate = [&] {
    FiberMutexLock lock(scene_.stage);
    scene_.journal.Add("ready");
    return absl::OkStatus();
  };
  EXPECT_EQ(Tallied("a").Tell(Note{"one"}), Delivery::kAccepted);
  EXPECT_EQ(Tallied("a").Tell(Note{"two"}), Delivery::kAccepted);

  scene_.stage.Unlock();

  EXPECT_EQ(journal().Await(5), "made, activated, ready, one, two");
}

TEST_F(GrainTest, AFailedActivationAnswersEveryoneAndTheNextCallTriesAgain) {
  scene_.on_activate = [] { return absl::FailedPreconditionError("not today"); };
  const Status refused = Tallied("a").Ask(Get{}).status();
  scene_.on_activate = nullptr;

  const StatusOr<int64_t> served = Tallied("a").Ask(Get{});

  EXPECT_EQ(refused, absl::FailedPreconditionError("activate tally/a: not today"));
  EXPECT_TRUE(served.ok()) << served.status();
  EXPECT_EQ(journal().Text(), "made, activated, destroyed, made, activated");
}

TEST_F(GrainTest, AnUnknownKindAndAMalformedKeyAreSaid) {
  const Status unknown = system_.Grain<TallyApi>("a", "nobody").Ask(Get{}).status();
  const Status malformed = Tallied("two\nlines").Ask(Get{}).status();

  EXPECT_EQ(OutcomeOf(unknown), "NOT_FOUND");
  EXPECT_EQ(OutcomeOf(malformed), "INVALID_ARGUMENT");
}

TEST_F(GrainTest, AKindIsHostedOnceUnderAValidNameWithPositiveTimeouts) {
  EXPECT_EQ(OutcomeOf(system_.Host<Tally>()), "ALREADY_EXISTS");
  EXPECT_EQ(OutcomeOf(system_.Host<Tally>({.kind = "Two Words"})), "INVALID_ARGUMENT");
  EXPECT_EQ(OutcomeOf(system_.Host<Tally>({.kind = "t", .idle_timeout = seconds(0)})),
            "INVALID_ARGUMENT");
  EXPECT_EQ(OutcomeOf(system_.Host<Tally>({.kind = "t", .state_timeout = seconds(0)})),
            "INVALID_ARGUMENT");
}

TEST_F(GrainTest, TheKindCanBeOverriddenAtBothPlaces) {
  ASSERT_TRUE(system_.Host<Tally>({.kind = "other"}).ok());
  EXPECT_EQ(Tallied("a").Ask(Add{2}).value(), 2);

  EXPECT_EQ(system_.Grain<TallyApi>("a", "other").Ask(Get{}).value(), 0);
}

TEST_F(GrainTest, AnIdleGrainIsDeactivatedAndComesBackWithItsState) {
  EXPECT_EQ(Tallied("a").Ask(Add{7}).value(), 7);

  Advance(minutes(2) + seconds(1));

  EXPECT_EQ(journal().Await(4), "made, activated, deactivated OK, destroyed");
  EXPECT_EQ(Tallied("a").Ask(Get{}).value(), 7);
  EXPECT_EQ(journal().Text(), "made, activated, deactivated OK, destroyed, made, activated");
}

TEST_F(GrainTest, AMessageKeepsAGrainFromIdling) {
  ASSERT_TRUE(Tallied("a").Ask(Get{}).ok());
  Advance(seconds(100));
  ASSERT_TRUE(Tallied("a").Ask(Get{}).ok());

  Advance(seconds(100));
  system_.WaitUntilQuiet();

  EXPECT_EQ(journal().Text(), "made, activated");
  Advance(seconds(30));
  EXPECT_EQ(journal().Await(4), "made, activated, deactivated OK, destroyed");
}

TEST_F(GrainTest, AShortIdleTimeoutIsLookedAtEvery100MillisecondsWhileMessagesCome) {
  ASSERT_TRUE(system_.Host<Tally>({.kind = "brief", .idle_timeout = milliseconds(10)}).ok());
  const auto grain = system_.Grain<TallyApi>("a", "brief");
  ASSERT_TRUE(grain.Ask(Get{}).ok());
  Advance(milliseconds(5));
  ASSERT_TRUE(grain.Ask(Get{}).ok());

  Advance(milliseconds(5));  // the timer finds that message, and comes again
  system_.WaitUntilQuiet();
  Advance(milliseconds(99));
  system_.WaitUntilQuiet();

  EXPECT_EQ(journal().Text(), "made, activated");
  Advance(milliseconds(1));
  EXPECT_EQ(journal().Await(4), "made, activated, deactivated OK, destroyed");
}

TEST_F(GrainTest, ALongHandlerIsNotIdleness) {
  scene_.stage.Lock();
  Tallied("a").Tell(Wait{});
  journal().Await(3);

  Advance(minutes(10));
  system_.WaitUntilQuiet();
  scene_.stage.Unlock();

  EXPECT_TRUE(Tallied("a").Ask(Get{}).ok());
  system_.WaitUntilQuiet();
  EXPECT_EQ(journal().Text(), "made, activated, waits");
}

TEST_F(GrainTest, DeactivateSoonEndsItAfterTheHandler) {
  EXPECT_TRUE(Tallied("a").Ask(Leave{}).ok());

  EXPECT_EQ(journal().Await(4), "made, activated, deactivated OK, destroyed");
}

TEST_F(GrainTest, AMessageThatMeetsADeactivatingGrainReachesTheNextActivationInOrder) {
  scene_.stage.Lock();
  scene_.on_deactivate = [&](Status) {
    scene_.journal.Add("leaving");
    FiberMutexLock lock(scene_.stage);
  };
  Tallied("a").Tell(Leave{});
  journal().Await(4);
  for (const char* text : {"one", "two", "three"}) {
    EXPECT_EQ(Tallied("a").Tell(Note{text}), Delivery::kAccepted);
  }

  scene_.stage.Unlock();

  EXPECT_EQ(
      journal().Await(10),
      "made, activated, deactivated OK, leaving, destroyed, made, activated, one, two, three");
}

TEST_F(GrainTest, NoMoreThanABoundedNumberWaitForAGrainOnItsWayOut) {
  scene_.stage.Lock();
  scene_.on_deactivate = [&](const Status&) { FiberMutexLock lock(scene_.stage); };
  Tallied("a").Tell(Leave{});
  journal().Await(3);
  const Ref<TallyApi> leaving = Tallied("a");
  size_t accepted = 0;
  while (leaving.Tell(Get{}) == Delivery::kAccepted) ++accepted;

  const Status full = leaving.Ask(Get{}).status();
  scene_.stage.Unlock();

  EXPECT_EQ(accepted, kGrainWaitingMax);
  EXPECT_EQ(OutcomeOf(full), "RESOURCE_EXHAUSTED");
  EXPECT_EQ(journal().Await(6), "made, activated, deactivated OK, destroyed, made, activated");
  EXPECT_TRUE(leaving.Ask(Get{}).ok());
}

TEST_F(GrainTest, WhatIsQueuedBehindTheLastHandlerReachesTheNextActivationFirst) {
  scene_.stage.Lock();
  Tallied("a").Tell(Wait{});
  journal().Await(3);
  Tallied("a").Tell(Leave{});
  Tallied("a").Tell(Note{"one"});
  Tallied("a").Tell(Note{"two"});

  scene_.stage.Unlock();

  EXPECT_EQ(journal().Await(9),
            "made, activated, waits, deactivated OK, destroyed, made, activated, one, two");
}

TEST_F(GrainTest, AHandlerThatThrowsEndsTheActivationAndTheNextCallStartsAFreshOne) {
  const Status thrown = Tallied("a").Ask(Throw{});

  EXPECT_EQ(thrown.code(), absl::StatusCode::kUnknown);
  EXPECT_TRUE(Tallied("a").Ask(Get{}).ok());
  EXPECT_EQ(journal().Text(), "made, activated, deactivated UNKNOWN, destroyed, made, activated");
}

TEST_F(GrainTest, AnOnActivateThatThrowsFailsTheActivation) {
  scene_.on_activate = []() -> Status { throw std::runtime_error("no"); };

  EXPECT_EQ(OutcomeOf(Tallied("a").Ask(Get{})), "UNKNOWN");
  EXPECT_EQ(journal().Text(), "made, activated, destroyed");
}

TEST_F(GrainTest, AnOnDeactivateThatThrowsStillEndsTheActivation) {
  scene_.on_deactivate = [](const Status&) { throw std::runtime_error("no"); };
  EXPECT_TRUE(Tallied("a").Ask(Leave{}).ok());

  EXPECT_EQ(journal().Await(4), "made, activated, deactivated OK, destroyed");
  EXPECT_TRUE(Tallied("a").Ask(Get{}).ok());
}

TEST_F(GrainTest, StopDeactivatesEveryGrainAndRefusesNewOnes) {
  ASSERT_TRUE(Tallied("a").Ask(Get{}).ok());

  system_.Stop();

  EXPECT_EQ(journal().Text(), "made, activated, deactivated CANCELLED, destroyed");
  EXPECT_EQ(OutcomeOf(Tallied("b").Ask(Get{})), "UNAVAILABLE");
}

TEST_F(GrainTest, AGrainThatAsksItselfIsToldOfTheCycle) {
  struct Selfish : Grain<TallyApi> {
    StatusOr<int64_t> On(const Add&) { return Self().Ask(Get{}); }
    int64_t On(const Get&) { return 1; }
    void On(const Note&) {}
    void On(const Wait&) {}
    void On(const Throw&) {}
    void On(const Leave&) {}
    void On(const Forget&) {}
    int64_t On(const Disobey&) { return 0; }
    void On(const Peer&) {}
    std::string On(const WhichEpoch&) { return ""; }
  };
  ASSERT_TRUE(system_.Host<Selfish>({.kind = "selfish"}).ok());

  const Status cycle = system_.Grain<TallyApi>("a", "selfish").Ask(Add{}).status();

  EXPECT_EQ(OutcomeOf(cycle), "FAILED_PRECONDITION ask_cycle") << cycle;
}

TEST_F(GrainTest, GrainsTellOneAnother) {
  Tallied("a").Tell(Peer{"b"});

  EXPECT_EQ(journal().Await(5), "made, activated, made, activated, from a");
}

TEST_F(GrainTest, ATickReachesTheActivationAndEndsWithIt) {
  struct Ticking : Tally {
    Status OnActivate() override {
      Every(seconds(1), Note{"tick"});
      After(milliseconds(500), Note{"once"});
      return absl::OkStatus();
    }
  };
  ASSERT_TRUE(system_.Host<Ticking>({.kind = "ticking"}).ok());
  const Ref<TallyApi> ticking = system_.Grain<TallyApi>("a", "ticking");
  ASSERT_TRUE(ticking.Ask(Get{}).ok());

  Advance(seconds(1));
  EXPECT_EQ(journal().Await(3), "made, once, tick");
  ASSERT_TRUE(ticking.Ask(Leave{}).ok());
  journal().Await(5);
  Advance(seconds(5));
  system_.WaitUntilQuiet();

  EXPECT_EQ(journal().Text(), "made, once, tick, deactivated OK, destroyed");
}

TEST(PlainGrainTest, OutsideASystemItIsAnOrdinaryObject) {
  struct Plain : Tally {
    bool HasSelf() const { return static_cast<bool>(Self()); }
    std::string Name() const { return id().ToString() + epoch().ToString(); }
    TimerId Tick() { return After(seconds(1), Note{}); }
  };
  Plain grain;

  EXPECT_EQ(grain.On(Add{.amount = 4, .source = "s", .sequence = 1}).value(), 4);
  EXPECT_EQ(grain.On(Add{.amount = 4, .source = "s", .sequence = 1}).value(), 4);
  EXPECT_TRUE(grain.total.exists());
  EXPECT_TRUE(grain.On(Forget{}).ok());
  EXPECT_EQ(grain.On(Get{}), 0);
  EXPECT_FALSE(grain.HasSelf());
  EXPECT_EQ(grain.Tick(), 0u);
  EXPECT_EQ(grain.Name(), "/0.0.0.0");
}

}  // namespace
}  // namespace quern::testing
