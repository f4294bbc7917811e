// The grains of one system: which kinds are hosted here, the activations, and the grain half of
// NetworkPort. src/grain implements it; src/system calls it.

#ifndef QUERN_RUNTIME_SRC_GRAIN_GRAIN_HOST_H_
#define QUERN_RUNTIME_SRC_GRAIN_GRAIN_HOST_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quern/runtime/delivery.h"
#include "quern/runtime/grain.h"
#include "quern/runtime/grain_info.h"
#include "quern/runtime/internal/wire_table.h"
#include "quern/runtime/network_port.h"
#include "quern/runtime/status.h"

namespace quern::internal {

class Shortcut;
class SystemCore;
class Visits;

// Thread-safe; nothing blocks or suspends except Stop(). For the contracts see network_port.h.
class GrainHost {
 public:
  virtual ~GrainHost() = default;

  // INVALID_ARGUMENT: no valid kind, a timeout that is not positive, tries out of bounds;
  // ALREADY_EXISTS: hosted already; UNAVAILABLE: the system stops.
  virtual Status Host(const GrainType& type, GrainOptions options) = 0;

  // A grain's message when no Router is installed: activates it here (under local epochs that rise)
  // when it is not there yet; when it is, leads `shortcut` to it. Answers NOT_FOUND when the kind
  // is not hosted.
  virtual Delivery RouteLocal(const GrainId& id, Message message, Shortcut& shortcut) = 0;

  // Of activations, by the workers of this system.
  virtual Visits& visits() = 0;

  virtual std::vector<std::string> HostedKinds() const = 0;
  // Null: the kind is not hosted here.
  virtual const WireTable* WireTableOf(std::string_view kind) const = 0;

  // Hosted here with stateless workers: its calls stay here.
  virtual bool IsStateless(std::string_view kind) const = 0;

  virtual void Activate(const GrainId& id, const Epoch& epoch,
                        std::function<void(StatusOr<ActivationInfo>)> done) = 0;
  virtual GrainDelivery DeliverToGrain(const GrainId& id, const std::optional<Epoch>& expected,
                                       Message& message, Passage passage) = 0;
  virtual void Recall(const GrainId& id) = 0;
  // NOT_FOUND: it is not active here.
  virtual Status Deactivate(const GrainId& id, Status why) = 0;
  virtual std::vector<ActivationInfo> Activations() const = 0;

  // For users, see system.h.
  virtual std::optional<GrainInfo> Peek(const GrainId& id) = 0;
  virtual GrainPage List(const GrainListOptions& options) const = 0;
  virtual size_t Count(std::string_view kind) const = 0;

  virtual void SetServingUntil(Time until) = 0;
  // As far as is known at `now`, which may be a little while ago; every turn looks again.
  virtual bool ServesAt(Time now) const = 0;

  // Refuses new activations, deactivates all and returns when they are gone. Blocks the thread. The
  // workers still run.
  virtual void Stop() = 0;
};

std::unique_ptr<GrainHost> NewGrainHost(SystemCore& core);

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_GRAIN_GRAIN_HOST_H_
