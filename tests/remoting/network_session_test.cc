// Sessions, probes, view versions and the end of a Network.

#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quern/remoting/network.h"
#include "sim_cluster.h"

namespace quern::remoting {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

TEST(NetworkSessionTest, ASystemCallIsAnswered) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  StatusOr<SystemBody> answer = absl::UnknownError("none yet");

  a.network->SendSystem(b.address(), {.type = "test.Note", .bytes = "n"});
  a.network->CallSystem(b.address(), {.type = "test.Join", .bytes = "j"}, 1s,
                        [&](StatusOr<SystemBody> reply) { answer = std::move(reply); });
  cluster.time.RunFor(100ms);

  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->type, "test.JoinReply");
  ASSERT_EQ(b.system_received.size(), 2u);
  EXPECT_EQ(b.system_received[0].type, "test.Note");
}

TEST(NetworkSessionTest, ASessionIsKeptThroughResets) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  a.network->KeepSession(b.address());
  cluster.time.RunFor(1s);

  cluster.net.Reset("a", "b");
  cluster.time.RunFor(1s);

  EXPECT_THAT(a.events, ElementsAre("up b", "down b reset none", "up b"));
  EXPECT_THAT(b.events, ElementsAre("up a", "down a reset none", "up a"));
}

TEST(NetworkSessionTest, TwoNodesThatKeepEachOthersSessionHearOfItOnce) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  a.network->KeepSession(b.address());
  b.network->KeepSession(a.address());
  cluster.time.RunFor(1s);
  EXPECT_THAT(a.events, ElementsAre("up b"));

  cluster.Kill(b);
  cluster.time.RunFor(1s);

  ASSERT_EQ(a.events.size(), 2u);
  EXPECT_THAT(a.events[1], ::testing::AnyOf("down b reset none", "down b fin none"));
}

TEST(NetworkSessionTest, AStopSaysGoodbye) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  Outcome outcome, after;
  b.answer = false;
  a.network->KeepSession(b.address());
  b.network->Ask(a.address(), Letter("x", cluster.time.Now() + 5s), outcome.Take());
  a.answer = false;
  cluster.time.RunFor(1s);

  b.network->Stop();
  cluster.time.RunFor(100ms);
  b.network->Ask(a.address(), Letter("y", cluster.time.Now() + 5s), after.Take());
  cluster.time.RunFor(100ms);

  EXPECT_THAT(a.events, ElementsAre("up b", "down b fin shutdown"));
  EXPECT_TRUE(absl::IsDeadlineExceeded(outcome.reply.status)) << outcome.reply.status;
  EXPECT_TRUE(absl::IsUnavailable(after.reply.status)) << after.reply.status;
  EXPECT_EQ(b.network->Tell(a.address(), Letter("z")), Delivery::kUnreachable);
}

TEST(NetworkSessionTest, ASilentPeerLosesItsSession) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  a.network->KeepSession(b.address());
  cluster.time.RunFor(60s);
  EXPECT_THAT(a.events, ElementsAre("up b")) << "pings keep an idle session";

  cluster.net.CutBoth("a", "b");
  cluster.time.RunFor(11s);

  EXPECT_THAT(a.events, ElementsAre("up b", "down b local idle"));
}

TEST(NetworkSessionTest, AFrozenProcessFindsOutAfterItsThaw) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  a.network->KeepSession(b.address());
  cluster.time.RunFor(1s);

  b.executor->Freeze();
  cluster.time.RunFor(30s);
  EXPECT_EQ(a.events.back(), "down b local idle");
  b.executor->Thaw();
  cluster.time.RunFor(5s);

  EXPECT_EQ(a.events.back(), "up b");
  EXPECT_EQ(b.events.back(), "up a");
}

TEST(NetworkSessionTest, AClosedPeerIsRefusedFromThenOn) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  Outcome sent, refused;
  b.answer = false;
  b.network->KeepSession(a.address());
  a.network->Ask(b.address(), Letter("x", cluster.time.Now() + 60s), sent.Take());
  cluster.time.RunFor(1s);

  a.network->ClosePeer(b.identity.process_id, CloseReason::kRemoved);
  EXPECT_EQ(a.network->Tell(b.address(), Letter("y")), Delivery::kUnreachable);
  a.network->Ask(b.any_process(), Letter("z", cluster.time.Now() + 60s), refused.Take());
  cluster.time.RunFor(5s);

  EXPECT_TRUE(absl::IsDeadlineExceeded(sent.reply.status));
  EXPECT_TRUE(absl::IsUnavailable(refused.reply.status)) << refused.reply.status;
  EXPECT_THAT(a.events, ElementsAre("up b", "down b local removed"));
  EXPECT_THAT(b.events, ElementsAre("up a", "down a fin removed")) << "no flicker when it redials";
  EXPECT_GE(a.closed(CloseReason::kRemoved), 2u);
}

