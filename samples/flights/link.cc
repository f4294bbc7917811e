#include "flights/link.h"

#include <utility>

#include "flights/interrupt.h"
#include "flights/limits.h"
#include "flights/node_main.h"
#include "quern/cluster/nats_control_plane.h"
#include "quern/datacenter/client.h"

namespace flights {
namespace {

class ClientLink : public Link {
 public:
  quern::Status Connect(const std::string& global_url, const Airports& airports,
                        int lease_divisor) {
    const InterruptDelay delay;
    auto global = quern::cluster::NatsControlPlane::Connect(
        {.url = global_url, .cluster = std::string(kClusterId)});
    if (!global.ok()) return global.status();
    global_ = *std::move(global);
    system_ = std::make_unique<quern::System>("launcher");
    auto client = quern::datacenter::Client::Connect(
        *system_, {.cluster_id = std::string(kClusterId),
                   .client_id = "launcher",
                   .global = global_.get(),
                   .home = HomeRuleOf(airports),
                   .lease = quern::cluster::LeaseTimes().DividedBy(lease_divisor),
                   .wait_for = {std::string(kWest), std::string(kEast)},
                   .connect_timeout = kConnectTimeout});
    if (!client.ok()) return client.status();
    client_ = *std::move(client);
    return absl::OkStatus();
  }

  quern::System& system() override { return *system_; }

 private:
  std::unique_ptr<quern::cluster::NatsControlPlane> global_;
  std::unique_ptr<quern::System> system_;
  std::unique_ptr<quern::datacenter::Client> client_;
};

}  // namespace

quern::StatusOr<std::unique_ptr<Link>> Link::Open(const std::string& global_url,
                                                  const Airports& airports, int lease_divisor) {
  auto link = std::make_unique<ClientLink>();
  quern::Status connected = link->Connect(global_url, airports, lease_divisor);
  if (!connected.ok()) return connected;
  return link;
}

}  // namespace flights
