// What a burst of messages needed is given back: to malloc at once, up to what the pools may keep,
// and to the kernel soon afterwards.

#include <gtest/gtest.h>

#include <cstdint>

#include "allocation_count.h"
#include "allocation_kit.h"
#include "posix_semaphore.h"
#include "quern/quern.h"
#include "quern/testing/fake_clock.h"
#include "scheduler/scheduler.h"
#include "scheduler/watchdog.h"
#include "system/system_core.h"

namespace quern {
namespace {

using testing::FakeClock;

class AllocationBurstTest : public ::testing::Test {
 protected:
  static constexpr int64_t kMessages = 1'000'000;
  static constexpr int64_t kBlock = 56;

  SystemOptions Options() {
    SystemOptions options;
    options.name = "burst";
    options.workers = 2;
    options.clock = &clock_;
    return options;
  }

  // A million messages wait for one actor, and then it handles them.
  void Burst() {
    auto held = system_.Spawn<Held>("held", &go_).value();
    held.Tell(Hold{});
    for (int64_t i = 0; i < kMessages; ++i) held.Tell(Probe{i});
    live_when_full_ = AllocationCount::LiveBytes();
    resident_when_full_ = AllocationCount::ResidentBytes();
    go_.release();
    system_.WaitUntilQuiet();
  }

  void LetTheWatchdogLook(uint64_t times) {
    const internal::Watchdog& watchdog = *system_.core()->scheduler().watchdog();
    const uint64_t enough = watchdog.looks() + times;
    while (watchdog.looks() < enough) clock_.AdvanceBy(kWatchdogDefault);
  }

  FakeClock clock_;
  PosixSemaphore go_{0};
  System system_{Options()};
  int64_t live_when_full_ = 0;
  int64_t resident_when_full_ = 0;
};

TEST_F(AllocationBurstTest, WhatAMillionWaitingMessagesNeededGoesBackToMalloc) {
  const int64_t before = AllocationCount::LiveBytes();

  Burst();
  const int64_t after = AllocationCount::LiveBytes();

  constexpr int64_t kWithHeader = kBlock + 16 + 8;    // of malloc; its address
  constexpr int64_t kOthers = 8 * kRunnerStackBytes;  // fibers that have begun
  // What the depot holds, two magazines of each worker, and one of this thread.
  constexpr int64_t kKept = (kDepotMagazinesMax + 5) * kMagazineEnvelopes * kWithHeader + kOthers;
  EXPECT_GE(live_when_full_ - before, kMessages * kBlock);
  EXPECT_LE(after - before, kKept);
}

TEST_F(AllocationBurstTest, TheKernelGetsItBackToo) {
  Burst();

  LetTheWatchdogLook(4);  // one of them finds that blocks were freed, the next that no more are

  EXPECT_LE(AllocationCount::ResidentBytes(), resident_when_full_ - kMessages * kBlock / 2);
}

}  // namespace
}  // namespace quern
