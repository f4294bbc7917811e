#include "quern/remoting/network.h"

#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim_cluster.h"

namespace quern::remoting {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

TEST(NetworkFenceTest, NothingOfUsersLeavesAfterTheEndOfTheLease) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  Outcome outcome;
  a.network->SetSendingUntil(cluster.time.Now() + 1s);
  a.network->Tell(b.address(), Letter("in time"));
  cluster.time.RunFor(1s);

  EXPECT_EQ(a.network->Tell(b.address(), Letter("late")), Delivery::kUnreachable);
  a.network->Ask(b.address(), Letter("late ask", cluster.time.Now() + 5s), outcome.Take());
  a.network->SendSystem(b.address(), {.type = "test.System", .bytes = ""});
  cluster.time.RunFor(1s);

  EXPECT_THAT(b.bodies(), ElementsAre("in time"));
  EXPECT_EQ(b.system_received.size(), 1u);
  EXPECT_EQ(outcome.count, 1);
  EXPECT_EQ(outcome.reply.status.code(), absl::StatusCode::kUnavailable) << outcome.reply.status;
}

TEST(NetworkFenceTest, WhatWasQueuedWhenTheLeaseEndedIsNotSent) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  Outcome outcome;
  cluster.net.SetLink("a", "b", {.delay = 500ms});  // a handshake's time
  a.network->SetSendingUntil(cluster.time.Now() + 10ms);

  EXPECT_EQ(a.network->Tell(b.address(), Letter("queued")), Delivery::kAccepted);
  a.network->Ask(b.address(), Letter("queued ask", cluster.time.Now() + 5s), outcome.Take());
  cluster.time.RunFor(3s);

  EXPECT_THAT(b.bodies(), IsEmpty());
  EXPECT_EQ(outcome.reply.status.code(), absl::StatusCode::kUnavailable) << outcome.reply.status;
  EXPECT_EQ(a.network->stats().user_messages_fenced, 2u);
}

TEST(NetworkFenceTest, AnAnswerAfterTheEndOfTheLeaseIsToldAsUnknown) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  Outcome outcome;
  b.answer = false;
  a.network->Ask(b.address(), Letter("slow", cluster.time.Now() + 5s), outcome.Take());
  cluster.time.RunFor(1s);

  b.network->SetSendingUntil(cluster.time.Now());
  b.unanswered.at(0)(UserReply{.status = {}, .body = "too late"});
  cluster.time.RunFor(1s);

  EXPECT_EQ(outcome.count, 1);
  EXPECT_TRUE(outcome.reply.from_peer);
  EXPECT_EQ(outcome.reply.status.code(), absl::StatusCode::kDeadlineExceeded);

  b.network->SetSendingUntil(kNever);
  b.answer = true;
  a.network->Ask(b.address(), Letter("again", cluster.time.Now() + 5s), outcome.Take());
  cluster.time.RunFor(1s);
  EXPECT_EQ(outcome.reply.body, "re: again");
}

}  // namespace
}  // namespace quern::remoting
