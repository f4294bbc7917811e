#include "quern/runtime/network_port.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "quern/quern.h"

namespace quern {

struct Question {
  std::string text;
};
struct Odd {};

template <>
struct Codec<Question> {
  static constexpr std::string_view kName = "test.Question";
  static void Encode(const Question& m, std::string* out) { out->append(m.text); }
  static Status Decode(std::string_view bytes, Question* m) {
    if (bytes == "garbage") return absl::InvalidArgumentError("garbage");
    m->text = bytes;
    return absl::OkStatus();
  }
};
template <>
struct Codec<Odd> {
  static constexpr std::string_view kName = "test.Odd";
  static void Encode(const Odd&, std::string*) {}
  static Status Decode(std::string_view, Odd*) { return absl::OkStatus(); }
};

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct OracleApi : Protocol<std::string(Question), void(Odd)> {
  static constexpr std::string_view kKind = "oracle";
  using Arguments = std::string;
};
struct Oracle : Actor<OracleApi> {
  explicit Oracle(std::string greeting) : greeting_(std::move(greeting)) {}
  std::string On(const Question& m) { return greeting_ + ", " + m.text; }
  Status On(const Odd&) { return absl::FailedPreconditionError("odd"); }
  std::string greeting_;
};

struct Consult {};
struct ClientApi : Protocol<std::string(Consult)> {};
struct Client : Actor<ClientApi> {
  explicit Client(Ref<OracleApi> oracle) : oracle_(std::move(oracle)) {}
  StatusOr<std::string> On(const Consult&) { return oracle_.Ask(Question{"from far"}); }
  Ref<OracleApi> oracle_;
};

InboundMessage Inbound(std::string_view kind, std::string_view type, std::string_view body) {
  InboundMessage inbound;
  inbound.kind = kind;
  inbound.type_name = type;
  inbound.body = body;
  return inbound;
}

// A network of two systems without a network: every message is encoded, decoded and delivered.
class Loopback : public Router {
 public:
  Loopback(System* from, System* to) : from_(from), to_(to) {
    from_->network_port().SetRouter(this);
  }
  ~Loopback() override { from_->network_port().SetRouter(nullptr); }

  Delivery RouteGrain(const GrainId& id, Message message) override {
    std::move(message).Fail(absl::UnavailableError("no grains: " + id.ToString()));
    return Delivery::kUnreachable;
  }

  Delivery RouteActor(const std::string& address, Message message) override {
    std::string body;
    message.Encode(&body);
    last_chain = message.call_chain();
    const std::string type(message.type_name());
    InboundMessage inbound = Inbound("oracle", type, body);
    inbound.deadline = message.deadline();
    inbound.sender = sender.value_or(message.sender());
    inbound.call_chain = message.call_chain();
    auto pending = std::make_shared<std::optional<Message>>();
    if (message.expects_reply()) {
      inbound.on_reply = [pending, this](EncodedReply reply) {
        Message asked = *std::exchange(*pending, std::nullopt);
        if (!reply.status.ok()) {
          std::move(asked).Fail(reply.status);
        } else {
          std::move(asked).Complete(reply.body, replier.value_or(reply.sender));
        }
      };
    }
    auto decoded = to_->network_port().Decode(std::move(inbound));
    if (!decoded.ok()) {
      std::move(message).Fail(decoded.status());
      return Delivery::kUnreachable;
    }
    pending->emplace(std::move(message));
    return to_->network_port().DeliverToActor(address, *std::move(decoded));
  }

  void Spawn(std::string_view where, std::string_view kind, std::string_view name,
             std::string encoded_arguments, Duration,
             std::function<void(StatusOr<std::string>)> done) override {
    last_place = where;
    to_->network_port().SpawnHosted(kind, name, std::move(encoded_arguments), std::move(done));
  }

  void OnDeactivated(const GrainId&, const Epoch&) override {}

  std::string last_place;
  std::vector<std::string> last_chain;
  std::optional<SenderStamp> sender;
  std::optional<SenderStamp> replier;

 private:
  System* const from_;
  System* const to_;
};

class NetworkPortTest : public ::testing::Test {
 protected:
  NetworkPortTest() { EXPECT_TRUE(there_.HostActor<Oracle>().ok()); }

  Ref<OracleApi> SpawnOracle() {
    return here_.In("far").Spawn<OracleApi>("delphi", std::string("hail")).value();
  }

