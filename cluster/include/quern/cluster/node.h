// One process as a member of a cluster: joins the view, renews its lease, keeps its share of the
// grain directory, and carries the messages of its System's grain refs to wherever the grains are.
//
//   quern::System system("shop");
//   system.Host<Cart>();
//   auto node = quern::cluster::Node::Start(system, {.cluster_id = "shop", .node_id = "node-1",
//                                                    .records = records, .leases = leases});
//   system.Grain<CartApi>("alice").Ask(Add{..});      // placed in the cluster, wherever that is
//   (*node)->Leave();
//
// Host kinds before Start: the view tells the others what a member hosts. All methods are
// thread-safe. Protocol logic runs on the node's own I/O thread.

#ifndef QUERN_CLUSTER_NODE_H_
#define QUERN_CLUSTER_NODE_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "quern/cluster/control_plane.h"
#include "quern/cluster/membership.h"
#include "quern/remoting/network.h"
#include "quern/runtime/clock.h"
#include "quern/runtime/executor.h"
#include "quern/runtime/logger.h"
#include "quern/runtime/network_port.h"
#include "quern/runtime/random.h"

namespace quern {
class System;
}

namespace quern::cluster {

struct NodeOptions {
  std::string cluster_id;
  std::string datacenter;  // empty outside a multi-datacenter system
  std::string node_id;     // unique among the live members of the cluster
  std::vector<std::string> roles;
  std::string listen_address = "127.0.0.1:0";
  // Both required, both outlive the node; `leases` is a connection of its own, so that nothing
  // delays a renewal.
  ControlPlane* records = nullptr;
  ControlPlane* leases = nullptr;
  LeaseTimes lease;
  // A crashed member is evicted as soon as its exit is proved. Switch it off where a firewall may
  // refuse in a member's name: then only silence counts, for the length of its lease.
  bool proof_of_exit = true;
  Duration join_timeout = std::chrono::seconds(30);
  // This process was removed from the view: it serves nothing any more. Runs on the executor, once.
  // To go on, destroy the node and start another.
  std::function<void(const Status& why)> on_evicted;
  Clock* clock = &SystemClock();
  Random* random = &SystemRandom();
  Logger* logger = &NullLogger();
};

// What others see of a member.
struct MemberInfo {
  std::string node_id;
  remoting::PeerAddress address;
  uint64_t incarnation = 0;
  bool active = false;
  std::vector<std::string> kinds;
};

// A view as a layer above sees it.
struct ViewInfo {
  uint64_t version = 0;
  uint64_t control_plane_incarnation = 0;
  std::vector<MemberInfo> members;  // order of joining
  bool is_coordinator = false;      // this node is the longest-standing active member
};

class Node {
 public:
  // Listens, joins and returns once this node is active in the view. Blocks the thread.
  // INVALID_ARGUMENT: an option, named. UNAVAILABLE: the port is taken, the control plane is
  // silent. ALREADY_EXISTS: a live member has that node id. DEADLINE_EXCEEDED: join_timeout.
  static StatusOr<std::unique_ptr<Node>> Start(System& system, NodeOptions options);

  // Stops without leaving, as a crash would look to the others, when Leave() was not called. Blocks
  // the thread.
  virtual ~Node() = default;

  // Deactivates the grains here, leaves the view, closes the lease. Blocks the thread. Idempotent.
  // DEADLINE_EXCEEDED: the control plane did not answer; the lease will run out by itself.
  virtual Status Leave() = 0;

  // The router of this cluster; Start has installed it in the System.
  virtual Router& router() = 0;

  // `on_view` runs on the executor, now with the current view and after every change.
  virtual void ObserveViews(std::function<void(const ViewInfo&)> on_view) = 0;

  virtual ViewInfo view() const = 0;
  virtual Executor& executor() = 0;
  virtual remoting::Network& network() = 0;
};

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_NODE_H_
