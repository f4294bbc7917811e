#include "quern/runtime/offload.h"
#include "posix_semaphore.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "quern/quern.h"
#include "quern/testing/fake_clock.h"
#include "scheduler/offload_pool.h"
#include "system/system_core.h"

namespace quern {
namespace {

using testing::FakeClock;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

// A door that closes behind nobody: blocks whoever comes until it is opened once for each.
struct Door {
  PosixSemaphore reached{0};
  PosixSemaphore open{0};
  void Pass() {
    reached.release();
    open.acquire();
  }
};

struct PassDoor {
  Door* door;
};
struct Throw {};
struct Flatten {};
struct Ping {};
struct BlockerApi : Protocol<int(PassDoor), int(Throw), int(Flatten), int(Ping)> {};
struct Blocker : Actor<BlockerApi> {
  StatusOr<int> On(const PassDoor& m) {
    return Offload([&] {
      m.door->Pass();
      return 7;
    });
  }
  StatusOr<int> On(const Throw&) {
    return Offload([]() -> int { throw std::runtime_error("the disk is gone"); });
  }
  StatusOr<int> On(const Flatten&) {
    return Offload([]() -> StatusOr<int> { return absl::DataLossError("short file"); });
  }
  int On(const Ping&) { return 1; }
};

class OffloadTest : public ::testing::Test {
 protected:
  Ref<BlockerApi> Spawn(std::string_view name) { return system_.Spawn<Blocker>(name).value(); }
  // Asks from a thread of its own, which is joined at the end.
  std::thread AskPass(Ref<BlockerApi> ref, Status* status) {
    return std::thread(
        [this, ref = std::move(ref), status] { *status = ref.Ask(PassDoor{&door_}).status(); });
  }
  int threads() { return system_.core()->offload_pool().threads(); }

  FakeClock clock_;
  Door door_;
  System system_{SystemOptions{
      .name = "test", .workers = 1, .clock = &clock_, .offload_threads = 1, .offload_queue = 1}};
};

TEST_F(OffloadTest, ABlockingFunctionHoldsNoWorker) {
  auto blocker = Spawn("blocker");
  auto other = Spawn("other");
  Status status;
  std::thread asker = AskPass(blocker, &status);
  door_.reached.acquire();

  EXPECT_EQ(other.Ask(Ping{}).value(), 1);  // on the only worker

  door_.open.release();
  asker.join();
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(OffloadTest, WhatItReturnsComesBackFlat) {
  EXPECT_TRUE(absl::IsDataLoss(Spawn("a").Ask(Flatten{}).status()));
}

TEST_F(OffloadTest, WhatItThrowsIsAStatus) {
  const Status status = Spawn("a").Ask(Throw{}).status();

  EXPECT_TRUE(absl::IsUnknown(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("the disk is gone"));
}

TEST_F(OffloadTest, OnAPlainThreadItRunsRightThere) {
  const auto here = std::this_thread::get_id();

  EXPECT_TRUE(Offload([&] { return std::this_thread::get_id() == here; }).value());
  EXPECT_TRUE(absl::IsUnknown(Offload([] { throw std::runtime_error("bad"); })));
}

TEST_F(OffloadTest, ThreadsAndQueueAreBounded) {
  Spawn("a").Tell(PassDoor{&door_});
  door_.reached.acquire();
  Spawn("b").Tell(PassDoor{&door_});
  system_.WaitUntilQuiet();

  EXPECT_TRUE(absl::IsResourceExhausted(Spawn("c").Ask(PassDoor{&door_}).status()));
  EXPECT_EQ(threads(), 1);

  door_.open.release(2);
  door_.reached.acquire();
}

TEST_F(OffloadTest, AStopCancelsWhatHasNotBegunAndWaitsForWhatHas) {
  auto a = Spawn("a");
  auto b = Spawn("b");
  a.Tell(PassDoor{&door_});
  door_.reached.acquire();
  b.Tell(PassDoor{&door_});
  system_.WaitUntilQuiet();

  b.Stop();
  system_.WaitUntilQuiet();
  EXPECT_FALSE(system_.Find<BlockerApi>("b").ok());
  a.Stop();
  system_.WaitUntilQuiet();
  EXPECT_TRUE(system_.Find<BlockerApi>("a").ok());

  door_.open.release();
  EXPECT_TRUE(system_.StopWithin(1h).ok());
}

TEST_F(OffloadTest, AnIdleThreadEnds) {
  door_.open.release();
  EXPECT_TRUE(Spawn("a").Ask(PassDoor{&door_}).ok());
  EXPECT_EQ(threads(), 1);

  while (threads() == 1) clock_.AdvanceBy(kOffloadIdleMax);

  door_.open.release();
  EXPECT_TRUE(Spawn("b").Ask(PassDoor{&door_}).ok());
}

}  // namespace
}  // namespace quern
