#include "quern/remoting/network.h"

#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quern/remoting/limits.h"
#include "sim_cluster.h"

namespace quern::remoting {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

struct Outcome {
  int count = 0;
  UserReply reply;
  std::function<void(UserReply)> Take() {
    return [this](UserReply r) {
      ++count;
      reply = std::move(r);
    };
  }
};

TEST(NetworkTest, TellArrivesWithEverythingItCarries) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  UserMessage message = Letter("hello", cluster.time.Now() + 5s);
  message.sender = {.grain = GrainId("cart", "7"), .epoch = {1, 2, 3, 4}, .actor_id = 9};
  message.target_epoch = {4, 3, 2, 1};
  message.call_chain = {"a/one", "a/two"};

  EXPECT_EQ(a.network->Tell(b.address(), message), Delivery::kAccepted);
  cluster.time.RunFor(1s);

  ASSERT_EQ(b.received.size(), 1u);
  const auto& [from, got] = b.received.front();
  EXPECT_EQ(from, "a");
  EXPECT_EQ(got.grain, message.grain);
  EXPECT_EQ(got.type_name, "test.Letter");
  EXPECT_EQ(got.body, "hello");
  EXPECT_EQ(got.sender.grain, message.sender.grain);
  EXPECT_EQ(got.sender.epoch, message.sender.epoch);
  EXPECT_EQ(got.sender.actor_id, 9u);
  EXPECT_EQ(got.target_epoch, message.target_epoch);
  EXPECT_EQ(got.call_chain, message.call_chain);
  EXPECT_NEAR(static_cast<double>((message.deadline - got.deadline).count()), 0, 1e6);
}

TEST(NetworkTest, AskIsAnsweredOnTheSameConnection) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  Outcome outcome;

  a.network->Ask(b.address(), Letter("ping", cluster.time.Now() + 5s), outcome.Take());
  cluster.time.RunFor(1s);

  EXPECT_EQ(outcome.count, 1);
  EXPECT_TRUE(outcome.reply.status.ok()) << outcome.reply.status;
  EXPECT_TRUE(outcome.reply.from_peer);
  EXPECT_EQ(outcome.reply.body, "re: ping");
}

}  // namespace
}  // namespace quern::remoting
