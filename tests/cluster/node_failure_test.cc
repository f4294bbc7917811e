// What a cluster does when nodes die, leave, join or lose their control plane, in real time.

#include "quern/cluster/node.h"

#include "node_test_kit.h"

namespace quern::cluster {
namespace {

using namespace std::chrono_literals;

using NodeFailureTest = NodeTest;

TEST_F(NodeFailureTest, NodesJoinWhileCallersGoOnAndNothingIsLostOrDoubled) {
  StartCluster(1);
  Load load(peer(0), 20);

  ASSERT_EQ(Start(MakePeer()), absl::OkStatus());
  ASSERT_EQ(Start(MakePeer()), absl::OkStatus());
  for (const auto& peer : peers_) ASSERT_TRUE(peer->AwaitMembers(3));
  load.AwaitRounds(3);
  const auto calls = load.Stop();

  for (const auto& [key, outcome] : calls) {
    EXPECT_EQ(outcome.failed, 0) << key << ' ' << outcome.failure;
    EXPECT_EQ(peer(2).Add(key, 0).value_or(-1), outcome.acknowledged) << key;
  }
  EXPECT_EQ(TheCensus().most_at_once(), 1);
}

TEST_F(NodeFailureTest, WhatWasAcknowledgedSurvivesANodeThatDiesUnderLoad) {
  lease_.length = 10 * kPatience;
  StartCluster(3);
  Load load(peer(0), 30);
  load.AwaitRounds(2);

  peer(2).node.reset();
  ASSERT_TRUE(peer(0).AwaitMembers(2));
  load.AwaitRounds(2);
  const auto calls = load.Stop();

  for (const auto& [key, outcome] : calls) {
    const int64_t total = peer(1).Add(key, 0).value_or(-1);
    EXPECT_GE(total, outcome.acknowledged) << key;
    EXPECT_LE(total, outcome.acknowledged + outcome.failed) << key << ' ' << outcome.failure;
  }
}

TEST_F(NodeFailureTest, ALeavingNodeHandsOverAndStateSurvives) {
  durable_state_ = true;
  StartCluster(3);
  const auto before = Fill(peer(0), 30);
  ASSERT_TRUE(Nodes(before).contains("node-2"));

  std::atomic<bool> left{false};
  std::atomic<int64_t> answered{0};
  std::thread caller([&] {  // goes on calling while the node leaves
    while (!left) {
      for (const auto& [key, node] : before) {
        const auto total = peer(1).Add(key, 0);
        EXPECT_EQ(total.value_or(-1), 1) << key << ' ' << total.status();
        ++answered;
      }
    }
  });
  EXPECT_EQ(peer(2).node->Leave(), absl::OkStatus());
  left = true;
  caller.join();

  ASSERT_TRUE(peer(0).AwaitMembers(2));
  for (const auto& [key, node] : before) {
    EXPECT_EQ(peer(0).Add(key, 1).value_or(-1), 2) << key;
    EXPECT_NE(peer(0).Where(key).value_or("nowhere"), "node-2") << key;
  }
  EXPECT_GT(answered, 0);
  EXPECT_EQ(TheCensus().most_at_once(), 1);
}

TEST_F(NodeFailureTest, ANodeThatDiesIsEvictedByProofLongBeforeItsLeaseEnds) {
  lease_.length = 10 * kPatience;  // what silence would take
  StartCluster(3);
  const auto before = Fill(peer(0), 30);
  std::map<std::string, std::string> epochs;
  for (const auto& [key, node] : before) epochs[key] = peer(0).EpochOf(key).value_or("");
  ASSERT_TRUE(Nodes(before).contains("node-2"));

  peer(2).node.reset();

  ASSERT_TRUE(peer(0).AwaitMembers(2));
  for (const auto& [key, node] : before) {
    EXPECT_EQ(peer(0).Add(key, 1).value_or(-1), 2) << key;
    const std::string now = peer(0).Where(key).value_or("nowhere");
    if (node != "node-2") {
      EXPECT_EQ(now, node) << key;
      continue;
    }
    EXPECT_NE(now, "node-2") << key;
    EXPECT_GT(peer(0).EpochOf(key).value_or(""), epochs[key]) << key;
  }
}

TEST_F(NodeFailureTest, InAViewOfTwoOneWitnessProvesAnExit) {
  lease_.length = 10 * kPatience;
  StartCluster(2);
  const auto before = Fill(peer(0), 20);
  ASSERT_TRUE(Nodes(before).contains("node-1"));

  peer(1).node.reset();

  ASSERT_TRUE(peer(0).AwaitMembers(1));
  for (const auto& [key, node] : before) {
    EXPECT_EQ(peer(0).Add(key, 1).value_or(-1), 2) << key;
    EXPECT_EQ(peer(0).Where(key).value_or("nowhere"), "node-0") << key;
  }
}

TEST_F(NodeFailureTest, ANodeThatCannotRenewIsEvictedBySilenceAndToldOnceItHears) {
  lease_ = LeaseTimes().DividedBy(10);
  StartCluster(2);
  const auto before = Fill(peer(0), 20);
  ASSERT_TRUE(Nodes(before).contains("node-1"));

  store_->CutOff("node-1", true);  // alive and connected, so nothing proves an exit
  ASSERT_TRUE(peer(0).AwaitMembers(1));
  for (const auto& [key, node] : before) {
    EXPECT_EQ(peer(0).Add(key, 1).value_or(-1), 2) << key;
    EXPECT_EQ(peer(0).Where(key).value_or("nowhere"), "node-0") << key;
  }
  const auto cut_off = peer(1).Counter("counter-0").Ask(int64_t{1}, 1s);
  EXPECT_TRUE(absl::IsUnavailable(cut_off.status())) << cut_off.status();

  store_->CutOff("node-1", false);
  EXPECT_TRUE(peer(1).evicted->WaitForNotificationWithTimeout(absl::FromChrono(kPatience)));
  EXPECT_EQ(peer(0).Add("counter-0", 0).value_or(-1), 2);
}

TEST_F(NodeFailureTest, WithoutItsControlPlaneANodeFencesItselfAndServesAgainWhenARenewalWins) {
  lease_ = LeaseTimes().DividedBy(10);
  StartCluster(1);
  ASSERT_EQ(peer(0).Add("counter", 1).value_or(-1), 1);

  store_->CutOff("node-0", true);
  Status fenced;
  while (fenced.ok()) fenced = peer(0).Counter("counter").Ask(std::string("where"), 5s).status();
  EXPECT_TRUE(absl::IsUnavailable(fenced)) << fenced;

  store_->CutOff("node-0", false);
  StatusOr<int64_t> total = fenced;
  while (absl::IsUnavailable(total.status())) total = peer(0).Add("counter", 1);
  EXPECT_EQ(total.value_or(-1), 2) << total.status();
}

TEST_F(NodeFailureTest, WhereProofIsSwitchedOffADeadNodeIsEvictedBySilence) {
  lease_ = LeaseTimes().DividedBy(10);
  proof_of_exit_ = false;
  StartCluster(2);
  ASSERT_TRUE(Nodes(Fill(peer(0), 20)).contains("node-1"));
  const Time killed = SystemClock().Now();

  peer(1).node.reset();

  ASSERT_TRUE(peer(0).AwaitMembers(1));
  EXPECT_GE(SystemClock().Now() - killed, lease_.length - 2 * lease_.renew_every);
  EXPECT_EQ(peer(0).Where("counter-0").value_or("nowhere"), "node-0");
}

}  // namespace
}  // namespace quern::cluster
