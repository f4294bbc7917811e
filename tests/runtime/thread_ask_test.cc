// Plain threads that ask: they spin for the answer and look after the shared queue meanwhile, so
// what matters here is that nobody is forgotten.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "posix_semaphore.h"
#include "quern/quern.h"
#include "scheduler/scheduler.h"
#include "scheduler/thread_spin.h"
#include "scheduler/worker.h"
#include "system/system_core.h"

namespace quern {
namespace {

using internal::ThreadSpin;
using namespace std::chrono_literals;

struct Query {
  int value = 0;
};
struct EchoApi : Protocol<int(Query)> {};
struct Echo : Actor<EchoApi> {
  int On(const Query& m) { return m.value; }
};

struct Hold {};
struct HoldApi : Protocol<void(Hold)> {};
// Keeps its worker until it is let go.
struct Holder : Actor<HoldApi> {
  Holder(PosixSemaphore* held, PosixSemaphore* let_go) : held_(held), let_go_(let_go) {}
  void On(const Hold&) {
    held_->release();
    let_go_->acquire();
  }
  PosixSemaphore* held_;
  PosixSemaphore* let_go_;
};

TEST(ThreadAskTest, ManyThreadsAskManyActorsAndEachGetsItsAnswer) {
  System system({.name = "test", .workers = 2});
  std::vector<Ref<EchoApi>> echoes;
  for (int i = 0; i < 16; ++i) {
    echoes.push_back(system.Spawn<Echo>("echo-" + std::to_string(i)).value());
  }
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        const int value = t * 1000 + i;
        const auto answer = echoes[static_cast<size_t>(value) % 16].Ask(Query{value}, 1h);
        right += answer.ok() && *answer == value ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(right, 8 * 500);
}

// The worker that is awake does not come back: whoever spins wakes the other one.
TEST(ThreadAskTest, IsAnsweredBesideAWorkerThatIsHeld) {
  PosixSemaphore held{0};
  PosixSemaphore let_go{0};
  System system({.name = "test", .workers = 2});
  auto echo = system.Spawn<Echo>("echo").value();
  system.Spawn<Holder>("holder", &held, &let_go).value().Tell(Hold{});
  held.acquire();

  for (int i = 0; i < 1000; ++i) ASSERT_EQ(echo.Ask(Query{i}, 1h).value(), i);

  let_go.release();
}

// Tells that come while a thread spins for something else wake nobody by themselves.
TEST(ThreadAskTest, WhatOthersSendWhileAThreadSpinsIsNotForgotten) {
  PosixSemaphore held{0};
  PosixSemaphore let_go{0};
  System system({.name = "test", .workers = 2});
  auto echo = system.Spawn<Echo>("echo").value();
  auto holder = system.Spawn<Holder>("holder", &held, &let_go).value();
  std::atomic<bool> done{false};
  std::thread asker([&] {
    while (!done) EXPECT_TRUE(echo.Ask(Query{1}, 1h).ok());
  });
  for (int i = 0; i < 1000; ++i) {
    holder.Tell(Hold{});
    held.acquire();  // or this test would never end
    let_go.release();
  }
  done = true;
  asker.join();
}

class ThreadSpinTest : public ::testing::Test {
 protected:
  internal::Scheduler& scheduler() { return system_.core()->scheduler(); }
  // How often a thread would look before it sleeps.
  int Looks() {
    int looks = 0;
    ThreadSpin spin(scheduler());
    EXPECT_FALSE(spin.Until([&looks] { return ++looks < 0; }));
    return looks;
  }

  System system_{{.name = "test", .workers = 1}};
};

TEST_F(ThreadSpinTest, SpinsThatMissBecomeShorterDownToNone) {
  int looks = Looks();
  EXPECT_EQ(looks, internal::kThreadSpinPauses);
  while (looks != 0) {
    const int before = looks;
    looks = Looks();
    ASSERT_LE(looks, before / 2);
  }
  EXPECT_EQ(Looks(), 0);
}

TEST_F(ThreadSpinTest, OneThatFindsMakesTheNextOneLonger) {
  Looks();
  const int shorter = Looks();
  ThreadSpin spin(scheduler());
  EXPECT_TRUE(spin.Until([] { return true; }));

  EXPECT_EQ(Looks(), shorter);
}

TEST_F(ThreadSpinTest, AShortWaitBringsThemBackAndALongOneDoesNot) {
  while (Looks() != 0) {
  }
  ThreadSpin(scheduler()).Waited(1s);
  EXPECT_EQ(Looks(), 0);
  ThreadSpin(scheduler()).Waited(10us);
  EXPECT_EQ(Looks(), internal::kThreadSpinPauses);
}

TEST_F(ThreadSpinTest, AtMostHalfTheCoresAreSpunOn) {
  const int spinners_max = std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / 2);
  std::vector<std::unique_ptr<ThreadSpin>> spinning;
  for (int i = 0; i < spinners_max; ++i) {
    spinning.push_back(std::make_unique<ThreadSpin>(scheduler()));
  }
  EXPECT_EQ(Looks(), 0);
  spinning.pop_back();
  EXPECT_EQ(Looks(), internal::kThreadSpinPauses);
}

}  // namespace
}  // namespace quern