  System there_{{.name = "there", .workers = 1}};
  System here_{{.name = "here", .workers = 1}};
  Loopback loopback_{&here_, &there_};
};

TEST_F(NetworkPortTest, AnActorSpawnedByKindAnswersThroughItsProxy) {
  Ref<OracleApi> oracle = SpawnOracle();

  EXPECT_EQ(oracle.Ask(Question{"traveller"}).value(), "hail, traveller");
  EXPECT_EQ(oracle.Tell(Odd{}), Delivery::kAccepted);
  EXPECT_EQ(oracle.path(), "/delphi");
  EXPECT_EQ(loopback_.last_place, "far");
  EXPECT_TRUE(there_.network_port().Hosts("oracle"));
  EXPECT_THAT(there_.network_port().HostedKinds(), ElementsAre("oracle"));
}

TEST_F(NetworkPortTest, AnAskFromAHandlerParksItAndCarriesItsChain) {
  auto client = here_.Spawn<Client>("client", SpawnOracle()).value();

  EXPECT_EQ(client.Ask(Consult{}).value(), "hail, from far");
  EXPECT_THAT(loopback_.last_chain, ElementsAre("/client"));
}

TEST_F(NetworkPortTest, ErrorsOfTheFarSideReachTheAsker) {
  Ref<OracleApi> oracle = SpawnOracle();

  EXPECT_EQ(oracle.Ask(Odd{}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(oracle.Ask(Question{"garbage"}).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(NetworkPortTest, SpawnErrorsReachTheSpawner) {
  SpawnOracle();

  EXPECT_EQ(here_.In("far").Spawn<OracleApi>("delphi", std::string()).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(there_.In("far").Spawn<OracleApi>("delphi", std::string()).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(NetworkPortTest, NoActorAtThatPathIsNotFound) {
  there_.Spawn<Oracle>("other", std::string()).value().Stop();
  there_.WaitUntilQuiet();

  InboundMessage inbound = Inbound("oracle", "test.Question", "x");
  std::promise<EncodedReply> answered;
  inbound.on_reply = [&](EncodedReply reply) { answered.set_value(std::move(reply)); };
  auto message = there_.network_port().Decode(std::move(inbound));
  ASSERT_TRUE(message.ok());

  EXPECT_EQ(there_.network_port().DeliverToActor("/other", *std::move(message)),
            Delivery::kStopped);
  EXPECT_EQ(answered.get_future().get().status.code(), absl::StatusCode::kNotFound);
}

TEST_F(NetworkPortTest, DecodeKnowsOnlyHostedKindsAndTheirMessages) {
  NetworkPort& port = there_.network_port();

  EXPECT_EQ(port.Decode(Inbound("unknown", "x", "")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(port.Decode(Inbound("oracle", "x", "")).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(NetworkPortTest, AnUnansweredAskIsAborted) {
  InboundMessage inbound = Inbound("oracle", "test.Question", "x");
  std::promise<EncodedReply> answered;
  inbound.on_reply = [&](EncodedReply reply) { answered.set_value(std::move(reply)); };

  {
    auto message = there_.network_port().Decode(std::move(inbound));
  }

  EXPECT_EQ(answered.get_future().get().status.code(), absl::StatusCode::kAborted);
}

TEST_F(NetworkPortTest, AnOldEpochIsRefusedInMessagesAndReplies) {
  Ref<OracleApi> oracle = SpawnOracle();
  const SenderStamp newer{GrainId("cart", "1"), Epoch{0, 0, 0, 8}, 1};
  const SenderStamp older{GrainId("cart", "1"), Epoch{0, 0, 0, 7}, 1};

  loopback_.replier = newer;
  EXPECT_TRUE(oracle.Ask(Question{"a"}).ok());
  loopback_.replier = older;
  EXPECT_EQ(ReasonOf(oracle.Ask(Question{"b"}).status()), Reason::kStaleEpoch);
  loopback_.replier.reset();

  loopback_.sender = newer;
  EXPECT_TRUE(oracle.Ask(Question{"c"}).ok());
  loopback_.sender = older;
  EXPECT_EQ(ReasonOf(oracle.Ask(Question{"d"}).status()), Reason::kStaleEpoch);
}

TEST_F(NetworkPortTest, ACycleAcrossNodesIsSeenByPath) {
  SpawnOracle();
  InboundMessage inbound = Inbound("oracle", "test.Question", "x");
  inbound.call_chain = {"/delphi", "/elsewhere"};
  std::promise<EncodedReply> answered;
  inbound.on_reply = [&](EncodedReply reply) { answered.set_value(std::move(reply)); };
  auto message = there_.network_port().Decode(std::move(inbound));

  there_.network_port().DeliverToActor("/delphi", *std::move(message));

  const Status status = answered.get_future().get().status;
  EXPECT_EQ(ReasonOf(status), Reason::kAskCycle);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/delphi asks /elsewhere asks /delphi"));
}

}  // namespace
}  // namespace quern
