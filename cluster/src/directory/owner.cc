#include "directory/owner.h"

#include <algorithm>
#include <map>
#include <utility>

#include "sabotage.h"
#include "view/view_record.h"

namespace quern::cluster::internal {

bool GrainOwner::Serves(uint32_t partition) const {
  return partition < partitions_.size() && partitions_[partition].owned &&
         partitions_[partition].missing.empty() && !core_.fenced();
}

bool GrainOwner::Owns(const GrainId& id) const {
  return core_.view != nullptr && !partitions_.empty() &&
         partitions_[PartitionOf(id, *core_.view)].owned;
}

// ---- Views

void GrainOwner::OnView(bool continuous) {
  continuous = continuous && partitions_.size() == core_.view->partition_count;
  partitions_.resize(core_.view->partition_count);
  std::set<remoting::ProcessId> hosts;
  for (const Member& member : core_.view->members) {
    if (MayHost(member)) hosts.insert(member.process_id);
  }
  std::vector<bool> keeps(partitions_.size());
  for (uint32_t number = 0; number < partitions_.size(); ++number) {
    Partition& partition = partitions_[number];
    const Member* owner = core_.map.Owner(number);
    const bool owned_before =
        std::exchange(partition.owned, owner != nullptr && owner->process_id == core_.self);
    keeps[number] = partition.owned && owned_before && continuous;
    if (keeps[number]) {
      // Reports of the view before stay good: nobody else has ordered anything since.
      std::erase_if(partition.missing, [&](const auto& host) { return !hosts.contains(host); });
    } else {
      partition.missing = partition.owned ? hosts : std::set<remoting::ProcessId>();
    }
  }
  for (auto it = entries_.begin(); it != entries_.end();) {
    Entry& entry = it->second;
    const uint32_t number = PartitionOf(it->first, *core_.view);
    if (!partitions_[number].owned) {
      FailWaiters(entry, WithReason(absl::AbortedError("locate " + it->first.ToString() +
                                                       ": this member no longer owns it"),
                                    Reason::kNotOwner));
      Free(entry);
      it = entries_.erase(it);
      continue;
    }
    const bool lives = entry.phase != Phase::kUnplaced && hosts.contains(entry.host);
    if (!keeps[number] || !lives) Free(entry);
    entry.refused_by.clear();
    ++it;
  }
  AdvanceAll();
  AskForReports();
}

void GrainOwner::OnServing() { AdvanceAll(); }

void GrainOwner::AdvanceAll() {
  std::vector<GrainId> ids;
  ids.reserve(entries_.size());
  for (const auto& [id, entry] : entries_) ids.push_back(id);
  for (const GrainId& id : ids) Advance(id);
}

void GrainOwner::Reset() {
  for (auto& [id, entry] : entries_) {
    FailWaiters(entry, absl::UnavailableError("locate " + id.ToString() +
                                              ": this member has left the view"));
  }
  entries_.clear();
  load_.clear();
  partitions_.clear();
  asking_for_reports_ = expiring_ = false;
}

// Owners know what they miss, so the repeating is theirs: a report may be lost, and a host that saw
// every view does not know that this owner skipped one.
void GrainOwner::AskForReports() {
  if (asking_for_reports_) return;
  std::map<remoting::ProcessId, v1::ReportWanted> wanted;
  for (uint32_t number = 0; number < partitions_.size(); ++number) {
    for (const auto& host : partitions_[number].missing) wanted[host].add_partitions(number);
  }
  if (wanted.empty()) return;
  asking_for_reports_ = true;
  core_.After(core_.options.retry_max / 2, [this, version = core_.version()] {
    asking_for_reports_ = false;
    if (version != core_.version()) return AskForReports();
    std::map<remoting::ProcessId, v1::ReportWanted> still;
    for (uint32_t number = 0; number < partitions_.size(); ++number) {
      for (const auto& host : partitions_[number].missing) still[host].add_partitions(number);
    }
    for (auto& [host, message] : still) {
      message.set_view_version(core_.version());
      core_.Send(core_.view->Find(host)->peer(), message);
    }
    AskForReports();
  });
}

// ---- Reports

void GrainOwner::OnReport(const remoting::NodeIdentity& from, const v1::ReportRequest& report,
                          const Directory::Reply& reply) {
  if (report.view_version() != core_.version()) {
    return reply(
        WithReason(absl::AbortedError("report under view " + std::to_string(report.view_version()) +
                                      ", here is view " + std::to_string(core_.version())),
                   Reason::kNotOwner));
  }
  if (core_.view->Find(from.process_id) == nullptr) {
    return reply(absl::AbortedError("report of " + from.node_id + ": not in the view"));
  }
  v1::ReportReply answer;
  answer.set_view_version(core_.version());
  for (const v1::Activation& activation : report.activations()) {
    Merge(from.process_id, activation, &answer);
  }
  bool completed = false;
  for (const uint32_t number : report.partitions()) {
    if (number >= partitions_.size()) continue;
    auto& missing = partitions_[number].missing;
    if (missing.erase(from.process_id) > 0 && missing.empty()) completed = true;
  }
  reply(Pack(answer));
  if (completed) AdvanceAll();
}

void GrainOwner::Merge(const remoting::ProcessId& host, const v1::Activation& activation,
                       v1::ReportReply* reply) {
  const StatusOr<GrainId> id = FromWire(activation.grain());
  if (!id.ok() || !Owns(*id)) return;
  const Epoch epoch = FromWire(activation.epoch());
  if (epoch.view_version == core_.version()) counter_ = std::max(counter_, epoch.counter);
  Entry& entry = entries_[*id];
  const bool known = entry.phase != Phase::kUnplaced;
  if (known && entry.epoch > epoch) {
    if (entry.host == host) return;  // from before our own order to that host
    ++core_.stats.surplus;
    *reply->add_surplus() = ToWire(*id);
    return;
  }
  if (known && entry.host != host) TellSurplus(entry.host, *id);
  if (known && entry.host == host && entry.epoch == epoch) return;
  Free(entry);
  SetHost(entry, host, epoch);
  entry.phase = Phase::kActive;
  entry.confirmed = activation.state() == v1::ACTIVATION_STATE_ACTIVE;
}

void GrainOwner::TellSurplus(const remoting::ProcessId& host, const GrainId& id) {
  const Member* member = core_.view->Find(host);
  if (member == nullptr) return;
  ++core_.stats.surplus;
  v1::ReportReply message;
  message.set_view_version(core_.version());
  *message.add_surplus() = ToWire(id);
  core_.Send(member->peer(), message);
}

void GrainOwner::OnUnregister(const remoting::NodeIdentity& from,
                              const v1::UnregisterRequest& request, const Directory::Reply& reply) {
  const StatusOr<GrainId> id = FromWire(request.grain());
  if (!id.ok()) return reply(id.status());
  if (!Owns(*id)) {
    return reply(WithReason(absl::AbortedError("unregister " + id->ToString() + ": not the owner"),
                            Reason::kNotOwner));
  }
  const auto found = entries_.find(*id);
  const bool ours = found != entries_.end() && found->second.phase != Phase::kUnplaced &&
                    found->second.host == from.process_id &&
                    found->second.epoch <= FromWire(request.epoch());
  if (ours) {
    Free(found->second);
    Advance(*id);
  }
  v1::UnregisterReply answer;
  answer.set_view_version(core_.version());
  reply(Pack(answer));
}

// ---- Locating

void GrainOwner::OnLocate(const remoting::NodeIdentity& from, const v1::LocateRequest& request,
                          Directory::Reply reply) {
  const StatusOr<GrainId> id = FromWire(request.grain());
  if (!id.ok()) return reply(id.status());
  if (!Owns(*id)) {
    return reply(
        WithReason(absl::AbortedError("locate " + id->ToString() + ": not the owner in view " +
                                      std::to_string(core_.version())),
                   Reason::kNotOwner));
  }
  if (core_.fenced()) {
    return reply(absl::UnavailableError("locate " + id->ToString() + ": its owner is fenced"));
  }
  if (waiting_ >= core_.options.locates_waiting_max) {
    return reply(absl::ResourceExhaustedError("locate " + id->ToString() + ": " +
                                              std::to_string(waiting_) + " locates wait"));
  }
  Entry& entry = entries_[*id];
  const Epoch stale = FromWire(request.stale_epoch());
  if (entry.phase == Phase::kActive && !stale.IsZero() && stale >= entry.epoch) {
    entry.confirmed = false;
    entry.claimed_gone = stale;
  }
  ++waiting_;
  // A little less than the caller waits, so that it hears why.
  const Time expires = core_.clock.Now() + core_.options.call_timeout * 3 / 4;
  entry.waiters.push_back({expires, from.process_id, std::move(reply)});
  ExpireWaiters();
  Advance(*id);
}

void GrainOwner::Advance(const GrainId& id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  if (!Serves(PartitionOf(id, *core_.view))) return;
  switch (entry.phase) {
    case Phase::kActive:
      if (entry.waiters.empty()) return;
      return entry.confirmed ? Answer(id, entry) : Ask(id, entry);
    case Phase::kUnplaced:
      if (entry.waiters.empty()) {
        entries_.erase(found);
        return;
      }
      return Place(id, entry);
    case Phase::kOrdered:
    case Phase::kAsking:
      return;  // their answers come here again
  }
}

void GrainOwner::Answer(const GrainId& id, Entry& entry) {
  const Member* host = core_.view->Find(entry.host);
  if (host == nullptr) return Free(entry);
  v1::LocateReply answer;
  answer.set_view_version(core_.version());
  v1::Activation& activation = *answer.mutable_activation();
  *activation.mutable_grain() = ToWire(id);
  *activation.mutable_epoch() = ToWire(entry.epoch);
  activation.set_node_id(host->node_id);
  activation.set_node_incarnation(host->incarnation);
  activation.set_state(v1::ACTIVATION_STATE_ACTIVE);
  activation.set_address(host->address);
  activation.set_process_id(ProcessBytes(host->process_id));
  entry.backoff = {};
  waiting_ -= entry.waiters.size();
  const remoting::SystemBody body = Pack(answer);
  for (Waiter& waiter : std::exchange(entry.waiters, {})) waiter.reply(body);
}

void GrainOwner::FailWaiters(Entry& entry, const Status& status) {
  waiting_ -= entry.waiters.size();
  for (Waiter& waiter : std::exchange(entry.waiters, {})) waiter.reply(status);
}

void GrainOwner::SetHost(Entry& entry, const remoting::ProcessId& host, const Epoch& epoch) {
  entry.host = host;
  entry.epoch = epoch;
  ++load_[host];
}

void GrainOwner::Free(Entry& entry) {
  if (entry.phase != Phase::kUnplaced) --load_[entry.host];
  entry.phase = Phase::kUnplaced;
  entry.ticket = ++last_ticket_;
  entry.confirmed = false;
  entry.claimed_gone = {};
}

void GrainOwner::Pause(const GrainId& id, Entry& entry) {
  entry.ticket = ++last_ticket_;
  core_.After(core_.NextBackoff(&entry.backoff), [this, id, ticket = entry.ticket] {
    if (Awaiting(id, ticket) != nullptr) Advance(id);
  });
}

GrainOwner::Entry* GrainOwner::Awaiting(const GrainId& id, uint64_t ticket) {
  const auto found = entries_.find(id);
  return found != entries_.end() && found->second.ticket == ticket ? &found->second : nullptr;
}

// One timer for all waiters: they are only ever late by a little, and callers have their own.
void GrainOwner::ExpireWaiters() {
  if (std::exchange(expiring_, true)) return;
  core_.After(core_.options.call_timeout / 8, [this] {
    expiring_ = false;
    const Time now = core_.clock.Now();
    for (auto& [id, entry] : entries_) {
      const auto late = std::ranges::stable_partition(
          entry.waiters, [now](const Waiter& waiter) { return waiter.expires > now; });
      if (late.empty()) continue;
      const Status status = absl::UnavailableError(WhyWaiting(id));
      std::vector<Waiter> gone(std::make_move_iterator(late.begin()),
                               std::make_move_iterator(late.end()));
      entry.waiters.erase(late.begin(), late.end());
      waiting_ -= gone.size();
      for (const Waiter& waiter : gone) waiter.reply(status);
    }
    if (waiting_ > 0) ExpireWaiters();
  });
}

std::string GrainOwner::WhyWaiting(const GrainId& id) const {
  const uint32_t number = PartitionOf(id, *core_.view);
  std::string why = "locate " + id.ToString() + ": ";
  const auto& missing = partitions_[number].missing;
  if (!missing.empty()) {
    why += "partition " + std::to_string(number) + " waits for the report of";
    for (const auto& host : missing) {
      const Member* member = core_.view->Find(host);
      why += " " + (member == nullptr ? ProcessHex(host) : member->node_id);
    }
    return why;
  }
  const auto found = entries_.find(id);
  const Member* host = found == entries_.end() ? nullptr : core_.view->Find(found->second.host);
  return why + "no answer from " + (host == nullptr ? "any host" : host->node_id);
}

std::vector<DirectoryEntry> GrainOwner::entries() const {
  std::vector<DirectoryEntry> all;
  for (const auto& [id, entry] : entries_) {
    if (entry.phase == Phase::kUnplaced) continue;
    all.push_back({id, entry.epoch, entry.host, entry.phase == Phase::kActive && entry.confirmed});
  }
  return all;
}

void GrainOwner::FillStats(DirectoryStats* stats) const {
  for (const Partition& partition : partitions_) {
    stats->partitions_owned += partition.owned ? 1 : 0;
    stats->partitions_rebuilding += partition.missing.empty() ? 0 : 1;
  }
  stats->entries = entries_.size();
  stats->locates_waiting += waiting_;
}

}  // namespace quern::cluster::internal
