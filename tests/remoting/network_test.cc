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

TEST(NetworkTest, OrderHoldsFromOneNodeToAnother) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  std::vector<std::string> sent;

  for (int i = 0; i < 1000; ++i) {
    sent.push_back(std::to_string(i));
    a.network->Tell(i % 3 == 0 ? b.any_process() : b.address(), Letter(sent.back()));
    if (i % 100 == 0) cluster.time.RunFor(100us);
  }
  cluster.time.RunFor(1s);

  // Two ways to name the peer are two queues until the first dial has told who it is.
  std::vector<std::string> by_address, by_process, got_by_address, got_by_process;
  for (int i = 0; i < 1000; ++i) (i % 3 == 0 ? by_address : by_process).push_back(sent[i]);
  for (const std::string& body : b.bodies()) {
    (std::stoi(body) % 3 == 0 ? got_by_address : got_by_process).push_back(body);
  }
  EXPECT_EQ(got_by_address, by_address);
  EXPECT_EQ(got_by_process, by_process);
}

TEST(NetworkTest, TwoNodesShareOneConnectionALane) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");

  a.network->Tell(b.address(), Letter("to b"));
  cluster.time.RunFor(1s);
  b.network->Tell(a.address(), Letter("to a"));
  a.network->Tell(b.any_process(), Letter("to whoever is there"));
  cluster.time.RunFor(1s);

  EXPECT_THAT(a.bodies(), ElementsAre("to a"));
  EXPECT_THAT(b.bodies(), ElementsAre("to b", "to whoever is there"));
  // The tell by address alone dialled once, and found that it knows the process already.
  EXPECT_LE(cluster.net.streams(), 2u);
}

TEST(NetworkTest, NodesThatDialEachOtherAtOnceLoseNothing) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");

  for (int i = 0; i < 100; ++i) {
    a.network->Tell(b.address(), Letter(std::to_string(i)));
    b.network->Tell(a.address(), Letter(std::to_string(i)));
    cluster.time.RunFor(20us);
  }
  cluster.time.RunFor(1s);

  ASSERT_EQ(a.received.size(), 100u);
  ASSERT_EQ(b.received.size(), 100u);
  EXPECT_EQ(a.bodies(), b.bodies());
  EXPECT_EQ(a.bodies().front(), "0");
  EXPECT_EQ(a.bodies().back(), "99");
}

// A break that only the sender has noticed: what it wrote before is still under way when it writes
// on a new connection.
TEST(NetworkTest, WhatAnOldConnectionBringsLateIsDiscarded) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  a.network->Tell(b.address(), Letter("1"));
  cluster.time.RunFor(1s);

  cluster.net.SetLink("a", "b", {.delay = 500ms});
  a.network->Tell(b.address(), Letter("2"));
  cluster.time.RunFor(1ms);
  cluster.net.Sever("a", "b");
  cluster.net.SetLink("a", "b", {.delay = 50us});
  cluster.time.RunFor(1ms);
  a.network->Tell(b.address(), Letter("3"));
  cluster.time.RunFor(2s);

  EXPECT_THAT(b.bodies(), ElementsAre("1", "3"));
  EXPECT_EQ(b.closed(CloseReason::kStaleGeneration), 1u);
}

TEST(NetworkTest, ASlowAskBlocksNobody) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  Outcome slow, quick;
  b.answer = false;
  a.network->Ask(b.address(), Letter("slow", cluster.time.Now() + 10s), slow.Take());
  cluster.time.RunFor(1s);
  b.answer = true;

  a.network->Ask(b.address(), Letter("quick", cluster.time.Now() + 10s), quick.Take());
  cluster.time.RunFor(1s);
  EXPECT_EQ(slow.count, 0);
  EXPECT_EQ(quick.reply.body, "re: quick");
  b.unanswered[0](UserReply{.status = {}, .body = "at last"});
  cluster.time.RunFor(1s);

  EXPECT_EQ(slow.count, 1);
  EXPECT_EQ(slow.reply.body, "at last");
}

