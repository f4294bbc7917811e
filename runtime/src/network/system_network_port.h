// NetworkPort of one system: decodes what comes from a peer, finds actors by path, spawns hosted
// kinds; what concerns grains goes to the grain host.

#ifndef QUERN_RUNTIME_SRC_NETWORK_SYSTEM_NETWORK_PORT_H_
#define QUERN_RUNTIME_SRC_NETWORK_SYSTEM_NETWORK_PORT_H_

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quern/runtime/network_port.h"

namespace quern::internal {

class SystemCore;

class SystemNetworkPort final : public NetworkPort {
 public:
  explicit SystemNetworkPort(SystemCore* core) : core_(core) {}

  void SetRouter(Router* router) override;
  std::vector<std::string> HostedKinds() const override;
  bool Hosts(std::string_view kind) const override;
  StatusOr<Message> Decode(InboundMessage inbound) override;
  void Activate(const GrainId& id, const Epoch& epoch,
                std::function<void(StatusOr<ActivationInfo>)> done) override;
  GrainDelivery DeliverToGrain(const GrainId& id, const std::optional<Epoch>& expected,
                               Message& message, Passage passage) override;
  void Recall(const GrainId& id) override;
  void Deactivate(const GrainId& id, Status why) override;
  std::vector<ActivationInfo> Activations() const override;
  Delivery DeliverToActor(std::string_view path, Message message) override;
  void SpawnHosted(std::string_view kind, std::string_view name, std::string encoded_arguments,
                   std::function<void(StatusOr<std::string>)> done) override;
  void SetServingUntil(Time until) override;

 private:
  SystemCore* const core_;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_NETWORK_SYSTEM_NETWORK_PORT_H_
