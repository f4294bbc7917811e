#include "quern/runtime/fiber_sync.h"

#include <atomic>
#include <chrono>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "grain_test_kit.h"
#include "quern/runtime/fiber_group.h"
#include "quern/runtime/gate.h"

namespace quern::testing {
namespace {

using std::chrono::seconds;

// Runs a closure on its turn: code under test is the test's own.
struct Play {
  std::function<void(Context&)> body;
};
struct RunnerApi : Protocol<void(Play)> {};
struct Runner : Actor<RunnerApi> {
  void On(const Play& m, Context& context) { m.body(context); }
};

class FiberSyncTest : public ::testing::Test {
 protected:
  // A fiber that runs `body`, on whatever worker.
  void Go(std::function<void(Context&)> body) {
    const std::string name = absl::StrCat("runner-", ++runners_);
    ASSERT_EQ(system_.Spawn<Runner>(name).value().Tell(Play{std::move(body)}), Delivery::kAccepted);
  }
  void Go(std::function<void()> body) {
    Go([body = std::move(body)](Context&) { body(); });
  }

  Journal journal_;
  ManualClock clock_;
  System system_{SystemOptions{.name = "sync", .workers = 2, .clock = &clock_}};
  int runners_ = 0;
};

TEST_F(FiberSyncTest, AMutexExcludesFibersAndThreadsAlike) {
  constexpr int kFibers = 20;
  constexpr int kThreads = 4;
  constexpr int kRounds = 500;
  FiberMutex mutex;
  int count = 0;  // unguarded on purpose: the mutex is under test
  auto work = [&] {
    for (int i = 0; i < kRounds; ++i) {
      FiberMutexLock lock(mutex);
      ++count;
    }
    journal_.Add("done");
  };

  for (int i = 0; i < kFibers; ++i) Go(work);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  journal_.Await(kFibers + kThreads);

  FiberMutexLock lock(mutex);
  EXPECT_EQ(count, (kFibers + kThreads) * kRounds);
}

TEST_F(FiberSyncTest, AMutexHeldAcrossASuspensionParksOnlyThoseWhoWantIt) {
  FiberMutex mutex;
  mutex.Lock();
  Go([&] {
    journal_.Add("wants it");
    FiberMutexLock lock(mutex);
    journal_.Add("has it");
  });
  journal_.Await(1);
  for (int i = 0; i < 8; ++i) Go([&] { journal_.Add("other"); });  // more than there are workers
  journal_.Await(9);

  mutex.Unlock();

  EXPECT_NE(journal_.Await(10).find("other, has it"), std::string::npos);
  system_.WaitUntilQuiet();
}

TEST_F(FiberSyncTest, AMutexIsHandedToTheOneThatWaitedLongest) {
  FiberMutex mutex;
  mutex.Lock();
  for (const char* name : {"first", "second", "third"}) {
    Go([&, name] {
      FiberMutexLock lock(mutex);
      journal_.Add(name);
    });
    system_.WaitUntilQuiet();
  }

  mutex.Unlock();

  EXPECT_EQ(journal_.Await(3), "first, second, third");
  system_.WaitUntilQuiet();
}

TEST_F(FiberSyncTest, TryLockNeverWaits) {
  FiberMutex mutex;
  ASSERT_TRUE(mutex.TryLock());

  EXPECT_FALSE(mutex.TryLock());
  mutex.Unlock();
  EXPECT_TRUE(mutex.TryLock());
  mutex.Unlock();
}

TEST_F(FiberSyncTest, ACondVarCarriesWorkFromThreadsToFibersAndBack) {
  constexpr int kItems = 2000;
  FiberMutex mutex;
  FiberCondVar filled;
  FiberCondVar drained;
  std::deque<int> queue;
  int64_t sum = 0;
  int taken = 0;
  for (int i = 0; i < 4; ++i) {
    Go([&] {
      FiberMutexLock lock(mutex);
      while (taken < kItems) {
        while (queue.empty() && taken < kItems) filled.Wait(mutex);
        if (queue.empty()) break;
        sum += queue.front();
        queue.pop_front();
        if (++taken == kItems) filled.NotifyAll();
        drained.NotifyOne();
      }
      journal_.Add("done");
    });
  }
  std::thread producer([&] {
    for (int i = 1; i <= kItems; ++i) {
      FiberMutexLock lock(mutex);
      while (queue.size() >= 8) drained.Wait(mutex);
      queue.push_back(i);
      filled.NotifyOne();
    }
  });
  producer.join();
  journal_.Await(4);
  system_.WaitUntilQuiet();

  EXPECT_EQ(sum, int64_t{kItems} * (kItems + 1) / 2);
}

TEST_F(FiberSyncTest, AWaitUntilEndsAtItsDeadlineOrByANotification) {
  FiberMutex mutex;
  FiberCondVar changed;
  auto wait = [&](Context& context) {
    FiberMutexLock lock(mutex);
    const bool notified = changed.WaitUntil(mutex, context.clock().Now() + seconds(5));
    journal_.Add(notified ? "notified" : "timed out");
  };
  Go(wait);
  system_.WaitUntilQuiet();
  clock_.Advance(seconds(5));
  EXPECT_EQ(journal_.Await(1), "timed out");
  system_.WaitUntilQuiet();
  Go(wait);
  system_.WaitUntilQuiet();

  changed.NotifyOne();

  EXPECT_EQ(journal_.Await(2), "timed out, notified");
  system_.WaitUntilQuiet();
}

TEST_F(FiberSyncTest, ANotificationWithoutAWaiterIsForgotten) {
  FiberMutex mutex;
  FiberCondVar changed;
  changed.NotifyOne();
  changed.NotifyAll();
  Go([&](Context& context) {
    FiberMutexLock lock(mutex);
    journal_.Add(changed.WaitUntil(mutex, context.clock().Now() + seconds(1)) ? "notified"
                                                                              : "timed out");
  });
  system_.WaitUntilQuiet();

  clock_.Advance(seconds(1));

  EXPECT_EQ(journal_.Await(1), "timed out");
  system_.WaitUntilQuiet();
}

TEST(FiberMutexDeathTest, DestroyingAHeldMutexStopsTheProgram) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH(
      {
        FiberMutex mutex;
        mutex.Lock();
      },
      "bug: !held_");
}

TEST_F(FiberSyncTest, AGateLetsInUntilItCloses) {
  Gate gate;
  {
    auto pass = gate.Enter();
    ASSERT_TRUE(pass.ok());
  }

  gate.Close();

  EXPECT_EQ(OutcomeOf(gate.Enter().status()), "UNAVAILABLE");
  gate.Close();
}

TEST_F(FiberSyncTest, CloseWaitsForTheLastPass) {
  Gate gate;
  auto first = gate.Enter();
  auto second = gate.Enter();
  Go([&] {
    gate.Close();
    journal_.Add("closed");
  });
  system_.WaitUntilQuiet();

  {
    Gate::Pass left = *std::move(first);
  }
  system_.WaitUntilQuiet();
  EXPECT_EQ(journal_.Text(), "");
  EXPECT_EQ(OutcomeOf(gate.Enter().status()), "UNAVAILABLE");
  {
    Gate::Pass left = *std::move(second);
  }

  EXPECT_EQ(journal_.Await(1), "closed");
}

TEST_F(FiberSyncTest, EveryoneWhoClosesWaits) {
  Gate gate;
  auto pass = gate.Enter();
  for (int i = 0; i < 3; ++i) {
    Go([&] {
      gate.Close();
      journal_.Add("closed");
    });
  }
  std::thread thread([&] {
    gate.Close();
    journal_.Add("closed");
  });
  system_.WaitUntilQuiet();

  {
    Gate::Pass left = *std::move(pass);
  }

  thread.join();
  EXPECT_EQ(journal_.Await(4), "closed, closed, closed, closed");
}

TEST(GateDeathTest, DestroyingAnOpenGateStopsTheProgram) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH({ Gate gate; }, "bug: closed_");
}