TEST(NetworkTest, AnAskWithoutAnAnswerEndsAtItsDeadlineAsUnknown) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  Outcome outcome;
  b.answer = false;

  a.network->Ask(b.address(), Letter("x", cluster.time.Now() + 2s), outcome.Take());
  cluster.time.RunFor(1999ms);
  EXPECT_EQ(outcome.count, 0);
  cluster.time.RunFor(2ms);

  EXPECT_EQ(outcome.count, 1);
  EXPECT_TRUE(absl::IsDeadlineExceeded(outcome.reply.status)) << outcome.reply.status;
  EXPECT_FALSE(outcome.reply.from_peer);
}

TEST(NetworkTest, ALateReplyChangesNothing) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  Outcome late, next;
  b.answer = false;
  a.network->Ask(b.address(), Letter("x", cluster.time.Now() + 1s), late.Take());
  cluster.time.RunFor(2s);
  ASSERT_EQ(late.count, 1);

  b.unanswered[0](UserReply{.status = {}, .body = "late"});
  b.unanswered[0](UserReply{.status = {}, .body = "twice"});
  b.answer = true;
  a.network->Ask(b.address(), Letter("y", cluster.time.Now() + 1s), next.Take());
  cluster.time.RunFor(1s);

  EXPECT_EQ(late.count, 1);
  EXPECT_EQ(next.reply.body, "re: y");
}

TEST(NetworkTest, AnAskThatTheHandlerDropsIsAnsweredAborted) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  Outcome outcome;
  b.on_user = [](const NodeIdentity&, UserMessage&, NetworkHandler::ReplyUser&) {};

  a.network->Ask(b.address(), Letter("x", cluster.time.Now() + 5s), outcome.Take());
  cluster.time.RunFor(100ms);

  EXPECT_EQ(outcome.count, 1);
  EXPECT_TRUE(absl::IsAborted(outcome.reply.status)) << outcome.reply.status;
  EXPECT_TRUE(outcome.reply.from_peer);
}

TEST(NetworkTest, APeersOwnUnavailableIsToldFromOneMadeHere) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  Outcome outcome;
  b.on_user = [](const NodeIdentity&, UserMessage&, NetworkHandler::ReplyUser& reply) {
    reply(UserReply{.status = WithReason(absl::UnavailableError("no"), Reason::kDcDraining)});
  };

  a.network->Ask(b.address(), Letter("x", cluster.time.Now() + 5s), outcome.Take());
  cluster.time.RunFor(1s);

  EXPECT_TRUE(absl::IsUnavailable(outcome.reply.status));
  EXPECT_EQ(ReasonOf(outcome.reply.status), Reason::kDcDraining);
  EXPECT_TRUE(outcome.reply.from_peer);
}

TEST(NetworkTest, AskingWhereNobodyListensIsSurelyNotSent) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  Outcome first, again;
  const PeerAddress nobody{"127.0.0.1:1", {}};

  a.network->Ask(nobody, Letter("x", cluster.time.Now() + 5s), first.Take());
  cluster.time.RunFor(1ms);
  a.network->Ask(nobody, Letter("y", cluster.time.Now() + 5s), again.Take());
  cluster.time.RunFor(1us);

  EXPECT_TRUE(absl::IsUnavailable(first.reply.status)) << first.reply.status;
  EXPECT_FALSE(first.reply.from_peer);
  EXPECT_TRUE(absl::IsUnavailable(again.reply.status)) << "at once, within the pause";
  EXPECT_EQ(a.network->Tell(nobody, Letter("z")), Delivery::kUnreachable);
}

TEST(NetworkTest, APeerThatComesUpIsReachedAfterThePause) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  a.network->Tell({"127.0.0.1:9000", {}}, Letter("lost"));
  cluster.time.RunFor(10ms);

  SimPeer& b = cluster.Add("b", [](auto& options) { options.listen_address = "127.0.0.1:9000"; });
  cluster.time.RunFor(1s);
  EXPECT_EQ(a.network->Tell({"127.0.0.1:9000", {}}, Letter("arrives")), Delivery::kAccepted);
  cluster.time.RunFor(1s);

  EXPECT_THAT(b.bodies(), ElementsAre("arrives"));
}

