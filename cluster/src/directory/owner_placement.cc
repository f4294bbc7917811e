// How an owner brings an activation into being, and how it finds out that one has ended.

#include <algorithm>
#include <utility>

#include <xxhash.h>

#include "directory/owner.h"
#include "sabotage.h"
#include "view/view_record.h"

namespace quern::cluster::internal {
namespace {

uint64_t HostScore(const Member& member, uint64_t grain_hash) {
  return XXH3_64bits_withSeed(member.node_id.data(), member.node_id.size(), grain_hash);
}

}  // namespace

void GrainOwner::Place(const GrainId& id, Entry& entry) {
  const Placement placement =
      core_.options.placement_of ? core_.options.placement_of(id.kind) : Placement{};
  const Member* host = Choose(id, entry, placement);
  if (core_.frozen || host == nullptr) {
    FailWaiters(entry, WhyNowhere(id, entry, placement));
    return Advance(id);  // nobody waits: the entry goes
  }
  if (!Planted(Sabotage::kMintSameEpoch)) ++counter_;
  ++core_.stats.placements;
  entry.phase = Phase::kOrdered;
  SetHost(entry, host->process_id,
          {0, core_.view->control_plane_incarnation, core_.version(), counter_});
  Order(id, entry);
}

Status GrainOwner::WhyNowhere(const GrainId& id, const Entry& entry,
                              const Placement& placement) const {
  const std::string what = "place " + id.ToString() + ": ";
  if (core_.frozen) {
    return absl::UnavailableError(what + "the control plane has lost writes; nothing is claimed");
  }
  if (!entry.refusal.ok()) return entry.refusal;
  const std::string role = placement.role.empty() ? "" : " with role " + placement.role;
  return absl::NotFoundError(what + "no active member" + role + " hosts kind " + id.kind);
}

const Member* GrainOwner::Choose(const GrainId& id, const Entry& entry,
                                 const Placement& placement) {
  std::vector<const Member*> candidates;
  for (const Member& member : core_.view->members) {
    const bool fits = member.state == MemberState::kActive && member.Hosts(id.kind) &&
                      member.HasRole(placement.role) &&
                      !entry.refused_by.contains(member.process_id);
    if (fits) candidates.push_back(&member);
  }
  if (candidates.empty()) return nullptr;
  switch (placement.strategy) {
    case PlacementStrategy::kLocal:
      for (const Member* member : candidates) {
        if (member->process_id == entry.waiters.front().asker) return member;
      }
      break;  // by hash, then
    case PlacementStrategy::kRandom:
      return candidates[core_.random.Below(candidates.size())];
    case PlacementStrategy::kRoundRobin:
      return candidates[round_robin_++ % candidates.size()];
    case PlacementStrategy::kLeastLoaded:
      return LeastLoaded(candidates);
    case PlacementStrategy::kHash:
      break;
  }
  const uint64_t hash = StableHash(id, core_.view->hash_seed);
  return *std::ranges::max_element(candidates, {}, [hash](const Member* member) {
    return std::pair(HostScore(*member, hash), member->process_id);
  });
}

const Member* GrainOwner::LeastLoaded(const std::vector<const Member*>& candidates) const {
  const auto load = [this](const Member* member) {
    const auto found = load_.find(member->process_id);
    return found == load_.end() ? size_t{0} : found->second;
  };
  return *std::ranges::min_element(candidates, {}, load);
}

void GrainOwner::Order(const GrainId& id, Entry& entry) {
  const Member* host = core_.view->Find(entry.host);
  if (host == nullptr) return Free(entry);
  v1::ActivateRequest request;
  request.set_view_version(core_.version());
  *request.mutable_grain() = ToWire(id);
  *request.mutable_epoch() = ToWire(entry.epoch);
  const uint64_t ticket = entry.ticket = ++last_ticket_;
  core_.Call<v1::ActivateReply>(host->peer(), request, core_.options.call_timeout,
                                [this, id, ticket](const StatusOr<v1::ActivateReply>& reply) {
                                  if (Entry* entry_now = Awaiting(id, ticket)) {
                                    OnOrdered(id, *entry_now, reply);
                                  }
                                });
}

void GrainOwner::OnOrdered(const GrainId& id, Entry& entry,
                           const StatusOr<v1::ActivateReply>& reply) {
  if (!reply.ok()) return OnRefused(id, entry, reply.status());
  if (!reply->has_activation()) {
    // It has ended there already, or the host remembers a higher epoch: mint above that.
    const Epoch below = FromWire(reply->refused_below());
    if (below.view_version == core_.version()) counter_ = std::max(counter_, below.counter);
    Free(entry);
    return Advance(id);
  }
  entry.phase = Phase::kActive;
  entry.epoch = FromWire(reply->activation().epoch());
  entry.confirmed = reply->activation().state() == v1::ACTIVATION_STATE_ACTIVE;
  entry.refused_by.clear();
  entry.refusal = absl::OkStatus();
  if (entry.confirmed) return Advance(id);
  Pause(id, entry);
}

void GrainOwner::OnRefused(const GrainId& id, Entry& entry, const Status& status) {
  if (absl::IsAborted(status)) {
    // The host is in another view. Nothing was started there; here or elsewhere, it is placed anew.
    core_.port->FetchView(core_.version() + 1);
    Free(entry);
    return Pause(id, entry);
  }
  if (absl::IsDeadlineExceeded(status)) {
    // It may run there, now or later: only that host can tell, until it has left the view.
    return Ask(id, entry);
  }
  const bool elsewhere = absl::IsUnavailable(status) || absl::IsNotFound(status);
  entry.refused_by.insert(entry.host);
  entry.refusal = status;
  Free(entry);
  if (!elsewhere || entry.refused_by.size() >= static_cast<size_t>(kPlacementAttemptsMax)) {
    entry.refused_by.clear();
    FailWaiters(entry, std::exchange(entry.refusal, absl::OkStatus()));
  }
  Advance(id);
}

void GrainOwner::Ask(const GrainId& id, Entry& entry) {
  const Member* host = core_.view->Find(entry.host);
  if (host == nullptr) return Free(entry);
  v1::ActivationQuery query;
  query.set_view_version(core_.version());
  *query.mutable_grain() = ToWire(id);
  *query.mutable_claimed_gone() = ToWire(entry.claimed_gone);
  *query.mutable_refuse_up_to() = ToWire(entry.epoch);
  entry.phase = Phase::kAsking;
  const uint64_t ticket = entry.ticket = ++last_ticket_;
  core_.Call<v1::Redirect>(host->peer(), query, core_.options.call_timeout,
                           [this, id, ticket](const StatusOr<v1::Redirect>& reply) {
                             if (Entry* entry_now = Awaiting(id, ticket)) {
                               OnAnswered(id, *entry_now, reply);
                             }
                           });
}

void GrainOwner::OnAnswered(const GrainId& id, Entry& entry, const StatusOr<v1::Redirect>& reply) {
  entry.phase = Phase::kActive;
  if (!reply.ok()) return Pause(id, entry);
  if (!reply->has_activation()) {
    Free(entry);
    return Advance(id);
  }
  entry.epoch = FromWire(reply->activation().epoch());
  entry.confirmed = reply->activation().state() == v1::ACTIVATION_STATE_ACTIVE;
  entry.claimed_gone = {};
  if (entry.confirmed) return Advance(id);
  Pause(id, entry);
}

}  // namespace quern::cluster::internal