class FiberGroupTest : public FiberSyncTest {};

TEST_F(FiberGroupTest, WaitReturnsWhenEveryFiberHas) {
  Go([&] {
    FiberGroup group;
    int done = 0;
    for (int i = 0; i < 100; ++i) {
      group.Go([&] {
        (void)SleepFor(seconds(1));
        ++done;
      });
    }
    journal_.Add(absl::StrCat(group.running(), " running"));
    const Status waited = group.Wait();
    journal_.Add(absl::StrCat(waited.ToString(), " ", done, " done ", group.running(), " running"));
  });
  journal_.Await(1);
  system_.WaitUntilQuiet();

  clock_.Advance(seconds(1));

  EXPECT_EQ(journal_.Await(2), "100 running, OK 100 done 0 running");
}

TEST_F(FiberGroupTest, FibersRunOneAtATimeOnTheWorkerOfTheirTurn) {
  Go([&] {
    const auto here = std::this_thread::get_id();
    bool busy = false;
    bool alone = true;
    FiberGroup group;
    for (int i = 0; i < 50; ++i) {
      group.Go([&] {
        alone = alone && !busy && std::this_thread::get_id() == here;
        busy = true;
        busy = false;
        (void)SleepFor(seconds(1));
        alone = alone && !busy && std::this_thread::get_id() == here;
      });
    }
    (void)group.Wait();
    journal_.Add(alone ? "alone" : "together");
  });
  system_.WaitUntilQuiet();
  clock_.Advance(seconds(1));

  EXPECT_EQ(journal_.Await(1), "alone");
}

