// One process as a member of a cluster that is one datacenter of several. Adds to cluster::Node:
// the datacenter's record in the global control plane (written by the cluster's coordinator,
// watched by every node), grains whose home is another datacenter, and spawning there.
//
//   auto node = quern::datacenter::Node::Start(system, {.cluster = {..., .datacenter = "us-west"},
//                                                       .global = global_plane,
//                                                       .home = [](const GrainId& id) { return
//                                                       HomeOf(id.key); }});
//   system.Grain<AirportApi>("ORD").Ask(batch);                     // in us-east, if that is its
//   home system.In("us-east").Spawn<ReaderApi>("reader", arguments);
//
// A home by static rule needs no lease and goes on without the global control plane, but never
// fails over. Calls to a datacenter that cannot be reached fail at once with UNAVAILABLE and a
// reason: dc_unreachable (no gateway answers), dc_stale (its record has not moved for a lease),
// dc_draining. Thread-safe.

#ifndef QUERN_DATACENTER_NODE_H_
#define QUERN_DATACENTER_NODE_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "quern/cluster/control_plane.h"
#include "quern/cluster/node.h"
#include "quern/datacenter/registry.h"
#include "quern/runtime/grain_id.h"

namespace quern::datacenter {

// The home datacenter of a grain, the same function on every node. Called from any worker; pure.
using HomeRule = std::function<std::string(const GrainId&)>;

struct NodeOptions {
  cluster::NodeOptions cluster;             // `datacenter` is required
  cluster::ControlPlane* global = nullptr;  // required; outlives the node
  HomeRule home;                            // empty: every grain lives in its caller's datacenter
  std::string region;
  std::string zone;
};

class Node {
 public:
  // As cluster::Node::Start; also waits until this datacenter's record stands in the global control
  // plane.
  static StatusOr<std::unique_ptr<Node>> Start(System& system, NodeOptions options);

  virtual ~Node() = default;

  // As cluster::Node::Leave; the last member marks the datacenter inactive.
  virtual Status Leave() = 0;

  // All datacenters known, this one included.
  virtual std::vector<DatacenterInfo> Datacenters() const = 0;

  virtual cluster::Node& cluster() = 0;
};

}  // namespace quern::datacenter

#endif  // QUERN_DATACENTER_NODE_H_
