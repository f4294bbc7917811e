// An idle worker takes over what waits behind a busy one. The handlers here hold their thread on
// purpose: without stealing these tests would never end.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "quern/quern.h"
#include "scheduler/biased_lock.h"
#include "scheduler/run_queue.h"
#include "scheduler/scheduler.h"
#include "scheduler/theft_pause.h"
#include "scheduler/worker.h"
#include "system/system_core.h"

namespace quern {
namespace {

using internal::BiasedLock;

struct Poke {};
struct RunApi : Protocol<void(Poke)> {};
struct Counter : Actor<RunApi> {
  explicit Counter(std::latch* done) : done_(done) {}
  void On(const Poke&) { done_->count_down(); }
  std::latch* done_;
};

struct HoldApi : Protocol<void(Poke)> {};
// Makes others ready and keeps its worker until they have run.
struct Holder : Actor<HoldApi> {
  Holder(std::vector<Ref<RunApi>> others, std::latch* done)
      : others_(std::move(others)), done_(done) {}
  void On(const Poke&) {
    for (const Ref<RunApi>& other : others_) other.Tell(Poke{});
    done_->wait();
  }
  std::vector<Ref<RunApi>> others_;
  std::latch* done_;
};

uint64_t StolenIn(System& system) {
  uint64_t stolen = 0;
  for (const auto& worker : system.core()->scheduler().workers()) stolen += worker->stolen();
  return stolen;
}

class StealingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!BiasedLock::Available()) GTEST_SKIP() << "this kernel has no membarrier";
  }

  // How many were stolen while one handler held its worker and `count` others waited behind it.
  static uint64_t RunBehindAHolder(int workers, int count) {
    System system({.name = "test", .workers = workers});
    std::latch done{count};
    std::vector<Ref<RunApi>> others;
    for (int i = 0; i < count; ++i) {
      others.push_back(system.Spawn<Counter>("c" + std::to_string(i), &done).value());
    }
    system.WaitUntilQuiet();
    const uint64_t before = StolenIn(system);
    system.Spawn<Holder>("holder", std::move(others), &done).value().Tell(Poke{});
    done.wait();
    return StolenIn(system) - before;
  }
};

TEST_F(StealingTest, TheNextOfAWorkerThatIsStuckRunsElsewhere) {
  EXPECT_GE(RunBehindAHolder(2, 1), 1u);
}

TEST_F(StealingTest, AQueueBehindALongHandlerRunsElsewhere) {
  EXPECT_GE(RunBehindAHolder(2, 100), 1u);
  EXPECT_GE(RunBehindAHolder(3, 3), 1u);
}

// Cells are told apart by their address: nothing here looks into them.
class RunQueueTest : public StealingTest {
 protected:
  RunQueueTest() {
    for (int i = 0; i < kCells; ++i) {
      refs_.push_back(system_.Spawn<Counter>("c" + std::to_string(i), &done_).value());
    }
    system_.WaitUntilQuiet();
    for (int i = 0; i < kCells; ++i) queue_.PushBack(CellAt(i));
  }
  internal::MailboxCell* CellAt(int i) {
    return static_cast<internal::MailboxCell*>(refs_[static_cast<size_t>(i)].cell().get());
  }

  static constexpr int kCells = 40;
  std::latch done_{1};
  System system_{{.name = "test", .workers = 1}};
  std::vector<Ref<RunApi>> refs_;
  internal::RunQueue queue_;
  internal::RunQueue::Loot stolen_;
};

TEST_F(RunQueueTest, AThiefGetsTheOldestHalfButNoMoreThanItsBound) {
  ASSERT_TRUE(queue_.Steal(&stolen_, /*all=*/false, kStealCellsMax));
  EXPECT_EQ(stolen_.size(), kStealCellsMax);
  EXPECT_EQ(stolen_.waiting.PopFront(), CellAt(0));

  ASSERT_TRUE(queue_.Steal(&stolen_, /*all=*/false, 1000));
  EXPECT_EQ(queue_.size(), 12u) << "half of 24";
}

TEST_F(RunQueueTest, TheSlotStaysUnlessAllIsTaken) {
  while (queue_.size() > 1) queue_.Pop();
  internal::MailboxCell* last = queue_.Pop();
  queue_.PushNext(last);

  EXPECT_FALSE(queue_.Steal(&stolen_, /*all=*/false, kStealCellsMax));
  EXPECT_TRUE(queue_.Steal(&stolen_, /*all=*/true, 0));
  EXPECT_EQ(stolen_.waiting.PopFront(), last);
  EXPECT_TRUE(queue_.empty());
  EXPECT_EQ(queue_.Pop(), nullptr);
}

TEST_F(RunQueueTest, StolenNewbornActorsAreNewbornWithTheThiefToo) {
  while (!queue_.empty()) queue_.Pop();
  for (int i = 0; i < 8; ++i) queue_.PushNewborn(CellAt(i));
  ASSERT_TRUE(queue_.Steal(&stolen_, /*all=*/false, kStealCellsMax));
  EXPECT_EQ(stolen_.newborn.size(), 4u);
  EXPECT_TRUE(stolen_.waiting.empty());

  internal::RunQueue thief;
  thief.Add(&stolen_);
  EXPECT_EQ(thief.Pop(), CellAt(3)) << "the youngest of the oldest half";
  thief.PushNewborn(CellAt(8));
  EXPECT_EQ(thief.Pop(), CellAt(8));
  EXPECT_EQ(thief.Pop(), CellAt(2));
  EXPECT_EQ(queue_.Pop(), CellAt(7));
}

