// Tries and the time limit of an activation, what ends one, what a grain is made from.

#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "grain_test_kit.h"
#include "quern/runtime/fiber_group.h"

namespace quern::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class GrainActivationTest : public ::testing::Test {
 protected:
  GrainActivationTest() { Scene::current = &scene_; }
  ~GrainActivationTest() override {
    system_.Stop();
    Scene::current = nullptr;
  }

  Ref<TallyApi> Hosted(std::string_view kind, GrainOptions options) {
    options.kind = kind;
    EXPECT_TRUE(system_.Host<Tally>(std::move(options)).ok());
    return system_.Grain<TallyApi>("a", kind);
  }
  // From a thread of its own, so that the test may move the clock meanwhile.
  std::future<StatusOr<int64_t>> AskFromAside(Ref<TallyApi> grain) {
    return std::async(std::launch::async, [grain] { return grain.Ask(Get{}, minutes(1)); });
  }
  void Advance(Duration by) {
    system_.WaitUntilQuiet();
    clock_.Advance(by);
  }
  Journal& journal() { return scene_.journal; }

  Scene scene_;
  ManualClock clock_;
  System system_{SystemOptions{.name = "activation", .workers = 2, .clock = &clock_}};
};

TEST_F(GrainActivationTest, OneThatMayPassIsTriedAgainWithAFreshObjectAfterAPauseThatDoubles) {
  const Ref<TallyApi> grain = Hosted("eager", {.activate_tries = 4});
  int tries = 0;
  scene_.on_activate = [&] {
    return ++tries < 3 ? absl::UnavailableError("warming up") : absl::OkStatus();
  };
  std::future<StatusOr<int64_t>> asked = AskFromAside(grain);

  EXPECT_EQ(journal().Await(3), "made, activated, destroyed");
  Advance(milliseconds(50));
  EXPECT_EQ(journal().Await(6), "made, activated, destroyed, made, activated, destroyed");
  Advance(milliseconds(99));
  system_.WaitUntilQuiet();
  EXPECT_EQ(tries, 2);
  Advance(milliseconds(1));

  EXPECT_TRUE(asked.get().ok());
  EXPECT_EQ(tries, 3);
}

TEST_F(GrainActivationTest, AfterTheLastTryEverybodyWhoWaitsIsToldWhyAndTheNextCallTriesAgain) {
  const Ref<TallyApi> grain = Hosted("twice", {.activate_tries = 2});
  scene_.on_activate = []() -> Status { throw std::runtime_error("no table"); };
  std::vector<std::future<StatusOr<int64_t>>> asked;
  for (int i = 0; i < 5; ++i) asked.push_back(AskFromAside(grain));
  while (system_.Peek<TallyApi>("a", "twice").value_or(GrainInfo{}).messages < 5) {
    std::this_thread::yield();
  }

  Advance(milliseconds(50));

  for (auto& one : asked) {
    const Status refused = one.get().status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kUnknown);
    EXPECT_EQ(refused.message(), "activate twice/a: twice/a threw: no table");
  }
  scene_.on_activate = nullptr;
  EXPECT_TRUE(grain.Ask(Get{}).ok());
}

TEST_F(GrainActivationTest, AnErrorThatIsAnAnswerIsNotTriedAgain) {
  const Ref<TallyApi> grain = Hosted("strict", {.activate_tries = 5});
  int tries = 0;
  scene_.on_activate = [&] {
    ++tries;
    return absl::FailedPreconditionError("closed for good");
  };

  EXPECT_EQ(OutcomeOf(grain.Ask(Get{})), "FAILED_PRECONDITION");

  EXPECT_EQ(tries, 1);
}

TEST_F(GrainActivationTest, OneThatSleepsPastTheLimitIsCancelledAndAnsweredSo) {
  const Ref<TallyApi> grain =
      Hosted("sleepy", {.activate_tries = 3, .activate_timeout = seconds(2)});
  scene_.on_activate = [] { return SleepFor(minutes(5)); };
  std::future<StatusOr<int64_t>> asked = AskFromAside(grain);
  journal().Await(2);

  Advance(seconds(2));

  const Status late = asked.get().status();
  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_NE(std::string(late.message()).find("activate_timeout of 2000 ms (tries: 1)"),
            std::string::npos)
      << late;
  scene_.on_activate = nullptr;
  EXPECT_TRUE(grain.Ask(Get{}).ok());
}

