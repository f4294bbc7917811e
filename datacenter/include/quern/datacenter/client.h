// A program outside every datacenter that calls into them: it hosts nothing, joins nothing, and
// reaches grains and actors through the datacenters' gateways.
//
//   quern::System system("launcher");
//   auto client = quern::datacenter::Client::Connect(system, {.cluster_id = "flights", .global =
//   plane, .home = rule}); system.In("us-west").Spawn<ReaderApi>("reader", arguments);
//   system.Grain<AirportApi>("ORD").Ask(GetTotals());
//
// Failures as in datacenter/node.h. Thread-safe.

#ifndef QUERN_DATACENTER_CLIENT_H_
#define QUERN_DATACENTER_CLIENT_H_

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "quern/cluster/control_plane.h"
#include "quern/cluster/membership.h"
#include "quern/datacenter/node.h"
#include "quern/datacenter/registry.h"

namespace quern::datacenter {

struct ClientOptions {
  std::string cluster_id;
  std::string client_id = "client";
  cluster::ControlPlane* global = nullptr;  // required; outlives the client
  HomeRule home;                            // required for grain calls
  cluster::LeaseTimes lease;                // as on the nodes
  std::vector<std::string> wait_for;  // datacenters that must be active before Connect returns
  Duration connect_timeout = std::chrono::seconds(30);
  Clock* clock = &SystemClock();
  Random* random = &SystemRandom();
  Logger* logger = &NullLogger();
};

class Client {
 public:
  // Blocks the thread. DEADLINE_EXCEEDED names the datacenters that are missing.
  static StatusOr<std::unique_ptr<Client>> Connect(System& system, ClientOptions options);

  // Takes its router out of the System; outstanding asks answer UNAVAILABLE or DEADLINE_EXCEEDED.
  virtual ~Client() = default;

  virtual std::vector<DatacenterInfo> Datacenters() const = 0;
};

}  // namespace quern::datacenter

#endif  // QUERN_DATACENTER_CLIENT_H_
