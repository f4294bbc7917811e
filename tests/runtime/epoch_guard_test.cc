#include "grain/epoch_guard.h"

#include <string>

#include <gtest/gtest.h>

namespace quern::internal {
namespace {

SenderStamp Stamp(const std::string& key, uint64_t counter) {
  return SenderStamp{GrainId("cart", key), Epoch{0, 1, 1, counter}, 0};
}

TEST(EpochGuardTest, WhatASupersededActivationSendsIsRefused) {
  EpochGuard guard;
  ASSERT_TRUE(guard.Check(Stamp("42", 7)).ok());

  const Status late = guard.Check(Stamp("42", 6));

  EXPECT_EQ(late.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(ReasonOf(late), Reason::kStaleEpoch);
  EXPECT_EQ(late.message(), "message of cart/42 at epoch 0.1.1.6: superseded by epoch 0.1.1.7");
}

TEST(EpochGuardTest, TheSameEpochIsHeardAsOftenAsItSpeaks) {
  EpochGuard guard;

  EXPECT_TRUE(guard.Check(Stamp("42", 7)).ok());
  EXPECT_TRUE(guard.Check(Stamp("42", 7)).ok());
}

TEST(EpochGuardTest, GrainsDoNotFenceEachOther) {
  EpochGuard guard;
  ASSERT_TRUE(guard.Check(Stamp("42", 7)).ok());

  EXPECT_TRUE(guard.Check(Stamp("43", 1)).ok());
}

TEST(EpochGuardTest, ActorsAndThreadsAreAlwaysHeard) {
  EpochGuard guard;

  EXPECT_TRUE(guard.Check(SenderStamp{}).ok());
  EXPECT_TRUE(guard.Check(SenderStamp{GrainId(), Epoch{}, 12}).ok());
}

TEST(EpochGuardTest, ANewActivationHereRaisesWhatIsKnown) {
  EpochGuard guard;
  EXPECT_TRUE(guard.Raise(GrainId("cart", "42"), Epoch{0, 1, 2, 1}));

  EXPECT_FALSE(guard.Raise(GrainId("cart", "42"), Epoch{0, 1, 1, 99}));
  EXPECT_FALSE(guard.Check(Stamp("42", 99)).ok());
  EXPECT_EQ(guard.Highest(GrainId("cart", "42")), (Epoch{0, 1, 2, 1}));
}

TEST(EpochGuardTest, AFullTableForgetsTheGrainThatWasSilentLongest) {
  EpochGuard guard(16);  // one grain a shard
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(guard.Check(Stamp(std::to_string(i), 7)).ok());
    ASSERT_FALSE(guard.Check(Stamp(std::to_string(i), 6)).ok()) << "the newest is remembered";
  }

  int remembered = 0;
  for (int i = 0; i < 1000; ++i) {
    remembered += guard.Highest(GrainId("cart", std::to_string(i))).IsZero() ? 0 : 1;
  }
  EXPECT_EQ(remembered, 16);
}

}  // namespace
}  // namespace quern::internal