TEST_F(GrainActivationTest, TheLimitEndsAPauseBetweenTwoTries) {
  const Ref<TallyApi> grain =
      Hosted("hasty", {.activate_tries = 9, .activate_timeout = milliseconds(60)});
  scene_.on_activate = [] { return absl::UnavailableError("down"); };
  std::future<StatusOr<int64_t>> asked = AskFromAside(grain);
  journal().Await(3);
  Advance(milliseconds(50));
  journal().Await(6);

  Advance(milliseconds(10));

  EXPECT_EQ(OutcomeOf(asked.get()), "DEADLINE_EXCEEDED");
}

TEST_F(GrainActivationTest, AnAskInOnActivateEndsWithTheLimit) {
  Hosted("slow", {});
  const Ref<TallyApi> slow = system_.Grain<TallyApi>("never", "slow");
  const Ref<TallyApi> grain = Hosted("needy", {.activate_timeout = seconds(1)});
  scene_.stage.Lock();
  bool inner = false;
  Status heard;
  scene_.on_activate = [&] {
    if (std::exchange(inner, true)) return absl::OkStatus();
    heard = slow.Ask(Wait{}, minutes(1));
    return heard;
  };
  std::future<StatusOr<int64_t>> asked = AskFromAside(grain);
  journal().Await(5);

  Advance(seconds(1));

  EXPECT_EQ(OutcomeOf(asked.get()), "DEADLINE_EXCEEDED");
  EXPECT_FALSE(heard.ok());
  scene_.stage.Unlock();
}

TEST_F(GrainActivationTest, OneThatSucceedsLateIsStillASuccessAndMayWaitAgain) {
  const Ref<TallyApi> grain = Hosted("calm", {.activate_timeout = seconds(1)});
  scene_.on_activate = [] {
    (void)SleepFor(minutes(5));
    return absl::OkStatus();
  };
  std::future<StatusOr<int64_t>> asked = AskFromAside(grain);
  journal().Await(2);
  Advance(seconds(1));
  EXPECT_TRUE(asked.get().ok());

  scene_.on_deactivate = [&](const Status&) {
    journal().Add(SleepFor(seconds(1)).ok() ? "slept" : "cancelled");
  };
  ASSERT_TRUE(grain.Ask(Leave{}).ok());
  journal().Await(3);
  Advance(seconds(1));

  EXPECT_EQ(journal().Await(5), "made, activated, deactivated OK, slept, destroyed");
}

TEST_F(GrainActivationTest, AStopEndsThePauseBetweenTries) {
  const Ref<TallyApi> grain = Hosted("patient", {.activate_tries = 9});
  scene_.on_activate = [] { return absl::UnavailableError("down"); };
  std::future<StatusOr<int64_t>> asked = AskFromAside(grain);
  journal().Await(3);

  system_.Stop();

  EXPECT_FALSE(asked.get().ok());
}

TEST_F(GrainActivationTest, AClaimThatFailsIsTriedAgain) {
  FaultyStore store;
  store.FailNext(WithReason(absl::UnavailableError("down"), Reason::kStorageUnavailable));
  const Ref<TallyApi> grain = Hosted("kept", {.activate_tries = 2, .state_store = &store});
  std::future<StatusOr<int64_t>> asked = AskFromAside(grain);
  journal().Await(2);

  Advance(milliseconds(50));

  EXPECT_TRUE(asked.get().ok());
  EXPECT_EQ(journal().Text(), "made, destroyed, made, activated");
  system_.Stop();
}

TEST_F(GrainActivationTest, OptionsOutOfBoundsAreRefused) {
  for (const int tries : {0, -1, kActivateTriesMax + 1}) {
    EXPECT_EQ(OutcomeOf(system_.Host<Tally>({.kind = "t", .activate_tries = tries})),
              "INVALID_ARGUMENT");
  }
  EXPECT_EQ(OutcomeOf(system_.Host<Tally>({.kind = "t", .activate_timeout = seconds(0)})),
            "INVALID_ARGUMENT");
  EXPECT_TRUE(system_.Host<Tally>({.kind = "t", .activate_tries = kActivateTriesMax}).ok());
}

TEST_F(GrainActivationTest, RefusalsSayWhatToDo) {
  ASSERT_TRUE(system_.Host<Tally>().ok());

  const Status twice = system_.Host<Tally>();
  const Status unknown = system_.Grain<TallyApi>("a", "nobody").Ask(Get{}).status();
  const Status malformed = system_.Host<Tally>({.kind = "Two Words"});

  EXPECT_EQ(twice,
            absl::AlreadyExistsError("host tally: hosted already; another class needs a kind of "
                                     "its own in GrainOptions"));
  EXPECT_EQ(unknown,
            absl::NotFoundError("kind nobody is not hosted here: call System::Host<...>() first"));
  EXPECT_EQ(malformed, absl::InvalidArgumentError(
                           "grain kind \"Two Words\": a kind is 1-64 of a-z 0-9 . _ -"));
}

