#include "quern/cluster/settle.h"

#include <gtest/gtest.h>

#include "quern/cluster/v1/cluster.pb.h"

namespace quern::cluster {
namespace {

// A view: version v, written at revision 10 + v with nonce 100 + v.
class SettleTest : public ::testing::Test {
 protected:
  v1::View Written(uint64_t version, int limit = 4) {
    v1::View view;
    for (uint64_t v = 1; v <= version; ++v) {
      PushWriteMark(view.mutable_recent_writes(), v, "writer", 100 + v, limit);
    }
    return view;
  }
  Settled SettleAt(uint64_t version, const UnknownWrite& write) {
    const v1::View view = Written(version);
    return Settle(write, {.revision = 10 + version, .nonce = 100 + version}, view.recent_writes());
  }

  // An attempt to write version 5 over version 4, by someone else than who did write version 5.
  const UnknownWrite lost_{.expected = 14, .version = 5, .nonce = 999};
  const UnknownWrite won_{.expected = 14, .version = 5, .nonce = 105};
};

TEST_F(SettleTest, OnesOwnNonceInTheValueIsApplied) {
  EXPECT_EQ(SettleAt(5, won_), Settled::kApplied);
}

TEST_F(SettleTest, OnesOwnNonceInTheRingIsAppliedAndOverwritten) {
  EXPECT_EQ(SettleAt(7, won_), Settled::kOverwritten);
}

TEST_F(SettleTest, ARecordThatMovedOnWithoutOnesMarkIsNotApplied) {
  EXPECT_EQ(SettleAt(5, lost_), Settled::kNotApplied);
  EXPECT_EQ(SettleAt(7, lost_), Settled::kNotApplied);
}

TEST_F(SettleTest, ARecordAtTheExpectedRevisionIsOpen) {
  EXPECT_EQ(SettleAt(4, lost_), Settled::kOpen);
  EXPECT_EQ(SettleAt(4, won_), Settled::kOpen);
  EXPECT_EQ(Settle(UnknownWrite{.expected = 0, .version = 1, .nonce = 7}, SeenRecord{},
                   v1::View().recent_writes()),
            Settled::kOpen);
}

TEST_F(SettleTest, AReadFromBeforeOnesOwnIsStale) {
  EXPECT_EQ(SettleAt(3, lost_), Settled::kStale);
}

TEST_F(SettleTest, ARingThatNoLongerReachesBackSaysNothing) {
  EXPECT_EQ(SettleAt(8, lost_), Settled::kNotApplied);
  EXPECT_EQ(SettleAt(9, lost_), Settled::kForgotten);
  EXPECT_EQ(SettleAt(9, won_), Settled::kForgotten);
}

TEST_F(SettleTest, TheRingKeepsTheNewest) {
  const v1::View view = Written(9, 3);

  ASSERT_EQ(view.recent_writes_size(), 3);
  EXPECT_EQ(view.recent_writes(0).version(), 7u);
  EXPECT_EQ(view.recent_writes(2).nonce(), 109u);
  EXPECT_EQ(view.recent_writes(2).writer(), "writer");
}

}  // namespace
}  // namespace quern::cluster
