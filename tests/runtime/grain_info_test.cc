#include "quern/runtime/grain_info.h"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "grain_test_kit.h"

namespace quern::testing {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class GrainInfoTest : public ::testing::Test {
 protected:
  GrainInfoTest() { Scene::current = &scene_; }
  ~GrainInfoTest() override {
    system_.Stop();
    Scene::current = nullptr;
  }
  void SetUp() override {
    ASSERT_TRUE(system_.Host<Tally>().ok());
    ASSERT_TRUE(system_.Host<Tally>({.kind = "other"}).ok());
  }

  Ref<TallyApi> Tallied(std::string_view key, std::string_view kind = {}) {
    return system_.Grain<TallyApi>(key, kind);
  }
  void Wake(std::string_view key, std::string_view kind = {}) {
    ASSERT_TRUE(Tallied(key, kind).Ask(Get{}).ok());
  }

  Scene scene_;
  ManualClock clock_;
  System system_{SystemOptions{.name = "info", .workers = 2, .clock = &clock_}};
};

TEST_F(GrainInfoTest, APeekTellsWhatIsThereAndNeverActivates) {
  EXPECT_FALSE(system_.Peek<TallyApi>("a").has_value());
  EXPECT_EQ(scene_.journal.Text(), "");
  Wake("a");
  const Time since = clock_.Now();
  system_.WaitUntilQuiet();
  clock_.Advance(seconds(30));

  const std::optional<GrainInfo> info = system_.Peek<TallyApi>("a");

  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->id, GrainId("tally", "a"));
  EXPECT_EQ(info->epoch.ToString(), Tallied("a").Ask(WhichEpoch{}).value());
  EXPECT_EQ(info->state, ActivationState::kActive);
  EXPECT_EQ(info->active_since, since);
  EXPECT_EQ(info->idle, seconds(30));
  EXPECT_EQ(info->messages, 0u);
  EXPECT_FALSE(system_.Peek<TallyApi>("a", "other").has_value());
}

TEST_F(GrainInfoTest, APeekIsNotAMessage) {
  Wake("a");
  for (int i = 0; i < 3; ++i) {
    system_.WaitUntilQuiet();
    clock_.Advance(seconds(50));
    (void)system_.Peek<TallyApi>("a");
  }
  system_.WaitUntilQuiet();

  EXPECT_FALSE(system_.Peek<TallyApi>("a").has_value()) << "it idled out";
}

TEST_F(GrainInfoTest, MessagesAreCountedFromAcceptanceToTheEndOfTheirHandler) {
  scene_.stage.Lock();
  Tallied("a").Tell(Wait{});
  scene_.journal.Await(3);
  Tallied("a").Tell(Note{"one"});
  Tallied("a").Tell(Note{"two"});

  EXPECT_EQ(system_.Peek<TallyApi>("a")->messages, 3u);
  scene_.stage.Unlock();
  scene_.journal.Await(5);
  system_.WaitUntilQuiet();

  EXPECT_EQ(system_.Peek<TallyApi>("a")->messages, 0u);
}

TEST_F(GrainInfoTest, AnActivatingGrainAndOneOnItsWayOutAreShownAsSuch) {
  scene_.stage.Lock();
  const auto wait = [&] { FiberMutexLock lock(scene_.stage); };
  scene_.on_activate = [&] {
    wait();
    return absl::OkStatus();
  };
  scene_.on_deactivate = [&](const Status&) { wait(); };
  Tallied("a").Tell(Leave{});
  scene_.journal.Await(2);

  const GrainInfo activating = *system_.Peek<TallyApi>("a");
  EXPECT_EQ(activating.state, ActivationState::kActivating);
  EXPECT_FALSE(activating.active_since.has_value());
  EXPECT_EQ(activating.idle, Duration::zero());
  EXPECT_EQ(activating.messages, 1u);
  scene_.stage.Unlock();
  scene_.journal.Await(4);
  system_.WaitUntilQuiet();
}

TEST_F(GrainInfoTest, AnAskThatCanNeverBeAnsweredIsNotCounted) {
  struct Selfish : Tally {
    StatusOr<int64_t> On(const Add&) { return Self().Ask(Get{}); }
    using Tally::On;
  };
  ASSERT_TRUE(system_.Host<Selfish>({.kind = "selfish"}).ok());

  EXPECT_EQ(OutcomeOf(Tallied("a", "selfish").Ask(Add{})), "FAILED_PRECONDITION ask_cycle");
  system_.WaitUntilQuiet();

  EXPECT_EQ(system_.Peek<TallyApi>("a", "selfish")->messages, 0u);
}

