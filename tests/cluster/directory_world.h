// Directories alone: members whose hosts start whatever they are told to, in virtual time.

#ifndef QUERN_TESTS_CLUSTER_DIRECTORY_WORLD_H_
#define QUERN_TESTS_CLUSTER_DIRECTORY_WORLD_H_

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quern/cluster/directory.h"
#include "quern/cluster/v1/cluster.pb.h"
#include "quern/testing/virtual_time.h"

namespace quern::cluster {

using ::quern::testing::VirtualExecutor;
using ::quern::testing::VirtualTime;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

class Cluster;

// One member: a Directory and a host that starts whatever it is told to.
class Node : public DirectoryPort {
 public:
  Node(Cluster& cluster, std::string name);

  void Send(const remoting::PeerAddress& to, remoting::SystemBody body) override;
  void Call(const remoting::PeerAddress& to, remoting::SystemBody body, Duration timeout,
            CallDone done) override;
  void Activate(const GrainId& id, const Epoch& epoch, ActivateDone done) override;
  void Deactivate(const GrainId& id, const Status& why) override;
  void FetchView(uint64_t at_least) override { fetched = std::max(fetched, at_least); }

  // As a passivation: the runtime ends it and says so.
  void End(const GrainId& id);

  Cluster& cluster;
  const std::string name;
  Member member;
  std::map<GrainId, Epoch> running;
  std::vector<std::string> deactivated;
  Status refuse_activation;  // what OnActivate returns, if not OK
  uint64_t fetched = 0;
  std::unique_ptr<VirtualExecutor> executor;
  std::unique_ptr<Random> random = SeededRandom(1);
  std::unique_ptr<Directory> directory;
};

class Cluster {
 public:
  Node& Add(const std::string& name) {
    nodes[name] = std::make_unique<Node>(*this, name);
    Node& node = *nodes[name];
    node.member.node_id = node.member.address = name;
    node.member.process_id[0] = static_cast<uint8_t>(nodes.size());
    node.member.state = MemberState::kActive;
    node.member.kinds = {"cart"};
    node.executor = time.NewExecutor();
    options.self = node.member.process_id;
    node.directory = std::make_unique<Directory>(options, *node.executor, time, *node.random,
                                                 NullLogger(), &node);
    node.directory->OnServingUntil(time.Now() + seconds(1000));
    return node;
  }

  // The next view, of these members, told to these nodes (all of them when empty).
  void ShowView(const std::vector<std::string>& members, const std::set<std::string>& told = {}) {
    auto view = std::make_shared<View>();
    view->version = ++version;
    view->control_plane_incarnation = 1;
    view->partition_count = 8;
    view->hash_seed = 7;
    for (const std::string& name : members) view->members.push_back(nodes.at(name)->member);
    current = view;
    for (const auto& [name, node] : nodes) {
      if (!told.empty() && !told.contains(name)) continue;
      node->directory->OnView(view, last_seen[name] + 1 == version);
      last_seen[name] = version;
    }
  }

  Node& node(const std::string& name) { return *nodes.at(name); }

  StatusOr<Location> Locate(const std::string& from, const GrainId& id, Epoch stale = {},
                            Duration patience = seconds(3)) {
    std::optional<StatusOr<Location>> result;
    node(from).directory->Locate(id, stale, time.Now() + patience,
                                 [&](StatusOr<Location> location) { result = location; });
    time.RunUntil([&] { return result.has_value(); }, patience + seconds(1));
    return result.value_or(absl::InternalError("never answered"));
  }

  // Sends `message` as if from that member, and runs until it is answered.
  template <typename M>
  StatusOr<remoting::SystemBody> Deliver(const std::string& from, const std::string& to,
                                         const M& message) {
    return DeliverBody(from, to, {M::descriptor()->full_name(), message.SerializeAsString()});
  }