TEST(NetworkSessionTest, WhoIsNotAdmittedNeverHasASession) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  b.admit = absl::PermissionDeniedError("incarnation 3 was removed");

  a.network->KeepSession(b.address());
  a.network->Tell(b.address(), Letter("x"));
  cluster.time.RunFor(10s);

  EXPECT_THAT(a.events, IsEmpty());
  EXPECT_THAT(b.events, IsEmpty());
  EXPECT_THAT(b.received, IsEmpty());
  EXPECT_LE(b.closed(CloseReason::kRemoved), 25u) << "the pause between dials grows";
}

TEST(NetworkSessionTest, AProbeTellsWhoAnswers) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  SimPeer& c = cluster.Add("c", [](auto& o) { o.identity.cluster_id = "another"; });
  PeerAddress other = b.address();
  other.process_id[3] ^= 1;
  std::vector<ProbeResult> results;
  const auto probe = [&](const PeerAddress& peer) {
    a.network->Probe(peer, 1s, [&](ProbeResult result) { results.push_back(result); });
    cluster.time.RunFor(2s);
  };

  probe(b.address());
  probe(other);
  probe({"127.0.0.1:1", b.identity.process_id});
  cluster.net.CutBoth("a", "b");
  probe(b.address());
  cluster.net.HealAll();
  cluster.net.RefuseConnect("b", true);
  probe(b.address());
  cluster.net.RefuseConnect("b", false);
  b.executor->Freeze();
  probe(b.address());
  b.executor->Thaw();
  probe(c.address());

  EXPECT_THAT(results,
              ElementsAre(ProbeResult::kSameProcess, ProbeResult::kOtherProcess,
                          ProbeResult::kRefused, ProbeResult::kInconclusive, ProbeResult::kRefused,
                          ProbeResult::kInconclusive, ProbeResult::kInconclusive));
  EXPECT_THAT(a.events, IsEmpty());
  EXPECT_THAT(b.events, IsEmpty());
}

TEST(NetworkSessionTest, AHigherViewVersionIsToldOnceAVersion) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  SimPeer& far = cluster.Add("far", [](auto& o) { o.identity.datacenter = "elsewhere"; });
  b.network->SetViewVersion(3);

  for (uint64_t version : {3, 5, 5, 4, 6}) {
    a.network->SetViewVersion(version);
    a.network->Tell(b.address(), Letter("x"));
    a.network->Tell(far.address(), Letter("x"));
    cluster.time.RunFor(10ms);
  }

  EXPECT_THAT(b.higher_views, ElementsAre(5u, 6u));
  EXPECT_THAT(far.higher_views, IsEmpty()) << "another datacenter has views of its own";
}

TEST(NetworkSessionTest, TheHandlerMayCloseItsPeerFromInsideAMessage) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  int heard = 0;
  b.on_user = [&](const NodeIdentity& from, UserMessage&, NetworkHandler::ReplyUser&) {
    ++heard;
    b.network->ClosePeer(ProcessId(from.process_id), CloseReason::kRemoved);
  };

  for (int i = 0; i < 10; ++i) a.network->Tell(b.address(), Letter("x"));
  cluster.time.RunFor(1s);

  EXPECT_EQ(heard, 1);
}

TEST(NetworkSessionTest, TheHandlerMayStopItselfFromInsideAMessage) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  b.on_user = [&](const NodeIdentity&, UserMessage&, NetworkHandler::ReplyUser&) {
    b.network->Stop();
  };
  Outcome outcome;

  a.network->Ask(b.address(), Letter("x", cluster.time.Now() + 5s), outcome.Take());
  cluster.time.RunFor(1s);

  EXPECT_TRUE(absl::IsDeadlineExceeded(outcome.reply.status)) << outcome.reply.status;
}

TEST(NetworkSessionTest, AReplyFunctionMayOutliveItsNetwork) {
  SimCluster cluster(1);
  SimPeer& a = cluster.Add("a");
  SimPeer& b = cluster.Add("b");
  b.answer = false;
  a.network->Ask(b.address(), Letter("x", cluster.time.Now() + 5s), [](UserReply) {});
  cluster.time.RunFor(1s);

  auto reply = std::move(b.unanswered[0]);
  cluster.Kill(b);
  reply(UserReply{.status = {}, .body = "to nobody"});
}

}  // namespace
}  // namespace quern::remoting
