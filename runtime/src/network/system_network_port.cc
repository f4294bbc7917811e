#include "network/system_network_port.h"

#include <cstdlib>
#include <memory>
#include <utility>

#include "actor/actor_cell.h"
#include "actor/call_chain.h"
#include "actor/turn.h"
#include "grain/epoch_guard.h"
#include "grain/grain_host.h"
#include "mailbox/envelope_extra.h"
#include "network/actor_kinds.h"
#include "system/system_core.h"

namespace quern::internal {
namespace {

// The asker's end of an ask that came from a peer: memory for the reply, which is encoded and
// handed back on the replier's thread.
class InboundAsk final : public Completion {
 public:
  InboundAsk(Envelope* envelope, const WireEntry* wire, std::function<void(EncodedReply)> on_reply)
      : envelope_(envelope),
        wire_(wire),
        on_reply_(std::move(on_reply)),
        slot_(std::malloc(wire->signature->reply_slot_bytes), &std::free) {}

  void* slot() const { return slot_.get(); }

  void Done() override {
    EncodedReply reply;
    reply.status = wire_->encode_reply(slot(), &reply.body);
    wire_->signature->destroy_slot(slot());
    if (Turn* turn = CurrentTurn(); turn != nullptr) turn->cell->FillSender(&reply.sender);
    on_reply_(std::move(reply));
    ReleaseAsker(envelope_);
    delete this;
  }

 private:
  Envelope* const envelope_;
  const WireEntry* const wire_;
  const std::function<void(EncodedReply)> on_reply_;
  const std::unique_ptr<void, decltype(&std::free)> slot_;
};

}  // namespace

void SystemNetworkPort::SetRouter(Router* router) { core_->SetRouter(router); }

std::vector<std::string> SystemNetworkPort::HostedKinds() const {
  std::vector<std::string> kinds = core_->grain_host().HostedKinds();
  for (std::string& kind : core_->actor_kinds().Names()) kinds.push_back(std::move(kind));
  return kinds;
}

bool SystemNetworkPort::Hosts(std::string_view kind) const {
  return core_->grain_host().WireTableOf(kind) != nullptr ||
         core_->actor_kinds().Find(kind).has_value();
}

StatusOr<Message> SystemNetworkPort::Decode(InboundMessage inbound) {
  const WireTable* wire = core_->grain_host().WireTableOf(inbound.kind);
  if (wire == nullptr) {
    if (auto kind = core_->actor_kinds().Find(inbound.kind); kind.has_value()) wire = kind->wire;
  }
  if (wire == nullptr) {
    return absl::NotFoundError("kind " + std::string(inbound.kind) + " is not hosted here");
  }
  const WireEntry* entry = wire->FindType(inbound.type_name);
  if (entry == nullptr) {
    return absl::NotFoundError("kind " + std::string(inbound.kind) + " knows no message " +
                               std::string(inbound.type_name));
  }
  Status fresh = core_->sender_epochs().Check(inbound.sender);
  if (!fresh.ok()) return fresh;

  const bool ask = static_cast<bool>(inbound.on_reply);
  const auto index = static_cast<uint16_t>(entry - wire->entries);
  Envelope* envelope = AllocateEnvelope(*entry->signature, index, ShapeOf(*entry->signature, ask));
  Status decoded = entry->decode(inbound.body, envelope->message());
  envelope->flags |= Envelope::kBuilt;
  EnvelopeExtra& extra = ExtraOf(*envelope);
  extra.sender = std::move(inbound.sender);
  extra.wire = entry;
  extra.ComesTo(core_, inbound.kind);
  if (ask) {
    AskBlock& block = envelope->ask();
    block.deadline = inbound.deadline;
    block.chain = CallChain::FromPaths(inbound.call_chain);
    extra.call_chain = std::move(inbound.call_chain);
  }
  if (!decoded.ok()) {
    // Nobody is told through the envelope: the caller answers the peer.
    if (ask) envelope->ask_state.store(Envelope::kClaimed | Envelope::kAskerGone);
    DropEnvelope(envelope, absl::OkStatus());
    return absl::DataLossError(decoded.message());
  }
  if (ask) {
    auto* asker = new InboundAsk(envelope, entry, std::move(inbound.on_reply));
    envelope->ask().slot = asker->slot();
    envelope->ask().completion = asker;
  }
  return Message(envelope);
}

void SystemNetworkPort::Activate(const GrainId& id, const Epoch& epoch,
                                 std::function<void(StatusOr<ActivationInfo>)> done) {
  core_->grain_host().Activate(id, epoch, std::move(done));
}

GrainDelivery SystemNetworkPort::DeliverToGrain(const GrainId& id,
                                                const std::optional<Epoch>& expected,
                                                Message& message, Passage passage) {
  return core_->grain_host().DeliverToGrain(id, expected, message, passage);
}

void SystemNetworkPort::Recall(const GrainId& id) { core_->grain_host().Recall(id); }

void SystemNetworkPort::Deactivate(const GrainId& id, Status why) {
  (void)core_->grain_host().Deactivate(id, std::move(why));
}

std::vector<ActivationInfo> SystemNetworkPort::Activations() const {
  return core_->grain_host().Activations();
}

Delivery SystemNetworkPort::DeliverToActor(std::string_view path, Message message) {
  CellPtr<ActorCell> cell;
  const CellPtr<ActorCell> root = core_->stopping() ? CellPtr<ActorCell>() : core_->SharedRoot();
  if (root && !path.empty() && path.front() == '/') cell = root->Find(path.substr(1));
  if (!cell) {
    std::move(message).Fail(absl::NotFoundError("no actor at " + std::string(path)));
    return Delivery::kStopped;
  }
  return cell->Post(std::move(message).release());
}

void SystemNetworkPort::SpawnHosted(std::string_view kind, std::string_view name,
                                    std::string encoded_arguments,
                                    std::function<void(StatusOr<std::string>)> done) {
  const auto hosted = core_->actor_kinds().Find(kind);
  if (!hosted.has_value()) {
    done(absl::NotFoundError("actor kind " + std::string(kind) + " is not hosted here"));
    return;
  }
  StatusOr<CellPtr<Cell>> cell = hosted->spawn(core_, name, encoded_arguments);
  if (!cell.ok()) {
    done(cell.status());
    return;
  }
  done((*cell)->Path());
}

void SystemNetworkPort::SetServingUntil(Time until) { core_->grain_host().SetServingUntil(until); }

}  // namespace quern::internal
