#include "network/proxy_cell.h"

#include <atomic>
#include <memory>
#include <optional>
#include <utility>

#include "actor/mailbox_cell.h"
#include "actor/turn.h"
#include "grain/filtered_call.h"
#include "mailbox/envelope_extra.h"
#include "quern/runtime/internal/spawn.h"
#include "quern/runtime/limits.h"
#include "scheduler/waiter.h"
#include "system/system_core.h"

namespace quern::internal {
namespace {

void StampEnvelope(Envelope& envelope, const WireEntry* wire) {
  EnvelopeExtra& extra = ExtraOf(envelope);
  extra.wire = wire;
  if (Turn* turn = CurrentTurn(); turn != nullptr) turn->cell->FillSender(&extra.sender);
}

}  // namespace

ProxyCell::ProxyCell(SystemCore* core, const WireTable* wire)
    : Cell(SystemCore::NextCellId()), core_(core), wire_(wire) {
  core_->AddRef();
}

ProxyCell::~ProxyCell() { core_->Release(); }

Delivery ProxyCell::Post(Envelope* envelope) {
  if (core_->stopped()) {
    DropEnvelope(envelope, absl::UnavailableError(Path() + ": the system has stopped"));
    return Delivery::kStopped;
  }
  StampEnvelope(*envelope, wire_->Find(*envelope));
  envelope->extra->target = CellPtr<Cell>::Share(this);
  envelope->extra->shortcut = nullptr;
  return Route(Message(envelope));
}

GrainProxyCell::GrainProxyCell(SystemCore* core, const WireTable* wire, GrainId id)
    : ProxyCell(core, wire), id_(std::move(id)), valid_(id_.Validate()), shortcut_(*core) {}

Delivery GrainProxyCell::Post(Envelope* envelope) {
  if (shortcut_.Post(envelope)) [[likely]]
    return Delivery::kAccepted;
  return ProxyCell::Post(envelope);
}

void GrainProxyCell::PostChain(MailboxNode* first, MailboxNode* last) {
  if (!shortcut_.PostChain(first, last)) Cell::PostChain(first, last);
}

Delivery GrainProxyCell::Route(Message message) {
  if (!valid_.ok()) {
    std::move(message).Fail(valid_);
    return Delivery::kUnreachable;
  }
  const GrainFilters& filters = system_core()->options().grain_filters;
  if (!filters.empty()) [[unlikely]] {
    if (Status refused = CheckOutbound(filters, id_, *message.get()); !refused.ok()) {
      std::move(message).Fail(std::move(refused));
      return Delivery::kUnreachable;
    }
  }
  message.get()->extra->shortcut = &shortcut_;
  if (shortcut_.PostStamped(message.get())) {
    std::move(message).release();
    return Delivery::kAccepted;
  }
  return system_core()->RouteGrain(id_, std::move(message), shortcut_);
}

Delivery RemoteActorCell::Route(Message message) {
  Router* router = system_core()->router();
  if (router == nullptr) {
    std::move(message).Fail(absl::UnavailableError(address_ + ": no network is installed"));
    return Delivery::kUnreachable;
  }
  return router->RouteActor(address_, std::move(message));
}

CellPtr<Cell> GrainProxy(SystemCore* core, const WireTable& wire, std::string_view kind,
                         std::string_view key) {
  return CellPtr<Cell>::Adopt(new GrainProxyCell(core, &wire, GrainId(kind, key)));
}

StatusOr<CellPtr<Cell>> SpawnRemote(SystemCore* core, std::string_view where, std::string_view name,
                                    const WireTable& wire, std::string arguments,
                                    const SpawnOptions& options) {
  Router* router = core->stopped() ? nullptr : core->router();
  if (router == nullptr) {
    return absl::FailedPreconditionError("spawn " + std::string(name) + " in \"" +
                                         std::string(where) + "\": no network is installed");
  }
  // The router answers once, on any thread, maybe after the wait was given up.
  struct Call {
    std::atomic<bool> settled{false};
    Waiter* waiter = nullptr;
    StatusOr<std::string> address = absl::UnknownError("");
  };
  Waiter waiter(core);
  auto call = std::make_shared<Call>();
  call->waiter = &waiter;
  router->Spawn(where, wire.kind, name, std::move(arguments), options.timeout,
                [call](StatusOr<std::string> address) {
                  if (call->settled.exchange(true, std::memory_order_acq_rel)) return;
                  call->address = std::move(address);
                  call->waiter->Wake();
                });
  const Time deadline = core->clock().Now() + options.timeout + kRouterGrace;
  const Waiter::Outcome outcome = waiter.Wait(deadline, /*cancellable=*/true);
  if (outcome != Waiter::Outcome::kWoken) {
    if (!call->settled.exchange(true, std::memory_order_acq_rel)) {
      const std::string what = "spawn " + std::string(name) + " in \"" + std::string(where) + "\"";
      if (outcome == Waiter::Outcome::kCancelled) {
        return WithReason(absl::CancelledError(what + ": the spawner is stopping"),
                          Reason::kCancelled);
      }
      return absl::DeadlineExceededError(what + ": no answer");
    }
    waiter.Wait();
  }
  if (!call->address.ok()) return call->address.status();
  return CellPtr<Cell>::Adopt(new RemoteActorCell(core, &wire, *std::move(call->address)));
}

}  // namespace quern::internal
