#include "router/datacenter_router.h"

#include <utility>

#include "quern/cluster/actor_address.h"
#include "quern/cluster/v1/cluster.pb.h"

namespace quern::datacenter {

DatacenterRouter::DatacenterRouter(Options options, Registry& registry, remoting::Network& network,
                                   Executor& executor, Clock& clock)
    : options_(std::move(options)),
      registry_(registry),
      network_(network),
      executor_(executor),
      clock_(clock),
      gateways_(registry, network, clock, options_.gateway_try_timeout),
      locator_(options_.home, gateways_),
      caller_({}, locator_, network, nullptr, executor, clock) {}

Delivery DatacenterRouter::RouteGrain(const GrainId& target, Message message) {
  const std::string home = options_.home ? options_.home(target) : std::string();
  if (IsOwn(home)) return options_.own_cluster->RouteGrain(target, std::move(message));
  if (home.empty()) {
    std::move(message).Fail(absl::FailedPreconditionError(
        "call " + target.ToString() +
        ": a client needs a home rule to know its datacenter (ClientOptions::home)"));
    return Delivery::kUnreachable;
  }
  if (const auto usable = registry_.Find(home); !usable.ok()) {
    std::move(message).Fail(usable.status());
    return Delivery::kUnreachable;
  }
  return caller_.Route(target, std::move(message));
}

Delivery DatacenterRouter::RouteActor(const std::string& address, Message message) {
  const auto parsed = cluster::ActorAddress::Parse(address);
  if (!parsed.ok()) {
    std::move(message).Fail(parsed.status());
    return Delivery::kUnreachable;
  }
  return cluster::SendToActor(network_, *parsed, std::move(message));
}

void DatacenterRouter::Spawn(std::string_view where, std::string_view kind, std::string_view name,
                             std::string encoded_arguments, Duration timeout,
                             std::function<void(StatusOr<std::string>)> done) {
  if (IsOwn(where)) {
    return options_.own_cluster->Spawn("", kind, name, std::move(encoded_arguments), timeout,
                                       std::move(done));
  }
  cluster::v1::SpawnRequest request;
  request.set_kind(std::string(kind));
  request.set_name(std::string(name));
  request.set_arguments(std::move(encoded_arguments));
  remoting::SystemBody body{request.GetTypeName(), request.SerializeAsString()};
  executor_.Post([this, where = std::string(where), body = std::move(body),
                  deadline = clock_.Now() + timeout, done = std::move(done)] {
    gateways_.Call(where, body, deadline, [done](StatusOr<remoting::SystemBody> answer) {
      done(cluster::SpawnedAddress(answer));
    });
  });
}

void DatacenterRouter::OnDeactivated(const GrainId& id, const Epoch& epoch) {
  if (options_.own_cluster != nullptr) options_.own_cluster->OnDeactivated(id, epoch);
}

}  // namespace quern::datacenter
