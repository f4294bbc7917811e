#include "mailbox/thread_blocks.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>
#include <vector>

#include "allocation_count.h"
#include "quern/runtime/limits.h"

namespace quern {
namespace {

using internal::BlockBytes;
using internal::Magazine;
using internal::MagazineDepot;
using internal::ThreadBlocks;

constexpr uint8_t kClass = 3;

Magazine NewMagazine(size_t count) {
  Magazine magazine = Magazine::Make(count);
  for (size_t i = 0; i < count; ++i) magazine.Push(std::malloc(BlockBytes(kClass)));
  return magazine;
}

void OnAThread(void (*body)()) { std::thread(body).join(); }

TEST(ThreadBlocksTest, AThreadTakesAMagazineWhenItHasLessThanAnAskNeeds) {
  OnAThread([] {
    MagazineDepot depot;
    for (int i = 0; i < 2; ++i)
      depot.GiveEmpty(depot.TakeEmpty(kClass, NewMagazine(kMagazineEnvelopes)));

    ThreadBlocks::Refill(depot);
    const size_t first = ThreadBlocks::Count(kClass);
    while (ThreadBlocks::Count(kClass) > 1) std::free(ThreadBlocks::Allocate(kClass));
    ThreadBlocks::Refill(depot);

    EXPECT_EQ(first, kMagazineEnvelopes);
    EXPECT_EQ(ThreadBlocks::Count(kClass), kMagazineEnvelopes + 1);
  });
}

TEST(ThreadBlocksTest, AThreadKeepsAMagazineOfWhatItFrees) {
  OnAThread([] {
    Magazine blocks = NewMagazine(2 * kMagazineEnvelopes);
    while (!blocks.empty()) ThreadBlocks::Free(blocks.Pop(), kClass);
    FreeAll(blocks);

    EXPECT_EQ(ThreadBlocks::Count(kClass), kMagazineEnvelopes);
  });
}

TEST(ThreadBlocksTest, WhatAThreadHoldsIsFreedAtItsEnd) {
  MagazineDepot depot;
  const int64_t before = AllocationCount::LiveBytes();
  depot.GiveEmpty(depot.TakeEmpty(kClass, NewMagazine(kMagazineEnvelopes)));

  std::thread([&depot] { ThreadBlocks::Refill(depot); }).join();
  const int64_t after = AllocationCount::LiveBytes();

  EXPECT_LT(after - before, static_cast<int64_t>(kMagazineEnvelopes * BlockBytes(kClass)) / 2);
}

TEST(BlockCacheTest, WhatGoesFromOneWorkerToAnotherComesBackThroughTheDepot) {
  MagazineDepot depot;
  internal::BlockCache sender(&depot);
  internal::BlockCache receiver(&depot);
  const auto send = [&](size_t count) {
    for (; count > 0; --count) receiver.Free(sender.Allocate(kClass), kClass);
  };
  send(8 * kMagazineEnvelopes);

  AllocationCount::Begin();
  send(1000 * kMagazineEnvelopes);

  EXPECT_EQ(AllocationCount::End(), 0);
}

}  // namespace
}  // namespace quern
