// Kinds hosted with stateless workers, and the events that activations leave.

#include <atomic>
#include <chrono>
#include <future>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "grain_test_kit.h"
#include "quern/runtime/event_stream.h"
#include "quern/runtime/lifecycle_events.h"

namespace quern::testing {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

// Answers with its number, so that a test can tell which of the pool has worked.
struct Worker : Grain<TallyApi> {
  Worker() { Tally::Write("made"); }
  ~Worker() override { Tally::Write("destroyed"); }
  int64_t On(const Add&) { return 0; }
  int64_t On(const Get&) { return reinterpret_cast<int64_t>(this); }
  void On(const Note&) {}
  void On(const Wait&) {
    Tally::Write("waits");
    FiberMutexLock lock(Scene::current->stage);
  }
  void On(const Throw&) { throw std::runtime_error("thrown on purpose"); }
  void On(const Leave&) { DeactivateSoon(); }
  void On(const Forget&) {}
  int64_t On(const Disobey&) { return 0; }
  void On(const Peer&) {}
  std::string On(const WhichEpoch&) { return epoch().ToString(); }
};

class GrainWorkersTest : public ::testing::Test {
 protected:
  GrainWorkersTest() { Scene::current = &scene_; }
  ~GrainWorkersTest() override {
    system_.Stop();
    Scene::current = nullptr;
  }
  void SetUp() override {
    ASSERT_TRUE(system_.Host<Worker>({.kind = "worker", .stateless_workers = 3}).ok());
  }

  Ref<TallyApi> workers() { return system_.Grain<TallyApi>("a", "worker"); }
  size_t Here() { return system_.CountGrains("worker"); }
  void Advance(Duration by) {
    system_.WaitUntilQuiet();
    clock_.Advance(by);
    system_.WaitUntilQuiet();
  }
  Journal& journal() { return scene_.journal; }