TEST_F(GrainActivationTest, MalformedKeysAreRefusedBeforeAnythingActivates) {
  ASSERT_TRUE(system_.Host<Tally>().ok());
  const std::vector<std::string> keys = {"",   std::string(256, 'k'), "\xC3", "a\x01", "a\x7F",
                                         "a\n"};

  for (const std::string& key : keys) {
    EXPECT_EQ(OutcomeOf(system_.Grain<TallyApi>(key).Ask(Get{})), "INVALID_ARGUMENT");
    EXPECT_EQ(system_.Grain<TallyApi>(key).Tell(Get{}), Delivery::kUnreachable);
  }

  EXPECT_EQ(journal().Text(), "");
  EXPECT_TRUE(system_.Grain<TallyApi>(std::string(255, 'k')).Ask(Get{}).ok());
  EXPECT_TRUE(system_.Grain<TallyApi>("a/b/\xC3\xA9").Ask(Get{}).ok());
}

// ---- Mailboxes

TEST_F(GrainActivationTest, ATellNeverWaitsForAnActivationOrAHandler) {
  const Ref<TallyApi> grain = Hosted("slow", {});
  scene_.stage.Lock();
  scene_.on_activate = [&] {
    FiberMutexLock lock(scene_.stage);
    return absl::OkStatus();
  };

  for (int i = 0; i < 1000; ++i) EXPECT_EQ(grain.Tell(Note{"n"}), Delivery::kAccepted);

  journal().Await(2);
  EXPECT_EQ(system_.Peek<TallyApi>("a", "slow")->messages, 1000u) << "none has run";
  scene_.stage.Unlock();
  journal().Await(1002);
}

TEST_F(GrainActivationTest, AFullMailboxRefusesAndSaysSo) {
  const Ref<TallyApi> grain = Hosted("narrow", {.mailbox_capacity = 2});
  scene_.stage.Lock();
  grain.Tell(Wait{});
  journal().Await(3);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(grain.Tell(Note{"in"}), Delivery::kAccepted);

  EXPECT_EQ(grain.Tell(Note{"out"}), Delivery::kFull);
  EXPECT_EQ(OutcomeOf(grain.Ask(Get{})), "RESOURCE_EXHAUSTED");

  EXPECT_EQ(system_.Peek<TallyApi>("a", "narrow")->messages, 3u);
  scene_.stage.Unlock();
  EXPECT_EQ(journal().Await(5), "made, activated, waits, in, in");
  system_.WaitUntilQuiet();
  EXPECT_EQ(system_.Peek<TallyApi>("a", "narrow")->messages, 0u);
}

TEST_F(GrainActivationTest, WhatWasAcceptedReachesTheNextActivationHoweverNarrowItsMailbox) {
  const Ref<TallyApi> grain = Hosted("narrow", {.mailbox_capacity = 2});
  scene_.stage.Lock();
  scene_.on_deactivate = [&](const Status&) {
    journal().Add("leaving");
    FiberMutexLock lock(scene_.stage);
  };
  grain.Tell(Wait{});
  journal().Await(3);
  for (const char* text : {"one", "two"}) EXPECT_EQ(grain.Tell(Note{text}), Delivery::kAccepted);
  EXPECT_TRUE(system_.Deactivate(grain).ok());
  scene_.stage.Unlock();
  EXPECT_EQ(
      journal().Await(10),
      "made, activated, waits, deactivated OK, leaving, destroyed, made, activated, one, two");

  scene_.stage.Lock();
  EXPECT_TRUE(system_.Deactivate(grain).ok());
  journal().Await(12);
  for (const char* text : {"three", "four"}) {
    EXPECT_EQ(grain.Tell(Note{text}), Delivery::kAccepted);
  }
  EXPECT_EQ(grain.Tell(Note{"five"}), Delivery::kFull);
  scene_.stage.Unlock();

  EXPECT_EQ(journal().Await(17).substr(journal().Text().find("two")),
            "two, deactivated OK, leaving, destroyed, made, activated, three, four");
}

// ---- How long it stays

struct Willful : Tally {
  Status OnActivate() override {
    if (key() == "stays") StayActive();
    if (key() == "brief") SetIdleTimeout(seconds(10));
    return Tally::OnActivate();
  }
  StatusOr<int64_t> On(const Add& m) {  // seconds
    SetIdleTimeout(seconds(m.amount));
    return m.amount;
  }
  using Tally::On;
};

