#include "directory/host.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "sabotage.h"
#include "view/view_record.h"

namespace quern::cluster::internal {
namespace {

v1::ActivationState ToWireState(ActivationState state) {
  switch (state) {
    case ActivationState::kActivating:
      return v1::ACTIVATION_STATE_ACTIVATING;
    case ActivationState::kActive:
      return v1::ACTIVATION_STATE_ACTIVE;
    case ActivationState::kDeactivating:
      break;
  }
  return v1::ACTIVATION_STATE_DEACTIVATING;
}

std::vector<std::function<void()>> Take(std::vector<std::function<void()>>* from) {
  return std::exchange(*from, {});
}

}  // namespace

// ---- EndedEpochs

void EndedEpochs::Add(const GrainId& id, const Epoch& epoch) {
  const auto [entry, added] = by_id_.try_emplace(id, epoch);
  if (!added) {
    entry->second = std::max(entry->second, epoch);
    return;
  }
  order_.push_back(id);
  if (order_.size() <= max_) return;
  const auto oldest = by_id_.find(order_.front());
  floor_ = std::max(floor_, oldest->second);
  by_id_.erase(oldest);
  order_.pop_front();
}

Epoch EndedEpochs::Below(const GrainId& id) const { return std::max(Last(id), floor_); }

Epoch EndedEpochs::Last(const GrainId& id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? Epoch{} : found->second;
}

// ---- Views and reports

void GrainHost::OnView(const PartitionMap* before) {
  const Member* self = core_.self_member();
  if (self == nullptr || !MayHost(*self)) return;
  std::map<remoting::ProcessId, std::set<uint32_t>> moved;
  for (uint32_t partition = 0; partition < core_.map.size(); ++partition) {
    const Member* owner = core_.map.Owner(partition);
    if (owner == nullptr) continue;
    const Member* old_owner = before == nullptr ? nullptr : before->Owner(partition);
    const bool same = old_owner != nullptr && old_owner->process_id == owner->process_id;
    if (!same) moved[owner->process_id].insert(partition);
  }
  for (const auto& [owner, partitions] : moved) Report(*core_.view->Find(owner), partitions);
  for (auto& [id, unregistering] : unregistering_) {
    ++unregistering.attempt;  // whoever was being told may not own it any more
    core_.After(Duration::zero(), [this, gone = id] { Unregister(gone); });
  }
}

void GrainHost::Report(const Member& owner, const std::set<uint32_t>& partitions) {
  const Member* self = core_.self_member();
  if (self == nullptr) return;
  std::map<uint32_t, std::vector<v1::Activation>> by_partition;
  for (const auto& [id, hosted] : hosted_) {
    const uint32_t partition = PartitionOf(id, *core_.view);
    if (partitions.contains(partition)) by_partition[partition].push_back(Describe(id, hosted));
  }
  v1::ReportRequest report;
  const auto start = [&] {
    report.Clear();
    report.set_view_version(core_.version());
    report.set_node_id(self->node_id);
    report.set_node_incarnation(self->incarnation);
  };
  start();
  for (const uint32_t partition : partitions) {
    const auto found = by_partition.find(partition);
    const size_t more = found == by_partition.end() ? 0 : found->second.size();
    const auto so_far = static_cast<size_t>(report.activations_size());
    if (so_far > 0 && so_far + more > kReportActivationsMax) {
      SendReport(owner, report);
      start();
    }
    report.add_partitions(partition);
    if (more == 0) continue;
    for (v1::Activation& activation : found->second) {
      *report.add_activations() = std::move(activation);
    }
  }
  SendReport(owner, report);
}

// A report that is lost is asked for again by the owner, which knows what it misses. One that is
// refused was of another view than the owner's: the newer one is on its way to one of us.
void GrainHost::SendReport(const Member& owner, const v1::ReportRequest& report) {
  core_.Call<v1::ReportReply>(owner.peer(), report, core_.options.call_timeout,
                              [this](const StatusOr<v1::ReportReply>& reply) {
                                if (reply.ok()) OnSurplus(*reply);
                                if (absl::IsAborted(reply.status())) {
                                  core_.port->FetchView(core_.version() + 1);
                                }
                              });
}

void GrainHost::OnReportWanted(const remoting::NodeIdentity& from, const v1::ReportWanted& wanted) {
  if (wanted.view_version() != core_.version()) return;  // older: its view is over
  const Member* owner = core_.view->Find(from.process_id);
  const Member* self = core_.self_member();
  if (owner == nullptr || self == nullptr || !MayHost(*self)) return;
  std::set<uint32_t> partitions;
  for (const uint32_t partition : wanted.partitions()) {
    if (core_.map.Owner(partition) == owner) partitions.insert(partition);
  }
  if (!partitions.empty()) Report(*owner, partitions);
}

void GrainHost::OnSurplus(const v1::ReportReply& surplus) {
  for (const wire::v1::GrainIdentity& identity : surplus.surplus()) {
    const StatusOr<GrainId> id = FromWire(identity);
    if (!id.ok() || !hosted_.contains(*id)) continue;
    core_.port->Deactivate(*id, WithReason(absl::AbortedError("activation of " + id->ToString() +
                                                              ": a newer one serves elsewhere"),
                                           Reason::kStaleEpoch));
  }
}

// ---- Orders

void GrainHost::OnActivate(const remoting::NodeIdentity& from, const v1::ActivateRequest& request,
                           Directory::Reply reply) {
  const StatusOr<GrainId> id = FromWire(request.grain());
  if (!id.ok()) return reply(id.status());
  const Epoch epoch = FromWire(request.epoch());
  const std::string what = "activate " + id->ToString() + " at epoch " + epoch.ToString() + ": ";
  const Member* owner = core_.map.Owner(PartitionOf(*id, *core_.view));
  const bool of_this_view = request.view_version() == core_.version() && owner != nullptr &&
                            owner->process_id == from.process_id;
  if (!of_this_view && !Planted(Sabotage::kAcceptOldOrders)) {
    // Either the order is older than our report, or whoever gave it does not own the partition.
    ++core_.stats.orders_refused;
    return reply(WithReason(
        absl::AbortedError(what + "ordered under view " + std::to_string(request.view_version()) +
                           ", here is view " + std::to_string(core_.version())),
        Reason::kNotOwner));
  }
  const Member* self = core_.self_member();
  if (core_.fenced() || self == nullptr || self->state != MemberState::kActive) {
    return reply(absl::UnavailableError(what + "this member may not serve"));
  }
  if (const auto found = hosted_.find(*id); found != hosted_.end()) {
    if (found->second.state == ActivationState::kActive) return ReplyWithActivation(*id, reply);
    found->second.settling.push_back([this, id = *id, reply] { ReplyWithActivation(id, reply); });
    return;
  }
  const bool ended_before = epoch <= ended_.Below(*id) && !Planted(Sabotage::kForgetEndedEpochs) &&
                            !Planted(Sabotage::kMintSameEpoch);
  if (ended_before) {
    ++core_.stats.orders_refused;
    return ReplyWithActivation(*id, reply);
  }
  Start(*id, epoch, std::move(reply));
}

void GrainHost::Start(const GrainId& id, const Epoch& epoch, Directory::Reply reply) {
  Hosted& hosted = hosted_[id];
  hosted.epoch = epoch;
  hosted.ordered_in = core_.version();
  unregistering_.erase(id);
  core_.port->Activate(id, epoch,
                       [this, weak = std::weak_ptr<const int>(core_.alive), id, epoch,
                        reply = std::move(reply)](const StatusOr<ActivationInfo>& info) {
                         if (!weak.expired()) OnStarted(id, epoch, info, reply);
                       });
}

void GrainHost::OnStarted(const GrainId& id, const Epoch& epoch,
                          const StatusOr<ActivationInfo>& info, const Directory::Reply& reply) {
  const auto found = hosted_.find(id);
  if (found == hosted_.end() || found->second.epoch != epoch) {
    return ReplyWithActivation(id, reply);  // over before we heard that it had begun
  }
  Status status = info.status();
  if (info.ok() && info->epoch != epoch) {
    // Something that this member has forgotten (a former incarnation of it) still runs there.
    status = absl::UnavailableError("activate " + id.ToString() + ": epoch " +
                                    info->epoch.ToString() + " is still on its way out");
    core_.port->Deactivate(id, status);
  }
  if (status.ok()) {
    found->second.state = ActivationState::kActive;
    ReplyWithActivation(id, reply);
    for (const Settled& settled : Take(&found->second.settling)) settled();
    return;
  }
  reply(status);
  if (found->second.ordered_in != core_.version()) {
    unregistering_[id].epoch = epoch;  // it was reported meanwhile
    Unregister(id);
  }
  End(id);
}

void GrainHost::End(const GrainId& id) {
  const auto node = hosted_.extract(id);
  if (node.empty()) return;
  ended_.Add(id, node.mapped().epoch);
  for (const Settled& settled : node.mapped().settling) settled();
  for (const Settled& settled : node.mapped().ending) settled();
}

void GrainHost::OnDeactivated(const GrainId& id, const Epoch& epoch) {
  const auto found = hosted_.find(id);
  if (found == hosted_.end() || found->second.epoch != epoch) return;
  End(id);
  // Beyond the bound the owner finds out when a caller comes back empty-handed.
  if (unregistering_.size() >= kUnregistersMax) return;
  unregistering_[id].epoch = epoch;
  Unregister(id);
}

void GrainHost::Unregister(const GrainId& id) {
  const auto found = unregistering_.find(id);
  if (found == unregistering_.end() || core_.view == nullptr) return;
  const Member* owner = core_.map.Owner(PartitionOf(id, *core_.view));
  if (owner == nullptr) return;
  v1::UnregisterRequest request;
  request.set_view_version(core_.version());
  *request.mutable_grain() = ToWire(id);
  *request.mutable_epoch() = ToWire(found->second.epoch);
  const uint64_t attempt = ++found->second.attempt;
  core_.Call<v1::UnregisterReply>(
      owner->peer(), request, core_.options.call_timeout,
      [this, id, attempt](const StatusOr<v1::UnregisterReply>& reply) {
        const auto pending = unregistering_.find(id);
        if (pending == unregistering_.end() || pending->second.attempt != attempt) return;
        if (reply.ok()) {
          unregistering_.erase(pending);
          return;
        }
        core_.After(core_.NextBackoff(&pending->second.backoff), [this, id, attempt] {
          const auto again = unregistering_.find(id);
          if (again != unregistering_.end() && again->second.attempt == attempt) Unregister(id);
        });
      });
}

// ---- Questions

void GrainHost::OnQuery(const v1::ActivationQuery& query, Directory::Reply reply) {
  const StatusOr<GrainId> id = FromWire(query.grain());
  if (!id.ok()) return reply(id.status());
  const Epoch claimed = FromWire(query.claimed_gone());
  const auto found = hosted_.find(*id);
  if (found == hosted_.end()) {
    ended_.Add(*id, FromWire(query.refuse_up_to()));
    return ReplyToQuery(*id, reply);
  }
  if (found->second.epoch > claimed && found->second.state == ActivationState::kActive) {
    return ReplyToQuery(*id, reply);
  }
  // Whoever claims it gone was told so here: it is on its way out (or in). Answer when that is
  // over, or when the owner would stop listening.
  auto answered = std::make_shared<bool>(false);
  Settled answer = [this, id = *id, reply, answered] {
    if (!std::exchange(*answered, true)) ReplyToQuery(id, reply);
  };
  auto& waiting = found->second.epoch > claimed ? found->second.settling : found->second.ending;
  waiting.push_back(answer);
  core_.After(core_.options.call_timeout / 2, std::move(answer));
}

v1::Activation GrainHost::Describe(const GrainId& id, const Hosted& hosted) const {
  v1::Activation activation;
  *activation.mutable_grain() = ToWire(id);
  *activation.mutable_epoch() = ToWire(hosted.epoch);
  activation.set_state(ToWireState(hosted.state));
  activation.set_process_id(ProcessBytes(core_.self));
  if (const Member* self = core_.self_member()) {
    activation.set_node_id(self->node_id);
    activation.set_node_incarnation(self->incarnation);
    activation.set_address(self->address);
  }
  return activation;
}

void GrainHost::ReplyWithActivation(const GrainId& id, const Directory::Reply& reply) const {
  v1::ActivateReply answer;
  answer.set_view_version(core_.version());
  const auto found = hosted_.find(id);
  if (found == hosted_.end()) {
    *answer.mutable_refused_below() = ToWire(ended_.Below(id));
  } else {
    *answer.mutable_activation() = Describe(id, found->second);
  }
  reply(Pack(answer));
}

void GrainHost::ReplyToQuery(const GrainId& id, const Directory::Reply& reply) const {
  v1::Redirect answer;
  answer.set_view_version(core_.version());
  *answer.mutable_last_epoch() = ToWire(ended_.Last(id));
  const auto found = hosted_.find(id);
  if (found != hosted_.end()) *answer.mutable_activation() = Describe(id, found->second);
  reply(Pack(answer));
}

// ---- The rest

void GrainHost::Reset() {
  for (const auto& [id, hosted] : hosted_) {
    core_.port->Deactivate(id, absl::UnavailableError("this member has left the view"));
  }
  hosted_.clear();
  unregistering_.clear();
  ended_.Clear();
}

std::vector<ActivationInfo> GrainHost::hosted() const {
  std::vector<ActivationInfo> all;
  for (const auto& [id, hosted] : hosted_) all.push_back({id, hosted.epoch, hosted.state});
  return all;
}

}  // namespace quern::cluster::internal
