// Networks over a simulated network, for the tests: each node records what its handler hears and
// answers asks as it is told.
//
//   SimCluster cluster(/*seed=*/1);
//   SimPeer& a = cluster.Add("a");
//   a.network->Tell(b.address(), Letter("hello"));
//   cluster.time.RunFor(1s);
//
// Single-threaded.

#ifndef QUERN_TESTS_REMOTING_SIM_CLUSTER_H_
#define QUERN_TESTS_REMOTING_SIM_CLUSTER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "quern/remoting/network.h"
#include "quern/testing/sim_transport.h"

namespace quern::remoting {

inline UserMessage Letter(std::string body, Time deadline = kNever) {
  UserMessage message;
  message.grain = GrainId("box", "k");
  message.type_name = "test.Letter";
  message.body = std::move(body);
  message.deadline = deadline;
  return message;
}

// What came of one ask, and how often.
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

struct SimPeer final : public NetworkHandler {
  std::string name;
  std::unique_ptr<testing::VirtualExecutor> executor;
  std::unique_ptr<testing::SimTransport> transport;
  std::unique_ptr<Random> random;
  std::unique_ptr<Network> network;
  NodeIdentity identity;
  std::string listening;

  std::vector<std::pair<std::string, UserMessage>> received;  // node id of the sender
  std::vector<SystemBody> system_received;
  std::vector<std::string> events;  // "up b", "down b reset none"
  std::vector<uint64_t> higher_views;
  std::vector<ReplyUser> unanswered;
  bool answer = true;  // asks at once, with "re: " and the body
  Status admit = absl::OkStatus();
  std::function<void(const NodeIdentity&, UserMessage&, ReplyUser&)> on_user;

  PeerAddress address() const { return {listening, identity.process_id}; }
  PeerAddress any_process() const { return {listening, {}}; }

  void OnUserMessage(const NodeIdentity& from, UserMessage message, ReplyUser reply) override {
    if (on_user) return on_user(from, message, reply);
    if (reply && answer) reply(UserReply{.status = {}, .body = "re: " + message.body});
    if (reply && !answer) unanswered.push_back(std::move(reply));
    received.emplace_back(from.node_id, std::move(message));
  }

  void OnSystemMessage(const NodeIdentity&, SystemBody body, ReplySystem reply) override {
    if (reply) reply(SystemBody{.type = body.type + "Reply", .bytes = body.bytes});
    system_received.push_back(std::move(body));
  }

  void OnSessionUp(const NodeIdentity& peer) override { events.push_back("up " + peer.node_id); }

  void OnSessionDown(const SessionEnd& end) override {
    static constexpr const char* kEnds[] = {"fin", "reset", "local", "timeout"};
    events.push_back("down " + end.peer.node_id + " " + kEnds[static_cast<int>(end.how)] + " " +
                     std::string(CloseReasonName(end.reason)));
  }

  void OnHigherViewVersion(const NodeIdentity&, uint64_t version) override {
    higher_views.push_back(version);
  }

  Status AdmitPeer(const NodeIdentity&) override { return admit; }

  std::vector<std::string> bodies() const {
    std::vector<std::string> out;
    for (const auto& [from, message] : received) out.push_back(message.body);
    return out;
  }
  uint64_t closed(CloseReason reason) const {
    const NetworkStats stats = network->stats();
    const auto found = stats.closed.find(reason);
    return found == stats.closed.end() ? 0 : found->second;
  }
};

class SimCluster {
 public:
  explicit SimCluster(uint64_t seed) : net(time, seed), random_(SeededRandom(seed)) {}
  ~SimCluster() {
    for (auto& peer : peers_) Destroy(*peer);
  }

  SimPeer& Add(const std::string& name,
               const std::function<void(Network::Options&)>& adjust = nullptr) {
    peers_.push_back(std::make_unique<SimPeer>());
    SimPeer& peer = *peers_.back();
    peer.name = name;
    peer.executor = time.NewExecutor();
    peer.transport = net.NewTransport(name, *peer.executor);
    peer.random = random_->Fork(name + std::to_string(peers_.size()));
    Network::Options options;
    options.identity.cluster_id = "test";
    options.identity.datacenter = "dc";
    options.identity.node_id = name;
    for (uint8_t& byte : options.identity.process_id) {
      byte = static_cast<uint8_t>(peer.random->Next());
    }
    if (adjust) adjust(options);
    peer.network =
        *Network::Start(options, *peer.transport, *peer.executor, time, *peer.random, &peer);
    peer.identity = peer.network->identity();
    peer.listening = peer.identity.advertised_address;
    return peer;
  }

  // SIGKILL.
  void Kill(SimPeer& peer) {
    net.Kill(peer.name);
    Destroy(peer);
  }

  testing::VirtualTime time;
  testing::SimNetwork net;

 private:
  static void Destroy(SimPeer& peer) {
    peer.unanswered.clear();
    peer.on_user = nullptr;
    peer.network.reset();
    peer.transport.reset();
    peer.executor.reset();
  }

  std::unique_ptr<Random> random_;
  std::vector<std::unique_ptr<SimPeer>> peers_;
};

}  // namespace quern::remoting

#endif  // QUERN_TESTS_REMOTING_SIM_CLUSTER_H_
