// Sends each message to the datacenter that it is for: to one's own cluster, or through the
// gateways of another.

#ifndef QUERN_DATACENTER_SRC_ROUTER_DATACENTER_ROUTER_H_
#define QUERN_DATACENTER_SRC_ROUTER_DATACENTER_ROUTER_H_

#include <functional>
#include <string>
#include <string_view>

#include "quern/cluster/grain_caller.h"
#include "quern/datacenter/node.h"
#include "quern/datacenter/registry.h"
#include "quern/runtime/network_port.h"
#include "router/gateway_locator.h"

namespace quern::datacenter {

class DatacenterRouter : public Router {
 public:
  struct Options {
    std::string datacenter;  // one's own; empty for a client
    HomeRule home;
    Router* own_cluster = nullptr;  // nullptr for a client
    Duration gateway_try_timeout = std::chrono::seconds(1);
  };

  // All references outlive the router.
  DatacenterRouter(Options options, Registry& registry, remoting::Network& network,
                   Executor& executor, Clock& clock);

  Delivery RouteGrain(const GrainId& target, Message message) override;
  Delivery RouteActor(const std::string& address, Message message) override;
  void Spawn(std::string_view where, std::string_view kind, std::string_view name,
             std::string encoded_arguments, Duration timeout,
             std::function<void(StatusOr<std::string>)> done) override;
  void OnDeactivated(const GrainId& id, const Epoch& epoch) override;

  // Executor only.
  void Stop() { caller_.Stop(); }

 private:
  bool IsOwn(std::string_view datacenter) const {
    return options_.own_cluster != nullptr &&
           (datacenter.empty() || datacenter == options_.datacenter);
  }

  const Options options_;
  Registry& registry_;
  remoting::Network& network_;
  Executor& executor_;
  Clock& clock_;
  Gateways gateways_;
  GatewayLocator locator_;
  cluster::GrainCaller caller_;
};

}  // namespace quern::datacenter

#endif  // QUERN_DATACENTER_SRC_ROUTER_DATACENTER_ROUTER_H_
