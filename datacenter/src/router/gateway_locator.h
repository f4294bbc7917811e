// Finds grains of other datacenters by asking one of their gateways after the other.

#ifndef QUERN_DATACENTER_SRC_ROUTER_GATEWAY_LOCATOR_H_
#define QUERN_DATACENTER_SRC_ROUTER_GATEWAY_LOCATOR_H_

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "quern/cluster/grain_caller.h"
#include "quern/datacenter/node.h"
#include "quern/datacenter/registry.h"
#include "quern/remoting/network.h"

namespace quern::datacenter {

// Calls `attempt` with one gateway of `datacenter` after the other until it answers with anything
// but UNAVAILABLE or a timeout, or `deadline` is near. Starts with the gateway that answered last.
// Executor only.
class Gateways {
 public:
  using Done = std::function<void(StatusOr<remoting::SystemBody>)>;

  // The references must outlive this object and every call.
  Gateways(Registry& registry, remoting::Network& network, Clock& clock, Duration try_timeout)
      : registry_(registry), network_(network), clock_(clock), try_timeout_(try_timeout) {}

  // UNAVAILABLE with dc_unreachable (every gateway refused), dc_stale, dc_draining; NOT_FOUND;
  // DEADLINE_EXCEEDED; or what a gateway answered.
  void Call(const std::string& datacenter, const remoting::SystemBody& body, Time deadline,
            Done done);

 private:
  struct Attempt;
  void Try(const std::shared_ptr<Attempt>& attempt);
  void OnAnswer(const std::shared_ptr<Attempt>& attempt, StatusOr<remoting::SystemBody> answer);

  Registry& registry_;
  remoting::Network& network_;
  Clock& clock_;
  const Duration try_timeout_;
  std::map<std::string, std::string, std::less<>>
      preferred_;  // datacenter -> address that answered last
};

class GatewayLocator : public cluster::Locator {
 public:
  GatewayLocator(HomeRule home, Gateways& gateways) : home_(std::move(home)), gateways_(gateways) {}

  void Locate(const GrainId& id, const Epoch& stale, Time deadline,
              std::function<void(StatusOr<cluster::Location>)> done) override;

 private:
  const HomeRule home_;
  Gateways& gateways_;
};

}  // namespace quern::datacenter

#endif  // QUERN_DATACENTER_SRC_ROUTER_GATEWAY_LOCATOR_H_