TEST_F(RunQueueTest, WhoTakesAllTakesTheNewbornActorsTooInTheirOrder) {
  while (!queue_.empty()) queue_.Pop();
  for (int i = 0; i < 4; ++i) queue_.PushNewborn(CellAt(i));
  ASSERT_TRUE(queue_.Steal(&stolen_, /*all=*/true, 0));
  EXPECT_TRUE(queue_.empty());

  internal::RunQueue thief;
  thief.PushNewborn(CellAt(9));
  thief.Add(&stolen_);
  for (int i : {3, 2, 1, 0, 9}) EXPECT_EQ(thief.Pop(), CellAt(i)) << "what came last is youngest";
}

TEST_F(RunQueueTest, NewbornActorsBeyondTheRoomForThemWaitWithAllOthers) {
  while (!queue_.empty()) queue_.Pop();
  for (size_t i = 0; i < internal::Newborn::kMax; ++i) queue_.PushNewborn(CellAt(1));
  ASSERT_TRUE(queue_.Steal(&stolen_, /*all=*/false, kStealCellsMax));
  EXPECT_TRUE(stolen_.waiting.empty());
  for (size_t i = 0; i < kStealCellsMax; ++i) queue_.PushNewborn(CellAt(1));
  queue_.PushNewborn(CellAt(0));

  internal::RunQueue::Loot more;
  ASSERT_TRUE(queue_.Steal(&more, /*all=*/false, kStealCellsMax));
  EXPECT_EQ(more.waiting.size(), 1u);
}

TEST_F(RunQueueTest, TheOldestNewbornActorDoesNotWaitForEver) {
  while (!queue_.empty()) queue_.Pop();
  queue_.PushNewborn(CellAt(0));
  int turns = 0;
  for (internal::MailboxCell* ran = nullptr; ran != CellAt(0); ++turns) {
    ASSERT_LT(turns, 1000);
    queue_.PushNewborn(CellAt(1 + turns % 30));
    ran = queue_.Pop();
  }
  EXPECT_GT(turns, 100) << "the youngest go first";
}

TEST_F(RunQueueTest, WhatIsTooMuchForHereIsTheOldestNewbornActor) {
  while (!queue_.empty()) queue_.Pop();
  for (int i = 0; i < 3; ++i) queue_.PushNewborn(CellAt(i));
  EXPECT_EQ(queue_.SwapNewborn(CellAt(3)), CellAt(0));
  EXPECT_EQ(queue_.waiting(), 3u);
}

TEST_F(RunQueueTest, NewbornActorsKeepTheirOrderHoweverManyTheyAre) {
  while (!queue_.empty()) queue_.Pop();
  constexpr int kMany = 1000;  // more than there is room for at first
  for (int i = 0; i < kMany; ++i) queue_.PushNewborn(CellAt(i % kCells));
  EXPECT_EQ(queue_.waiting(), static_cast<size_t>(kMany));
  for (int i = 0; i < 200; ++i) EXPECT_EQ(queue_.Pop(), CellAt((kMany - 1 - i) % kCells));
}

class TheftPauseTest : public ::testing::Test {
 protected:
  // A theft now, whose catch keeps the thief busy for so long; the pause after it.
  Duration PauseAfter(Duration worked) {
    pause_.Began(now_);
    now_ += worked;
    pause_.Ended(now_);
    const Duration pause = std::max(pause_.until() - now_, Duration::zero());
    now_ += pause;
    EXPECT_TRUE(pause_.Over(now_));
    return pause;
  }

  internal::TheftPause pause_;
  Time now_{std::chrono::seconds(1)};
};

TEST_F(TheftPauseTest, ThoseThatBringLittleBecomeRare) {
  using internal::TheftPause;
  EXPECT_EQ(PauseAfter(Duration(1)), TheftPause::kMin);
  EXPECT_EQ(PauseAfter(Duration(1)), 2 * TheftPause::kMin);
  for (int i = 0; i < 10; ++i) PauseAfter(Duration(1));
  EXPECT_EQ(PauseAfter(Duration(1)), TheftPause::kMax);
}

TEST_F(TheftPauseTest, OneThatWasWorthItEndsThePauses) {
  using internal::TheftPause;
  PauseAfter(Duration(1));
  EXPECT_EQ(PauseAfter(TheftPause::kWorthIt), Duration::zero());
  EXPECT_EQ(PauseAfter(Duration(1)), TheftPause::kMin);
}

TEST_F(TheftPauseTest, AFailedOneCountsAndIdlenessWithoutOneDoesNot) {
  pause_.Failed(now_);
  EXPECT_FALSE(pause_.Over(now_));
  const Time until = pause_.until();
  pause_.Ended(now_);
  EXPECT_EQ(pause_.until(), until);
}

TEST(BiasedLockTest, ExcludesOwnerAndOthers) {
  BiasedLock lock;
  int64_t counter = 0;
  int64_t others = 0;
  std::latch ready{2};
  std::thread other([&] {
    ready.arrive_and_wait();
    for (int i = 0; i < 2000; ++i) {
      if (!lock.TryLockOther()) continue;
      ++counter;
      ++others;
      lock.UnlockOther();
    }
  });
  ready.arrive_and_wait();
  for (int i = 0; i < 200'000; ++i) {
    internal::BiasedLockHolder held(lock);
    ++counter;
  }
  other.join();

  EXPECT_EQ(counter, 200'000 + others);
  EXPECT_EQ(others > 0, BiasedLock::Available());
}

TEST(BiasedLockTest, OneOtherAtATime) {
  BiasedLock lock;
  if (!lock.TryLockOther()) GTEST_SKIP() << "this kernel has no membarrier";

  EXPECT_FALSE(lock.TryLockOther());
  lock.UnlockOther();
  EXPECT_TRUE(lock.TryLockOther());
  lock.UnlockOther();
}

}  // namespace
}  // namespace quern
