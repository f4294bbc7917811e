// What is known of the datacenters: one record each in the global control plane, written by that
// datacenter's coordinator and watched by every node and client (ARCHITECTURE.md, D18).
//
//   Registry registry(options, global_plane, executor, clock, random);
//   registry.Start();
//   StatusOr<DatacenterInfo> west = registry.Find("us-west");   // UNAVAILABLE with the reason when
//   it cannot be used
//
// A record whose lease counter has not moved for a lease length on this observer's clock is stale.
// An author writes by compare-and-set and never over the record of an author with a higher
// (incarnation, view version).
//
// Runs on its Executor; Find, All and WaitFor are thread-safe.

#ifndef QUERN_DATACENTER_REGISTRY_H_
#define QUERN_DATACENTER_REGISTRY_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "quern/cluster/control_plane.h"
#include "quern/remoting/network.h"
#include "quern/runtime/clock.h"
#include "quern/runtime/executor.h"
#include "quern/runtime/logger.h"
#include "quern/runtime/random.h"

namespace quern::datacenter {

enum class DatacenterState : uint8_t { kRegistered, kActive, kDraining, kInactive };

// "registered", "active", "draining", "inactive".
std::string_view DatacenterStateName(DatacenterState state);

struct DatacenterInfo {
  std::string id;
  std::string region;
  std::string zone;
  DatacenterState state = DatacenterState::kRegistered;
  std::vector<remoting::PeerAddress> gateways;
  std::vector<std::string> kinds;
  bool stale = false;  // its record has not moved for a lease
};

// What this node's datacenter says of itself, when this node is its coordinator.
struct Authorship {
  DatacenterInfo info;
  uint64_t incarnation = 0;  // of the datacenter's own control plane
  uint64_t view_version = 0;
  std::string node_id;
  std::vector<std::string> gateway_node_ids;  // beside info.gateways
};

class Registry {
 public:
  struct Options {
    std::string cluster_id;
    Duration lease = std::chrono::seconds(20);
    Duration renew_every = std::chrono::seconds(2);
    Duration try_timeout = std::chrono::seconds(1);
  };

  // The references must outlive the registry.
  Registry(Options options, cluster::ControlPlane& global, Executor& executor, Clock& clock,
           Random& random, Logger& logger);
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // Begins to watch. Executor only.
  void Start();

  // From now on writes and renews this record, as long as no higher author has written. Executor
  // only.
  void Author(Authorship authorship);

  // Stops renewing: another node has become the coordinator. Executor only.
  void Yield();

  // Writes the state once more and stops renewing; `done` runs on the executor. Executor only.
  void Retire(DatacenterState last, std::function<void(Status)> done);

  // NOT_FOUND: never heard of it. UNAVAILABLE with dc_stale or dc_draining. Thread-safe.
  StatusOr<DatacenterInfo> Find(std::string_view id) const;

  std::vector<DatacenterInfo> All() const;

  // Calls `changed` on the executor after every change of what Find answers.
  void Observe(std::function<void()> changed);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace quern::datacenter

#endif  // QUERN_DATACENTER_REGISTRY_H_