TEST(NetworkTest, AnAskThroughACutIsSurelyNotSentWhileNothingIsConnected) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  Outcome outcome;
  cluster.net.CutBoth("a", "b");

  a.network->Ask(b.address(), Letter("x", cluster.time.Now() + 500ms), outcome.Take());
  cluster.time.RunFor(600ms);

  EXPECT_EQ(outcome.count, 1);
  EXPECT_TRUE(absl::IsUnavailable(outcome.reply.status)) << outcome.reply.status;
  cluster.net.HealAll();
  cluster.time.RunFor(5s);
  EXPECT_THAT(b.received, IsEmpty());
  EXPECT_EQ(outcome.count, 1);
}

TEST(NetworkTest, APeerKilledInMidAskLeavesTheOutcomeUnknown) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    SimCluster cluster(seed);
    SimPeer& a = cluster.Add("a");
    SimPeer& b = cluster.Add("b");
    Outcome outcome;
    b.answer = false;
    a.network->Ask(b.address(), Letter("x", cluster.time.Now() + 5s), outcome.Take());
    cluster.time.RunFor(100ms);

    cluster.Kill(b);
    cluster.time.RunFor(100ms);

    EXPECT_EQ(outcome.count, 1);
    EXPECT_TRUE(absl::IsDeadlineExceeded(outcome.reply.status)) << outcome.reply.status;
  }
}

TEST(NetworkTest, AMessageForAnotherProcessIsNeverDelivered) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  PeerAddress other = b.address();
  other.process_id[0] ^= 1;
  Outcome outcome;

  a.network->Ask(other, Letter("x", cluster.time.Now() + 5s), outcome.Take());
  cluster.time.RunFor(1s);

  EXPECT_TRUE(absl::IsUnavailable(outcome.reply.status)) << outcome.reply.status;
  EXPECT_THAT(b.received, IsEmpty());
  EXPECT_EQ(b.closed(CloseReason::kWrongProcess), 1u);
}

TEST(NetworkTest, ARestartedPeerIsAnotherProcess) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& old = cluster.Add("b", [](auto& o) { o.listen_address = "127.0.0.1:9000"; });
  const PeerAddress old_address = old.address();
  a.network->Tell(old_address, Letter("1"));
  a.network->Tell(old.any_process(), Letter("1"));
  cluster.time.RunFor(1s);
  cluster.Kill(old);
  cluster.time.RunFor(1s);

  SimPeer& fresh = cluster.Add("b", [](auto& o) { o.listen_address = "127.0.0.1:9000"; });
  a.network->Tell(old_address, Letter("for the dead"));
  a.network->Tell(fresh.any_process(), Letter("for whoever is there"));
  cluster.time.RunFor(1s);

  EXPECT_THAT(fresh.bodies(), ElementsAre("for whoever is there"));
}

TEST(NetworkTest, AClientThatListensNowhereIsReachedOverItsOwnConnection) {
  SimCluster cluster(1);
  SimPeer& node = cluster.Add("node");
  SimPeer& client = cluster.Add("client", [](auto& options) {
    options.listen_address = "";
    options.identity.role = NodeRole::kClient;
  });
  const PeerAddress client_address{"", client.identity.process_id};
  Outcome early, late;
  node.network->Ask(client_address, Letter("too early", cluster.time.Now() + 1s), early.Take());
  cluster.time.RunFor(10ms);
  client.network->Tell(node.address(), Letter("here I am"));
  cluster.time.RunFor(10ms);

  node.network->Ask(client_address, Letter("and now", cluster.time.Now() + 1s), late.Take());
  cluster.time.RunFor(10ms);

  EXPECT_TRUE(absl::IsUnavailable(early.reply.status)) << early.reply.status;
  EXPECT_EQ(late.reply.body, "re: and now");
}

