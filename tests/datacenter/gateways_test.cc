#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quern/cluster/actor_address.h"
#include "quern/cluster/embedded_control_plane.h"
#include "quern/cluster/v1/cluster.pb.h"
#include "quern/testing/virtual_time.h"
#include "router/gateway_locator.h"

namespace quern::datacenter {
namespace {

using namespace std::chrono_literals;

// Gateways that answer as told, by address; what is not told stays silent until the caller's
// timeout.
class ScriptedNetwork : public remoting::Network {
 public:
  explicit ScriptedNetwork(Executor& executor) : executor_(executor) {}

  void Answer(const std::string& address, StatusOr<remoting::SystemBody> answer) {
    answers_.insert_or_assign(address, std::move(answer));
  }

  void CallSystem(const remoting::PeerAddress& peer, remoting::SystemBody, Duration timeout,
                  std::function<void(StatusOr<remoting::SystemBody>)> done) override {
    asked.push_back(peer.address);
    const auto answer = answers_.find(peer.address);
    if (answer == answers_.end()) {
      executor_.PostAfter(timeout, [done] { done(absl::DeadlineExceededError("silent")); });
    } else {
      executor_.Post([done, result = answer->second] { done(result); });
    }
  }

  Delivery Tell(const remoting::PeerAddress&, remoting::UserMessage) override {
    return Delivery::kUnreachable;
  }
  void Ask(const remoting::PeerAddress&, remoting::UserMessage,
           std::function<void(remoting::UserReply)>) override {}
  void SendSystem(const remoting::PeerAddress&, remoting::SystemBody) override {}
  void KeepSession(const remoting::PeerAddress&) override {}
  void ClosePeer(const remoting::ProcessId&, remoting::CloseReason) override {}
  void Probe(const remoting::PeerAddress&, Duration,
             std::function<void(remoting::ProbeResult)>) override {}
  void SetViewVersion(uint64_t) override {}
  void SetIncarnation(uint64_t) override {}
  void SetSendingUntil(Time) override {}
  const remoting::NodeIdentity& identity() const override { return identity_; }
  remoting::NetworkStats stats() const override { return {}; }
  void Stop() override {}

  std::vector<std::string> asked;

 private:
  Executor& executor_;
  remoting::NodeIdentity identity_;
  std::map<std::string, StatusOr<remoting::SystemBody>> answers_;
};

class GatewaysTest : public ::testing::Test {
 protected:
  GatewaysTest() {
    registry_.Start();
    Authorship author;
    author.info.id = "us-west";
    author.info.state = DatacenterState::kActive;
    author.info.gateways = {{"a:1", {1}}, {"b:2", {2}}, {"c:3", {3}}};
    registry_.Author(author);
    time_.RunFor(1s);
  }

  // What Locate answers within `deadline` of virtual time.
  StatusOr<cluster::Location> Locate(Duration deadline) {
    StatusOr<cluster::Location> answer = absl::UnknownError("not called");
    locator_.Locate(GrainId("airport", "LAX"), Epoch{}, time_.Now() + deadline,
                    [&](StatusOr<cluster::Location> location) { answer = std::move(location); });
    time_.RunFor(deadline + 5s);
    return answer;
  }

  static remoting::SystemBody Located(const std::string& address) {
    cluster::v1::LocateReply reply;
    reply.mutable_activation()->set_address(address);
    reply.mutable_activation()->set_process_id(std::string(16, '\7'));
    reply.mutable_activation()->mutable_epoch()->set_counter(9);
    return {reply.GetTypeName(), reply.SerializeAsString()};
  }

  testing::VirtualTime time_;
  std::unique_ptr<testing::VirtualExecutor> executor_ = time_.NewExecutor();
  cluster::EmbeddedControlPlane plane_{*executor_};
  std::unique_ptr<Random> random_ = SeededRandom(1);
  Registry registry_{{.cluster_id = "flights"}, plane_, *executor_, time_, *random_, NullLogger()};
  ScriptedNetwork network_{*executor_};
  Gateways gateways_{registry_, network_, time_, 1s};
  GatewayLocator locator_{[](const GrainId&) { return "us-west"; }, gateways_};
};

TEST_F(GatewaysTest, ALocationComesFromTheFirstGatewayThatAnswers) {
  network_.Answer("a:1", absl::UnavailableError("refused"));
  network_.Answer("b:2", Located("n:9"));

  const StatusOr<cluster::Location> location = Locate(5s);

  ASSERT_TRUE(location.ok()) << location.status();
  EXPECT_EQ(location->peer.address, "n:9");
  EXPECT_EQ(location->epoch.counter, 9);
  EXPECT_FALSE(location->is_local);
}

TEST_F(GatewaysTest, TheGatewayThatAnsweredLastIsAskedFirst) {
  network_.Answer("a:1", absl::UnavailableError("refused"));
  network_.Answer("b:2", Located("n:9"));
  Locate(5s).IgnoreError();
  network_.asked.clear();

  Locate(5s).IgnoreError();

  EXPECT_THAT(network_.asked, ::testing::ElementsAre("b:2"));
}

TEST_F(GatewaysTest, ADatacenterWhoseGatewaysAllRefuseFailsFast) {
  for (const char* address : {"a:1", "b:2", "c:3"}) {
    network_.Answer(address, absl::UnavailableError("connection refused"));
  }

  const Time begun = time_.Now();
  StatusOr<cluster::Location> answer = absl::UnknownError("not called");
  locator_.Locate(GrainId("airport", "LAX"), Epoch{}, begun + 60s,
                  [&](StatusOr<cluster::Location> location) { answer = std::move(location); });
  time_.RunUntil([&] { return !absl::IsUnknown(answer.status()); }, 60s);

  EXPECT_EQ(ReasonOf(answer.status()), Reason::kDcUnreachable);
  EXPECT_TRUE(absl::IsUnavailable(answer.status()));
  EXPECT_LT(time_.Now() - begun, 1s);
  EXPECT_THAT(std::string(answer.status().message()), ::testing::HasSubstr("b:2 (refused)"));
}

TEST_F(GatewaysTest, ASilentGatewayCostsOneTryAndTheNextIsAsked) {
  network_.Answer("b:2", Located("n:9"));

  EXPECT_TRUE(Locate(5s).ok());
  EXPECT_THAT(network_.asked, ::testing::ElementsAre("a:1", "b:2"));
}

TEST_F(GatewaysTest, SilentGatewaysAreAskedInRoundsUntilTheDeadline) {
  const StatusOr<cluster::Location> answer = Locate(7s);

  EXPECT_TRUE(absl::IsUnavailable(answer.status())) << answer.status();
  EXPECT_EQ(network_.asked.size(), 7u);
}

TEST_F(GatewaysTest, WhatAGatewaySaysOfTheGrainIsNotRetried) {
  network_.Answer("a:1", absl::NotFoundError("no member hosts airport"));

  EXPECT_TRUE(absl::IsNotFound(Locate(5s).status()));
  EXPECT_THAT(network_.asked, ::testing::ElementsAre("a:1"));
}

TEST_F(GatewaysTest, AStaleDatacenterIsNotAskedAtAll) {
  registry_.Yield();
  time_.RunFor(30s);

  const StatusOr<cluster::Location> answer = Locate(5s);

  EXPECT_EQ(ReasonOf(answer.status()), Reason::kDcStale);
  EXPECT_THAT(network_.asked, ::testing::IsEmpty());
}

}  // namespace
}  // namespace quern::datacenter