struct WhoApi : Protocol<std::string(Get)> {};
struct Who : Actor<WhoApi> {
  std::string On(const Get&, Context& context) { return absl::StrCat(context.sender_id()); }
};

TEST_F(FiberGroupTest, AsksMadeThereKnowTheirActor) {
  const Ref<WhoApi> who = system_.Spawn<Who>("who").value();
  Go([&] {
    const std::string mine = who.Ask(Get{}).value();
    std::string theirs;
    FiberGroup group;
    group.Go([&] { theirs = who.Ask(Get{}).value(); });
    (void)group.Wait();
    journal_.Add(mine == theirs && mine != "0" ? "same" : mine + " and " + theirs);
  });

  EXPECT_EQ(journal_.Await(1), "same");
}

TEST_F(FiberGroupTest, WhatAFiberThrowsIsReportedByWait) {
  Go([&] {
    FiberGroup group;
    group.Go([] { throw std::runtime_error("thrown on purpose"); });
    group.Go([&] { journal_.Add("the other runs"); });
    journal_.Add(group.Wait().ToString());
    journal_.Add(group.Wait().ToString());
  });

  EXPECT_EQ(journal_.Await(3), "the other runs, UNKNOWN: a fiber threw: thrown on purpose, OK");
}

TEST_F(FiberGroupTest, AStopCancelsWhatItsFibersWaitFor) {
  const Ref<RunnerApi> runner = system_.Spawn<Runner>("stopped").value();
  runner.Tell(Play{[&](Context&) {
    FiberGroup group;
    group.Go([&] { journal_.Add(OutcomeOf(SleepFor(seconds(1000)))); });
    group.Go([&] { journal_.Add(OutcomeOf(SleepFor(seconds(1000)))); });
    journal_.Add("waits");
    (void)group.Wait();
    journal_.Add("ends");
  }});
  journal_.Await(1);
  system_.WaitUntilQuiet();

  runner.Stop();

  EXPECT_EQ(journal_.Await(4), "waits, CANCELLED cancelled, CANCELLED cancelled, ends");
}

TEST_F(FiberGroupTest, SleepForLastsAsLongAsTheClockSays) {
  Go([&] { journal_.Add(OutcomeOf(SleepFor(seconds(10)))); });
  system_.WaitUntilQuiet();
  clock_.Advance(seconds(9));
  system_.WaitUntilQuiet();
  EXPECT_EQ(journal_.Text(), "");

  clock_.Advance(seconds(1));

  EXPECT_EQ(journal_.Await(1), "OK");
  EXPECT_EQ(OutcomeOf(SleepFor(seconds(1))), "FAILED_PRECONDITION") << "not on a plain thread";
}

TEST_F(FiberGroupTest, SavesFromSeveralFibersOfOneHandlerTakeTurns) {
  struct Many : Tally {
    StatusOr<int64_t> On(const Add& m) {
      FiberGroup group;
      for (int i = 0; i < 10; ++i) {
        group.Go([&] {
          *total += m.amount;
          if (!total.Save().ok()) *total = -1000;
        });
      }
      if (Status waited = group.Wait(); !waited.ok()) return waited;
      return *total;
    }
    using Tally::On;
  };
  Scene scene;
  Scene::current = &scene;
  ASSERT_TRUE(system_.Host<Many>({.kind = "many"}).ok());

  EXPECT_EQ(system_.Grain<TallyApi>("a", "many").Ask(Add{1}).value(), 10);
  system_.Stop();
  Scene::current = nullptr;
}

}  // namespace
}  // namespace quern::testing