  StatusOr<remoting::SystemBody> DeliverBody(const std::string& from, const std::string& to,
                                             remoting::SystemBody body) {
    std::optional<StatusOr<remoting::SystemBody>> result;
    remoting::NodeIdentity identity;
    identity.node_id = from;
    identity.process_id = node(from).member.process_id;
    node(to).directory->OnMessage(identity, std::move(body),
                                  [&](StatusOr<remoting::SystemBody> r) { result = r; });
    time.RunUntil([&] { return result.has_value(); }, seconds(10));
    return result.value_or(absl::InternalError("never answered"));
  }

  GrainId OwnedBy(const std::string& name) const {
    for (int i = 0;; ++i) {
      GrainId id("cart", std::to_string(i));
      if (OwnerOf(PartitionOf(id, *current), *current)->node_id == name) return id;
    }
  }

  std::string NameOf(const remoting::ProcessId& process) const {
    for (const auto& [name, node] : nodes) {
      if (node->member.process_id == process) return name;
    }
    return "?";
  }

  VirtualTime time;
  DirectoryOptions options;
  std::map<std::string, std::unique_ptr<Node>> nodes;
  std::map<std::string, uint64_t> last_seen;
  std::shared_ptr<const View> current;
  uint64_t version = 0;
  std::set<std::string> lost;  // types that the network drops
  std::map<std::string, int> reports_to;
  int largest_report = 0;  // activations
};

inline Node::Node(Cluster& cluster_in, std::string name_in)
    : cluster(cluster_in), name(std::move(name_in)) {}

inline void Node::Send(const remoting::PeerAddress& to, remoting::SystemBody body) {
  Call(to, std::move(body), seconds(1), nullptr);
}

inline void Node::Call(const remoting::PeerAddress& to, remoting::SystemBody body, Duration timeout,
                       CallDone done) {
  if (done) {
    done = [answered = std::make_shared<bool>(false), done](StatusOr<remoting::SystemBody> reply) {
      if (!std::exchange(*answered, true)) done(std::move(reply));
    };
    executor->PostAfter(timeout, [done] { done(absl::DeadlineExceededError("no answer")); });
  }
  if (v1::ReportRequest report; body.type == v1::ReportRequest::descriptor()->full_name()) {
    report.ParseFromString(body.bytes);
    ++cluster.reports_to[to.address];
    cluster.largest_report = std::max(cluster.largest_report, report.activations_size());
  }
  if (cluster.lost.contains(body.type)) return;
  executor->PostAfter(milliseconds(1), [this, to, body, done] {
    remoting::NodeIdentity from;
    from.node_id = name;
    from.process_id = member.process_id;
    Node& there = cluster.node(to.address);
    if (!done) return there.directory->OnMessage(from, body, nullptr);
    there.directory->OnMessage(from, body, [this, done](StatusOr<remoting::SystemBody> reply) {
      executor->Post([done, reply] { done(reply); });
    });
  });
}

inline void Node::Activate(const GrainId& id, const Epoch& epoch, ActivateDone done) {
  executor->Post([this, id, epoch, done] {
    if (!refuse_activation.ok()) return done(refuse_activation);
    const Epoch there = running.try_emplace(id, epoch).first->second;
    done(ActivationInfo{id, there, ActivationState::kActive});
  });
}

inline void Node::Deactivate(const GrainId& id, const Status&) {
  deactivated.push_back(id.ToString());
  executor->Post([this, id] { End(id); });
}

inline void Node::End(const GrainId& id) {
  const auto ended = running.extract(id);
  if (!ended.empty()) directory->OnDeactivated(id, ended.mapped());
}

class DirectoryTest : public ::testing::Test {
 protected:
  // Three members in one view, all partitions served.
  void StartThree() {
    for (const char* name : {"a", "b", "c"}) cluster_.Add(name);
    cluster_.ShowView({"a", "b", "c"});
    cluster_.time.RunFor(seconds(1));
  }

  std::string Host(const StatusOr<Location>& location) {
    return location.ok() ? cluster_.NameOf(location->peer.process_id)
                         : location.status().ToString();
  }

  Cluster cluster_;
};

}  // namespace quern::cluster

#endif  // QUERN_TESTS_CLUSTER_DIRECTORY_WORLD_H_