// ---- Deactivate

TEST_F(GrainInfoTest, AGrainIsDeactivatedFromOutsideAndWhatIsQueuedReachesTheNext) {
  scene_.stage.Lock();
  Tallied("a").Tell(Wait{});
  scene_.journal.Await(3);
  Tallied("a").Tell(Note{"queued"});

  EXPECT_TRUE(system_.Deactivate(Tallied("a")).ok());
  scene_.stage.Unlock();

  EXPECT_EQ(scene_.journal.Await(8),
            "made, activated, waits, deactivated OK, destroyed, made, activated, queued");
}

TEST_F(GrainInfoTest, WhatIsNotActiveHereOrNoGrainIsNotDeactivated) {
  EXPECT_EQ(system_.Deactivate(Tallied("a")),
            absl::NotFoundError("deactivate tally/a: it is not active here"));
  EXPECT_EQ(OutcomeOf(system_.Deactivate(Ref<TallyApi>())), "INVALID_ARGUMENT");
  System elsewhere(SystemOptions{.name = "elsewhere", .workers = 1});
  EXPECT_EQ(OutcomeOf(elsewhere.Deactivate(Tallied("a"))), "INVALID_ARGUMENT");
  EXPECT_EQ(scene_.journal.Text(), "");
}

// ---- Lists

std::string Keys(const GrainPage& page) {
  std::string text;
  for (const GrainInfo& grain : page.grains) absl::StrAppend(&text, grain.id.ToString(), " ");
  return text + (page.next.has_value() ? "more" : "end");
}

TEST_F(GrainInfoTest, PagesStandInTheOrderOfKindAndKey) {
  for (const char* key : {"d", "b", "a", "c"}) Wake(key);
  Wake("a", "other");

  const GrainPage first = system_.ListGrains({.limit = 2});
  EXPECT_EQ(Keys(first), "other/a tally/a more");
  const GrainPage second = system_.ListGrains({.after = first.next, .limit = 2});
  EXPECT_EQ(Keys(second), "tally/b tally/c more");
  EXPECT_EQ(Keys(system_.ListGrains({.after = second.next, .limit = 2})), "tally/d end");
  EXPECT_EQ(Keys(system_.ListGrains({.kind = "tally"})), "tally/a tally/b tally/c tally/d end");
  EXPECT_EQ(Keys(system_.ListGrains({.kind = "nobody"})), "end");
  EXPECT_EQ(system_.CountGrains("tally"), 4u);
  EXPECT_EQ(system_.CountGrains(), 5u);
}

TEST_F(GrainInfoTest, AGrainThatStaysIsListedOnceWhateverComesAndGoes) {
  for (const char* key : {"b", "d", "f"}) Wake(key);
  const GrainPage first = system_.ListGrains({.limit = 1});
  Wake("a");
  Wake("c");
  ASSERT_TRUE(Tallied("b").Ask(Leave{}).ok());
  system_.WaitUntilQuiet();

  EXPECT_EQ(Keys(first), "tally/b more");
  EXPECT_EQ(Keys(system_.ListGrains({.after = first.next})), "tally/c tally/d tally/f end");
}

TEST_F(GrainInfoTest, TheLimitOfAPageIsKeptWithinBounds) {
  scene_.on_activate = [&] {
    scene_.journal.Clear();
    return absl::OkStatus();
  };
  for (size_t i = 0; i <= kGrainPageMax; ++i) Tallied(absl::StrCat("k", i)).Tell(Get{});
  system_.WaitUntilQuiet();
  ASSERT_EQ(system_.CountGrains(), kGrainPageMax + 1);

  EXPECT_EQ(system_.ListGrains({.limit = 0}).grains.size(), 1u);
  const GrainPage longest = system_.ListGrains({.limit = kGrainPageMax + 1});
  EXPECT_EQ(longest.grains.size(), kGrainPageMax);
  EXPECT_EQ(system_.ListGrains({.after = longest.next}).grains.size(), 1u);
}

}  // namespace
}  // namespace quern::testing
