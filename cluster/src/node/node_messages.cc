// The traffic of a node: what peers send, what the runtime, Membership and Directory want sent.

#include <algorithm>
#include <utility>

#include "node/node_impl.h"
#include "quern/cluster/actor_address.h"
#include "quern/cluster/wire_convert.h"

namespace quern::cluster {
namespace {

// A request of an outsider carries no deadline of its own; its caller gives up earlier and asks
// elsewhere.
constexpr Duration kOutsiderPatience = std::chrono::seconds(5);
constexpr Duration kSpawnForwardTimeout = std::chrono::seconds(5);

template <typename Proto>
remoting::SystemBody Pack(const Proto& proto) {
  return {proto.GetTypeName(), proto.SerializeAsString()};
}

Status NotHere(const GrainId& id, const Epoch& last) {
  return WithReason(absl::AbortedError("grain " + id.ToString() +
                                       " is not here; its last epoch here was " + last.ToString()),
                    Reason::kMoved);
}

}  // namespace

// ---- Router

Delivery NodeImpl::RouteGrain(const GrainId& target, Message message) {
  if (fenced_.load(std::memory_order_relaxed)) {
    std::move(message).Fail(absl::UnavailableError("call " + target.ToString() + ": " +
                                                   options_.node_id + " has no lease now"));
    return Delivery::kUnreachable;
  }
  return caller_->Route(target, std::move(message));
}

Delivery NodeImpl::RouteActor(const std::string& text, Message message) {
  const StatusOr<ActorAddress> address = ActorAddress::Parse(text);
  if (!address.ok()) {
    std::move(message).Fail(address.status());
    return Delivery::kUnreachable;
  }
  if (address->peer.process_id != process_id_)
    return SendToActor(*network_, *address, std::move(message));
  return port_.DeliverToActor(SplitActorPath(address->path).path, std::move(message));
}

void NodeImpl::Spawn(std::string_view, std::string_view kind, std::string_view name,
                     std::string encoded_arguments, Duration timeout,
                     std::function<void(StatusOr<std::string>)> done) {
  v1::SpawnRequest request;
  request.set_kind(std::string(kind));
  request.set_name(std::string(name));
  request.set_arguments(std::move(encoded_arguments));
  executor().Post([this, request = std::move(request), timeout, done = std::move(done)]() mutable {
    SpawnSomewhere(std::move(request), timeout,
                   [done = std::move(done)](const StatusOr<remoting::SystemBody>& answer) {
                     done(SpawnedAddress(answer));
                   });
  });
}

void NodeImpl::OnDeactivated(const GrainId& id, const Epoch& epoch) {
  caller_->Forget(id, epoch);
  executor().Post([this, id, epoch] {
    if (directory_ != nullptr) directory_->OnDeactivated(id, epoch);
  });
}

// ---- Grain messages

void NodeImpl::Locate(const GrainId& id, const Epoch& stale, Time deadline,
                      std::function<void(StatusOr<Location>)> done) {
  if (directory_ == nullptr)
    return done(absl::UnavailableError("locate " + id.ToString() + ": not joined"));
  directory_->Locate(id, stale, deadline, std::move(done));
}

void NodeImpl::OnUserMessage(const remoting::NodeIdentity& from, remoting::UserMessage wire,
                             ReplyUser reply) {
  if (Status admitted = AdmitPeer(from); !admitted.ok()) {
    if (reply) reply({.status = absl::UnavailableError(admitted.message())});  // surely not run
    return;
  }
  InboundMessage inbound;
  const ActorPath actor = SplitActorPath(wire.actor_path);
  inbound.kind = wire.grain.kind.empty() ? actor.kind : wire.grain.kind;
  inbound.type_name = wire.type_name;
  inbound.body = wire.body;
  inbound.deadline = wire.deadline;
  inbound.sender = wire.sender;
  inbound.call_chain = std::move(wire.call_chain);
  if (reply) {
    inbound.on_reply = [reply](EncodedReply answer) {
      reply({.status = std::move(answer.status),
             .body = std::move(answer.body),
             .sender = answer.sender});
    };
  }
  StatusOr<Message> message = port_.Decode(std::move(inbound));
  if (!message.ok()) {
    if (reply) return reply({.status = message.status()});
    options_.logger->Log(LogLevel::kWarn, "a tell from a peer was dropped",
                         {{"why", message.status().ToString()}});
    return;
  }
  if (wire.grain.kind.empty()) {
    port_.DeliverToActor(actor.path, *std::move(message));
  } else {
    DeliverGrainMessage(wire, *std::move(message));
  }
}

void NodeImpl::DeliverGrainMessage(const remoting::UserMessage& wire, Message message) {
  std::optional<Epoch> expected;
  if (!wire.target_epoch.IsZero()) expected = wire.target_epoch;
  if (drained_) {  // fenced as well, but this answer sends the caller where the grain is now
    return std::move(message).Fail(NotHere(wire.grain, expected.value_or(Epoch())));
  }
  const GrainDelivery delivery = port_.DeliverToGrain(wire.grain, expected, message);
  if (delivery.outcome == GrainDelivery::Outcome::kAccepted ||
      delivery.outcome == GrainDelivery::Outcome::kRefused) {
    return;
  }
  // An asker is told and looks again; a tell has nobody to tell and is sent on from here.
  if (message.expects_reply()) return std::move(message).Fail(NotHere(wire.grain, delivery.epoch));
  caller_->Route(wire.grain, std::move(message));
}

// ---- System messages

bool NodeImpl::IsMember(const remoting::NodeIdentity& peer) const {
  return peer.role == remoting::NodeRole::kNode && peer.datacenter == options_.datacenter;
}

void NodeImpl::OnSystemMessage(const remoting::NodeIdentity& from, remoting::SystemBody body,
                               ReplySystem reply) {
  if (Status admitted = AdmitPeer(from); !admitted.ok()) {
    if (reply) reply(std::move(admitted));
    return;
  }
  if (membership_ == nullptr || directory_ == nullptr) {
    if (reply) reply(absl::UnavailableError("node " + options_.node_id + " has not joined yet"));
    return;
  }
  if (body.type == v1::SpawnRequest::descriptor()->full_name()) return OnSpawnRequest(body, reply);
  if (!IsMember(from)) {
    if (body.type == v1::LocateRequest::descriptor()->full_name())
      return LocateForOutsider(body, reply);
    if (reply) reply(absl::PermissionDeniedError(body.type + " is for members of the cluster"));
    return;
  }
  if (Membership::Handles(body.type)) return membership_->OnMessage(from, body);
  if (Directory::Handles(body.type))
    return directory_->OnMessage(from, std::move(body), std::move(reply));
  if (reply) reply(absl::UnimplementedError("unknown system message " + body.type));
}

void NodeImpl::LocateForOutsider(const remoting::SystemBody& body, const ReplySystem& reply) {
  v1::LocateRequest request;
  if (!reply) return;
  if (!request.ParseFromString(body.bytes))
    return reply(absl::DataLossError("malformed " + body.type));
  const GrainId id = FromProto(request.grain());
  if (Status valid = id.Validate(); !valid.ok()) return reply(valid);
  directory_->Locate(id, FromProto(request.stale_epoch()),
                     options_.clock->Now() + kOutsiderPatience,
                     [this, id, reply](const StatusOr<Location>& location) {
                       if (!location.ok()) return reply(location.status());
                       v1::LocateReply answer;
                       v1::Activation* activation = answer.mutable_activation();
                       ToProto(id, activation->mutable_grain());
                       ToProto(location->epoch, activation->mutable_epoch());
                       activation->set_address(location->peer.address);
                       activation->set_process_id(ToBytes(location->peer.process_id));
                       activation->set_state(v1::ACTIVATION_STATE_ACTIVE);
                       reply(Pack(answer));
                     });
}

// ---- Spawning

void NodeImpl::OnSpawnRequest(const remoting::SystemBody& body, const ReplySystem& reply) {
  if (!reply) return;
  v1::SpawnRequest request;
  if (!request.ParseFromString(body.bytes))
    return reply(absl::DataLossError("malformed " + body.type));
  SpawnSomewhere(std::move(request), kSpawnForwardTimeout, reply);
}

// The same name goes to the same member as long as the view stands: a repeated request meets its
// own actor.
const Member* NodeImpl::ChooseHost(const v1::SpawnRequest& request) const {
  if (view_ == nullptr) return nullptr;
  const Member* chosen = nullptr;
  uint64_t best = 0;
  for (const Member& member : view_->members) {
    if (!request.node_id().empty() && member.node_id != request.node_id()) continue;
    if (member.state != MemberState::kActive || !member.Hosts(request.kind())) continue;
    const uint64_t weight =
        StableHash(GrainId(request.kind(), request.name() + "@" + member.node_id), 0);
    if (chosen != nullptr && weight < best) continue;
    chosen = &member;
    best = weight;
  }
  return chosen;
}

void NodeImpl::SpawnSomewhere(v1::SpawnRequest request, Duration timeout, ReplySystem done) {
  const Member* host = ChooseHost(request);
  if (host == nullptr) {
    return done(absl::NotFoundError("spawn " + request.name() +
                                    ": no active member hosts the kind \"" + request.kind() +
                                    "\"; call System::HostActor for it before the node starts"));
  }
  if (host->process_id == process_id_) return SpawnHere(request, std::move(done));
  request.set_node_id(host->node_id);
  network_->CallSystem(host->peer(), Pack(request), timeout, std::move(done));
}

void NodeImpl::SpawnHere(const v1::SpawnRequest& request, ReplySystem done) {
  port_.SpawnHosted(
      request.kind(), request.name(), request.arguments(),
      [this, kind = request.kind(), done = std::move(done)](const StatusOr<std::string>& path) {
        if (!path.ok()) return done(path.status());
        v1::SpawnReply reply;
        reply.set_path(kind + "@" + *path);
        reply.set_node_id(options_.node_id);
        reply.set_address(network_->identity().advertised_address);
        reply.set_process_id(ToBytes(process_id_));
        done(Pack(reply));
      });
}

// ---- To and from Membership and Directory

void NodeImpl::OnSessionUp(const remoting::NodeIdentity& peer) {
  if (membership_ != nullptr && IsMember(peer)) membership_->OnSessionUp(peer);
}

void NodeImpl::OnSessionDown(const remoting::SessionEnd& end) {
  if (membership_ != nullptr && IsMember(end.peer)) membership_->OnSessionDown(end);
}

void NodeImpl::OnHigherViewVersion(const remoting::NodeIdentity& from, uint64_t version) {
  if (membership_ != nullptr && IsMember(from)) membership_->OnHigherVersion(version);
}

// Also of every message: a removed process may still have a connection.
Status NodeImpl::AdmitPeer(const remoting::NodeIdentity& peer) {
  if (!removed_.contains(peer.process_id)) return absl::OkStatus();
  return absl::PermissionDeniedError("process of " + peer.node_id + " has left the view");
}

void NodeImpl::SendToMember(const remoting::PeerAddress& to, remoting::SystemBody body) {
  network_->SendSystem(to, std::move(body));
}

void NodeImpl::ProbeMember(const remoting::PeerAddress& member, Duration timeout,
                           std::function<void(remoting::ProbeResult)> done) {
  network_->Probe(member, timeout, std::move(done));
}

bool NodeImpl::ProcessIsGone(const Member& member) {
  return cluster::ProcessIsGone(member, process_);
}

void NodeImpl::Send(const remoting::PeerAddress& to, remoting::SystemBody body) {
  network_->SendSystem(to, std::move(body));
}

void NodeImpl::Call(const remoting::PeerAddress& to, remoting::SystemBody body, Duration timeout,
                    CallDone done) {
  network_->CallSystem(to, std::move(body), timeout, std::move(done));
}

void NodeImpl::Activate(const GrainId& id, const Epoch& epoch, ActivateDone done) {
  port_.Activate(id, epoch, [this, done = std::move(done)](StatusOr<ActivationInfo> info) {
    executor().Post([done, info = std::move(info)] { done(info); });
  });
}

void NodeImpl::Deactivate(const GrainId& id, const Status& why) { port_.Deactivate(id, why); }

void NodeImpl::FetchView(uint64_t at_least) { membership_->OnHigherVersion(at_least); }

}  // namespace quern::cluster