TEST_F(GrainActivationTest, AnActivationMayStayOrLeaveSoonerThanItsKind) {
  ASSERT_TRUE(system_.Host<Willful>({.kind = "willful"}).ok());
  const auto named = [&](const char* key) { return system_.Grain<TallyApi>(key, "willful"); };
  for (const char* key : {"stays", "brief", "plain"}) ASSERT_TRUE(named(key).Ask(Get{}).ok());
  ASSERT_EQ(system_.CountGrains("willful"), 3u);

  Advance(seconds(11));
  system_.WaitUntilQuiet();
  EXPECT_FALSE(system_.Peek<TallyApi>("brief", "willful").has_value());
  EXPECT_EQ(system_.CountGrains("willful"), 2u);
  Advance(minutes(2));
  system_.WaitUntilQuiet();
  EXPECT_EQ(system_.CountGrains("willful"), 1u);
  Advance(minutes(60));
  system_.WaitUntilQuiet();

  EXPECT_TRUE(system_.Peek<TallyApi>("stays", "willful").has_value());
}

TEST_F(GrainActivationTest, TheIdleTimeoutMayChangeWhileItLives) {
  ASSERT_TRUE(system_.Host<Willful>({.kind = "willful", .idle_timeout = kNeverIdle}).ok());
  const Ref<TallyApi> grain = system_.Grain<TallyApi>("a", "willful");
  ASSERT_TRUE(grain.Ask(Add{.amount = 5}).ok());
  ASSERT_TRUE(grain.Ask(Add{.amount = 60}).ok());

  Advance(seconds(59));
  system_.WaitUntilQuiet();
  EXPECT_EQ(system_.CountGrains(), 1u);
  Advance(seconds(1));
  system_.WaitUntilQuiet();
  EXPECT_EQ(system_.CountGrains(), 0u);

  ASSERT_TRUE(grain.Ask(Add{.amount = 0}).ok()) << "zero: as DeactivateSoon()";
  system_.WaitUntilQuiet();
  EXPECT_EQ(system_.CountGrains(), 0u);
}

struct Clockwork : Tally {
  Status OnActivate() override {
    Every(seconds(10), Note{"tick"});
    return absl::OkStatus();
  }
};

TEST_F(GrainActivationTest, TicksKeepAGrainActiveUnlessItsKindSaysOtherwise) {
  ASSERT_TRUE(system_.Host<Clockwork>({.kind = "busy", .idle_timeout = seconds(25)}).ok());
  ASSERT_TRUE(system_
                  .Host<Clockwork>(
                      {.kind = "idle", .idle_timeout = seconds(25), .ticks_keep_active = false})
                  .ok());
  ASSERT_TRUE(system_.Grain<TallyApi>("a", "busy").Ask(Get{}).ok());
  ASSERT_TRUE(system_.Grain<TallyApi>("a", "idle").Ask(Get{}).ok());

  for (int i = 0; i < 6; ++i) Advance(seconds(10));
  system_.WaitUntilQuiet();

  EXPECT_EQ(system_.CountGrains("busy"), 1u);
  EXPECT_EQ(system_.CountGrains("idle"), 0u);
}

// ---- What it is made from

struct Tariff {
  int64_t price = 0;
};
struct Priced : Tally {
  Priced(std::shared_ptr<const Tariff> tariff, int64_t extra)
      : tariff_(std::move(tariff)), extra_(extra) {}
  StatusOr<int64_t> On(const Add& m) { return m.amount * tariff_->price + extra_++; }
  using Tally::On;

 private:
  std::shared_ptr<const Tariff> tariff_;
  int64_t extra_;
};

TEST_F(GrainActivationTest, EveryActivationGetsACopyOfWhatItsHostGave) {
  auto tariff = std::make_shared<const Tariff>(Tariff{7});
  ASSERT_TRUE(system_.Host<Priced>({.kind = "priced"}, tariff, int64_t{1}).ok());
  const Ref<TallyApi> grain = system_.Grain<TallyApi>("a", "priced");

  EXPECT_EQ(grain.Ask(Add{2}).value(), 15);
  EXPECT_EQ(grain.Ask(Add{2}).value(), 16);
  ASSERT_TRUE(grain.Ask(Leave{}).ok());
  EXPECT_EQ(grain.Ask(Add{2}).value(), 15);
  EXPECT_EQ(system_.Grain<TallyApi>("b", "priced").Ask(Add{3}).value(), 22);

  system_.Stop();
  EXPECT_EQ(tariff.use_count(), 2) << "the host's, and ours";
}

}  // namespace
}  // namespace quern::testing