  Scene scene_;
  ManualClock clock_;
  System system_{SystemOptions{.name = "workers", .workers = 2, .clock = &clock_}};
};

TEST_F(GrainWorkersTest, OneIsEnoughWhileItIsIdle) {
  const int64_t first = workers().Ask(Get{}).value();
  for (int i = 0; i < 10; ++i) {
    system_.WaitUntilQuiet();
    EXPECT_EQ(workers().Ask(Get{}).value(), first);
  }

  EXPECT_EQ(Here(), 1u);
}

TEST_F(GrainWorkersTest, CallsThatMeetBusyOnesBeginMoreUntilThereAreEnough) {
  scene_.stage.Lock();
  for (int i = 0; i < 3; ++i) workers().Tell(Wait{});
  journal().Await(6);
  EXPECT_EQ(Here(), 3u);

  for (int i = 0; i < 4; ++i) workers().Tell(Note{});

  EXPECT_EQ(Here(), 3u) << "they take turns";
  const GrainInfo pool = *system_.Peek<TallyApi>("a", "worker");
  EXPECT_EQ(pool.workers, 3u);
  EXPECT_EQ(pool.messages, 7u);
  EXPECT_EQ(system_.ListGrains({.kind = "worker"}).grains.size(), 1u);
  scene_.stage.Unlock();
  system_.WaitUntilQuiet();
  EXPECT_EQ(system_.Peek<TallyApi>("a", "worker")->messages, 0u);
}

TEST_F(GrainWorkersTest, AnIdleOneIsChosenBeforeABusyOne) {
  scene_.stage.Lock();
  workers().Tell(Wait{});
  journal().Await(2);

  EXPECT_TRUE(workers().Ask(Get{}).ok()) << "beside the one that waits";

  scene_.stage.Unlock();
}

TEST_F(GrainWorkersTest, EachIdentityHasAPoolOfItsOwn) {
  const int64_t a = workers().Ask(Get{}).value();
  const int64_t b = system_.Grain<TallyApi>("b", "worker").Ask(Get{}).value();

  EXPECT_NE(a, b);
  EXPECT_EQ(Here(), 2u);
}

TEST_F(GrainWorkersTest, IdleOnesLeaveUntilNoneIsThere) {
  scene_.stage.Lock();
  for (int i = 0; i < 3; ++i) workers().Tell(Wait{});
  journal().Await(6);
  scene_.stage.Unlock();
  Advance(minutes(1));
  ASSERT_TRUE(workers().Ask(Get{}).ok());

  Advance(seconds(61));
  EXPECT_EQ(Here(), 1u);
  Advance(minutes(2));

  EXPECT_EQ(Here(), 0u);
  EXPECT_TRUE(workers().Ask(Get{}).ok());
}

TEST_F(GrainWorkersTest, TheyHaveNoEpoch) {
  EXPECT_EQ(workers().Ask(WhichEpoch{}).value(), "0.0.0.0");
}

TEST_F(GrainWorkersTest, AStateFailsTheActivationAndSaysWhy) {
  ASSERT_TRUE(system_.Host<Tally>({.kind = "stateful", .stateless_workers = 2}).ok());

  EXPECT_EQ(system_.Grain<TallyApi>("a", "stateful").Ask(Get{}).status(),
            absl::FailedPreconditionError("activate stateful/a: a kind with stateless_workers "
                                          "keeps no State: host it as an ordinary grain"));
  system_.WaitUntilQuiet();
  EXPECT_EQ(system_.CountGrains("stateful"), 0u);
}

TEST_F(GrainWorkersTest, WhatIsQueuedBehindOneThatLeavesGoesToAnother) {
  scene_.stage.Lock();
  for (int i = 0; i < 3; ++i) workers().Tell(Wait{});
  journal().Await(6);
  for (int i = 0; i < 3; ++i) workers().Tell(Leave{});
  std::vector<std::future<StatusOr<int64_t>>> asked;
  for (int i = 0; i < 6; ++i) {
    asked.push_back(std::async(std::launch::async, [this] { return workers().Ask(Get{}); }));
  }
  scene_.stage.Unlock();

  for (auto& one : asked) EXPECT_TRUE(one.get().ok());
}

TEST_F(GrainWorkersTest, TheyAreDeactivatedTogether) {
  scene_.stage.Lock();
  for (int i = 0; i < 2; ++i) workers().Tell(Wait{});
  journal().Await(4);

  EXPECT_TRUE(system_.Deactivate(workers()).ok());
  scene_.stage.Unlock();
  system_.WaitUntilQuiet();

  EXPECT_EQ(Here(), 0u);
  EXPECT_EQ(OutcomeOf(system_.Deactivate(workers())), "NOT_FOUND");
}

TEST_F(GrainWorkersTest, AStopEndsThemAndRefusesMore) {
  ASSERT_TRUE(workers().Ask(Get{}).ok());

  system_.Stop();

  EXPECT_EQ(journal().Text(), "made, destroyed");
  EXPECT_EQ(OutcomeOf(workers().Ask(Get{})), "UNAVAILABLE");
}

TEST_F(GrainWorkersTest, TheirNumberIsBounded) {
  for (const int n : {-1, kStatelessWorkersMax + 1}) {
    EXPECT_EQ(OutcomeOf(system_.Host<Worker>({.kind = "x", .stateless_workers = n})),
              "INVALID_ARGUMENT");
  }
  ASSERT_TRUE(
      system_.Host<Worker>({.kind = "many", .stateless_workers = kStatelessWorkersMax}).ok());
  scene_.stage.Lock();
  const Ref<TallyApi> many = system_.Grain<TallyApi>("a", "many");
  for (int i = 0; i < kStatelessWorkersMax + 10; ++i) many.Tell(Wait{});

  EXPECT_EQ(system_.CountGrains("many"), static_cast<size_t>(kStatelessWorkersMax));
  scene_.stage.Unlock();
}

TEST_F(GrainWorkersTest, WithANetworkTheirCallsStayOnThisNode) {
  KeepingRouter router;
  system_.network_port().SetRouter(&router);

  EXPECT_TRUE(workers().Ask(Get{}).ok());

  system_.Grain<TallyApi>("a", "elsewhere").Tell(Get{});
  EXPECT_EQ(router.Take().first, GrainId("elsewhere", "a"));
  system_.network_port().SetRouter(nullptr);
}

// From several threads, while members come and go.
TEST_F(GrainWorkersTest, EveryAskIsAnsweredWhoeverLeaves) {
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        if ((i + t) % 7 == 0) workers().Tell(Leave{});
        if (!workers().Ask(Get{}).ok()) failed.fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(failed.load(), 0);
  EXPECT_EQ(system_.dead_letters(), 0u);
}

// ---- Events

TEST_F(GrainWorkersTest, ActivationsAndTheirEndsAreTold) {
  ASSERT_TRUE(system_.Host<Tally>().ok());
  auto activated = system_.events().Subscribe<GrainActivated>().value();
  auto ended = system_.events().Subscribe<GrainDeactivated>().value();
  auto failed = system_.events().Subscribe<GrainActivationFailed>().value();
  const Ref<TallyApi> grain = system_.Grain<TallyApi>("a");

  ASSERT_TRUE(grain.Ask(Get{}).ok());
  const GrainActivated begun = activated.Next().value();
  EXPECT_EQ(begun.id, GrainId("tally", "a"));
  EXPECT_EQ(begun.at, clock_.Now());
  EXPECT_FALSE(grain.Ask(Throw{}).ok());
  const GrainDeactivated end = ended.Next().value();
  EXPECT_EQ(end.epoch, begun.epoch);
  EXPECT_EQ(end.why.code(), absl::StatusCode::kUnknown);
  scene_.on_activate = [] { return absl::FailedPreconditionError("no"); };
  EXPECT_FALSE(grain.Ask(Get{}).ok());

  EXPECT_EQ(failed.Next().value().why, absl::FailedPreconditionError("activate tally/a: no"));
  EXPECT_FALSE(ended.TryNext().has_value());
}

}  // namespace
}  // namespace quern::testing
