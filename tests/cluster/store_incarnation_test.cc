#include "quern/cluster/store_incarnation.h"

#include <vector>

#include <gtest/gtest.h>

#include "quern/cluster/embedded_control_plane.h"
#include "quern/testing/virtual_time.h"

namespace quern::cluster {
namespace {

using namespace std::chrono_literals;

class StoreIncarnationTest : public ::testing::Test {
 protected:
  // Opens on a plane of its own, under the name `node`.
  void Open(const std::string& node) {
    planes_.push_back(store_.Connect(node, *executor_));
    OpenStoreIncarnation(
        *planes_.back(), *executor_,
        {.cluster = "c", .timeout = 10s, .clock = &time_, .random = random_.get()},
        [this](StatusOr<StoreIdentity> identity) { opened_.push_back(std::move(identity)); });
  }

  // "n x number", or the first error.
  std::string Agreement() const {
    for (const auto& identity : opened_) {
      if (!identity.ok()) return identity.status().ToString();
      if (*identity != *opened_.front()) return "they differ";
    }
    return std::to_string(opened_.size()) + " x " + std::to_string(opened_.at(0)->number);
  }

  testing::VirtualTime time_;
  std::unique_ptr<testing::VirtualExecutor> executor_ = time_.NewExecutor();
  std::unique_ptr<Random> random_ = SeededRandom(3);
  EmbeddedStore store_{*executor_, SeededRandom(4), {.latency_min = 1ms, .latency_max = 20ms}};
  std::vector<std::unique_ptr<EmbeddedControlPlane>> planes_;
  std::vector<StatusOr<StoreIdentity>> opened_;
};

TEST_F(StoreIncarnationTest, AllWhoRaceGetTheSameAnswer) {
  for (int i = 0; i < 8; ++i) Open("node");
  time_.RunFor(1s);
  Open("node");
  time_.RunFor(1s);

  EXPECT_EQ(Agreement(), "9 x 1");
}

TEST_F(StoreIncarnationTest, LostAnswersAndAnOutageAreRiddenOver) {
  store_.NextMutations("a", EmbeddedFate::kAppliedUnanswered);
  store_.NextMutations("b", EmbeddedFate::kLost);
  store_.CutOff("c", true);
  for (const char* node : {"a", "b", "c"}) Open(node);
  time_.RunFor(5s);
  store_.CutOff("c", false);
  time_.RunFor(5s);

  EXPECT_EQ(Agreement(), "3 x 1");
}

TEST_F(StoreIncarnationTest, AStoreThatStaysAwayIsUnavailable) {
  store_.CutOff("a", true);
  Open("a");

  time_.RunFor(11s);

  ASSERT_EQ(opened_.size(), 1u);
  EXPECT_TRUE(absl::IsUnavailable(opened_[0].status())) << opened_[0].status();
}

TEST_F(StoreIncarnationTest, AnotherRecordUnderThatKeyIsDataLoss) {
  const auto plane = store_.Connect("a", *executor_);
  plane->Create(Table::kControl, "c.incarnation", "\xFF garbage", 1s, [](const CasResult&) {});
  time_.RunFor(1s);
  Open("a");

  time_.RunFor(1s);

  ASSERT_EQ(opened_.size(), 1u);
  EXPECT_TRUE(absl::IsDataLoss(opened_[0].status())) << opened_[0].status();
}

}  // namespace
}  // namespace quern::cluster
