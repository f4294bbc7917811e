// A handler that does not return holds its worker; the other actors go on all the same, on spare
// workers when there is no other one.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "collecting_logger.h"
#include "posix_semaphore.h"
#include "quern/quern.h"
#include "quern/testing/fake_clock.h"
#include "scheduler/biased_lock.h"
#include "scheduler/scheduler.h"
#include "scheduler/worker.h"
#include "system/system_core.h"

namespace quern {
namespace {

using testing::FakeClock;
using namespace std::chrono_literals;

struct Ping {};
struct PingApi : Protocol<int(Ping)> {};
struct Counter : Actor<PingApi> {
  int On(const Ping&) { return ++count; }
  int count = 0;
};

struct Hold {
  PosixSemaphore* reached;
  PosixSemaphore* open;
  std::vector<Ref<PingApi>> before = {};  // told before it holds: they wait behind it
};
struct HolderApi : Protocol<void(Hold)> {};
struct Holder : Actor<HolderApi> {
  void On(const Hold& m) {
    for (const auto& ref : m.before) ref.Tell(Ping{});
    m.reached->release();
    m.open->acquire();
  }
};

// Says when it is about to sleep.
struct Later {
  std::atomic<bool>* sleeping;
};
struct LaterApi : Protocol<int(Later)> {};
struct Sleeper : Actor<LaterApi> {
  StatusOr<int> On(const Later& m, Context& context) {
    *m.sleeping = true;
    if (Status slept = context.Sleep(10ms); !slept.ok()) return slept;
    return 1;
  }
};

class HeldWorkerTest : public ::testing::Test {
 protected:
  struct Gate {
    PosixSemaphore reached{0};
    PosixSemaphore open{0};
  };

  void SetUp() override {
    if (!internal::BiasedLock::Available()) GTEST_SKIP() << "this kernel has no membarrier";
  }
  void HoldIt(Gate& gate, std::vector<Ref<PingApi>> before = {}) {
    auto holder = system_.Spawn<Holder>("holder-" + std::to_string(holders_++)).value();
    holder.Tell(Hold{&gate.reached, &gate.open, std::move(before)});
    gate.reached.acquire();
  }
  // Moves the clock until the watchdog, on its own thread, has seen enough of the last holder.
  // (Where the machine has no core for a worker in the middle of a turn, that one is held too.)
  void AwaitReport() {
    const std::string path = "/holder-" + std::to_string(holders_ - 1);
    for (std::optional<WorkerHeld> report; !report.has_value() || report->path != path;) {
      report = reports_.TryNext();
      if (!report.has_value()) clock_.AdvanceBy(kWatchdogDefault / 4);
    }
  }
  std::span<const std::unique_ptr<internal::Worker>> Workers() {
    return system_.core()->scheduler().workers();
  }
  void AwaitIdle(size_t worker) {
    while (!Workers()[worker]->idle()) std::this_thread::yield();
  }
  void AwaitRestOf(size_t worker) {
    while (Workers()[worker]->on_duty()) clock_.AdvanceBy(kWatchdogDefault / 4);
  }

  FakeClock clock_;
  CollectingLogger logger_;
  std::array<Gate, 2 + kSpareWorkersMax> gates_;  // outlive the workers that wait at them
  int holders_ = 0;
  System system_{SystemOptions{.name = "test", .workers = 1, .clock = &clock_, .logger = &logger_}};
  EventQueue<WorkerHeld> reports_ = system_.events().Subscribe<WorkerHeld>().value();
  Ref<PingApi> counter_ = system_.Spawn<Counter>("counter").value();
};

TEST_F(HeldWorkerTest, OthersGoOnThoughTheOnlyWorkerIsHeld) {
  HoldIt(gates_[0]);
  AwaitReport();

  EXPECT_EQ(counter_.Ask(Ping{}, 1h).value(), 1);
  EXPECT_EQ(system_.workers(), 1) << "spare ones are not counted";
  gates_[0].open.release();
}

TEST_F(HeldWorkerTest, WhatWaitedBehindTheHandlerGoesOn) {
  auto other = system_.Spawn<Counter>("other").value();
  HoldIt(gates_[0], {counter_, other, counter_});
  AwaitReport();

  EXPECT_EQ(counter_.Ask(Ping{}, 1h).value(), 3);
  EXPECT_EQ(other.Ask(Ping{}, 1h).value(), 2);
  gates_[0].open.release();
}

TEST_F(HeldWorkerTest, ASpareOneRestsWhenTheHeldOneIsBackAndServesAgain) {
  for (int i = 1; i <= 2; ++i) {
    HoldIt(gates_[0]);
    AwaitReport();
    ASSERT_EQ(counter_.Ask(Ping{}, 1h).value(), 2 * i - 1);
    AwaitIdle(1);  // before the clock goes on
    gates_[0].open.release();
    AwaitRestOf(1);
    EXPECT_EQ(counter_.Ask(Ping{}, 1h).value(), 2 * i);
  }
  EXPECT_EQ(Workers().size(), 2u) << "the same one";
}

TEST_F(HeldWorkerTest, ThereAreNoMoreSpareOnesThanTheirBound) {
  for (size_t i = 0; i < 1 + kSpareWorkersMax; ++i) {
    HoldIt(gates_[i]);
    AwaitReport();
  }
  counter_.Tell(Ping{});
  for (int i = 0; i < 20; ++i) clock_.AdvanceBy(kWatchdogDefault / 4);

  EXPECT_EQ(Workers().size(), 1 + kSpareWorkersMax);
  for (Gate& gate : gates_) gate.open.release();
  EXPECT_EQ(counter_.Ask(Ping{}, 1h).value(), 2);
}

TEST_F(HeldWorkerTest, AHandlerThatIsParkedOnAHeldWorkerWaitsForIt) {
  auto sleeper = system_.Spawn<Sleeper>("sleeper").value();
  std::atomic<bool> sleeping{false};
  auto asked =
      std::async(std::launch::async, [&] { return sleeper.Ask(Later{&sleeping}, 24h * 365); });
  while (!sleeping.load()) std::this_thread::yield();
  system_.WaitUntilQuiet();
  HoldIt(gates_[0]);
  AwaitReport();  // the clock has passed the end of the sleep

  EXPECT_EQ(counter_.Ask(Ping{}, 1h).value(), 1);
  EXPECT_EQ(asked.wait_for(0s), std::future_status::timeout);
  gates_[0].open.release();
  EXPECT_EQ(asked.get().value(), 1);
}

}  // namespace
}  // namespace quern