TEST(NetworkTest, AFullQueueSaysSo) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  cluster.net.CutBoth("a", "b");
  size_t accepted = 0;
  Outcome outcome;

  while (a.network->Tell(b.address(), Letter(std::string(100000, 'x'))) == Delivery::kAccepted) {
    ++accepted;
  }
  a.network->Ask(b.address(), Letter(std::string(100000, 'x')), outcome.Take());
  EXPECT_EQ(a.network->Tell(b.address(), Letter(std::string(100000, 'x'))), Delivery::kFull);
  cluster.net.HealAll();
  cluster.time.RunFor(2s);

  EXPECT_GT(accepted, limits::kQueuedBytesMax / 101000);
  EXPECT_EQ(b.received.size(), accepted);
  EXPECT_TRUE(absl::IsResourceExhausted(outcome.reply.status)) << outcome.reply.status;
  EXPECT_EQ(a.network->Tell(b.address(), Letter("fits again")), Delivery::kAccepted);
}

TEST(NetworkTest, ManySmallMessagesReachTheBoundToo) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  cluster.net.CutBoth("a", "b");
  size_t accepted = 0;

  while (a.network->Tell(b.address(), Letter("")) == Delivery::kAccepted) ++accepted;

  EXPECT_EQ(accepted, limits::kQueuedMessagesMax);
}

TEST(NetworkTest, ASlowReceiverHoldsTheSenderBackNotItsMemory) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  a.network->Tell(b.address(), Letter("first"));
  cluster.time.RunFor(1s);

  b.executor->Freeze();
  size_t accepted = 1;
  for (int i = 0; i < 3000; ++i) {
    if (a.network->Tell(b.address(), Letter(std::string(100000, 'x'))) != Delivery::kAccepted)
      break;
    ++accepted;
    cluster.time.RunFor(10us);
  }
  EXPECT_LT(accepted, 1000u) << "a bounded queue and a bounded stream";
  b.executor->Thaw();
  cluster.time.RunFor(5s);

  EXPECT_EQ(b.received.size(), accepted);
}

TEST(NetworkTest, AMessageThatNoPeerWouldTakeIsRefusedHere) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  Outcome large, bad_key;
  UserMessage bad = Letter("x");
  bad.grain.key = "line\nbreak";

  a.network->Ask(b.address(), Letter(std::string(limits::kMessageBytesMax + 1, 'x')), large.Take());
  a.network->Ask(b.address(), bad, bad_key.Take());
  EXPECT_EQ(a.network->Tell(b.address(), bad), Delivery::kUnreachable);
  a.network->Tell(b.address(), Letter("good"));
  cluster.time.RunFor(1s);

  EXPECT_EQ(ReasonOf(large.reply.status), Reason::kMessageTooLarge) << large.reply.status;
  EXPECT_TRUE(absl::IsInvalidArgument(bad_key.reply.status)) << bad_key.reply.status;
  EXPECT_THAT(b.bodies(), ElementsAre("good"));
}

TEST(NetworkTest, AnAnswerThatIsTooLargeBecomesAnError) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  Outcome outcome;
  b.on_user = [](const NodeIdentity&, UserMessage&, NetworkHandler::ReplyUser& reply) {
    reply(UserReply{.status = {}, .body = std::string(limits::kFrameBytesMax, 'x')});
  };

  a.network->Ask(b.address(), Letter("x", cluster.time.Now() + 5s), outcome.Take());
  cluster.time.RunFor(1s);

  EXPECT_EQ(ReasonOf(outcome.reply.status), Reason::kMessageTooLarge) << outcome.reply.status;
}

TEST(NetworkTest, AsksInFlightAreBounded) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  b.answer = false;
  size_t refused = 0;

  for (uint32_t i = 0; i < limits::kRequestsInFlightMax + 10; ++i) {
    a.network->Ask(b.address(), Letter("x", cluster.time.Now() + 60s), [&](UserReply reply) {
      if (absl::IsResourceExhausted(reply.status)) ++refused;
    });
  }
  cluster.time.RunFor(2s);

  EXPECT_EQ(refused, 10u);
  EXPECT_EQ(b.unanswered.size(), limits::kRequestsInFlightMax);
}

}  // namespace
}  // namespace quern::remoting
