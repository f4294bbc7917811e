#include "membership/evictor.h"

#include <utility>

#include "membership/lease_keeper.h"
#include "quern/cluster/control_plane_limits.h"
#include "quern/cluster/settle.h"
#include "sabotage.h"
#include "view/view_record.h"

namespace quern::cluster::internal {

void Evictor::Evict(Case eviction) {
  const remoting::ProcessId victim = eviction.victim.process_id;
  if (!running_.try_emplace(victim, std::move(eviction)).second) return;
  context_.After(Patience(), [this, victim] { Begin(victim); });
}

// The members before us in the view get a head start.
Duration Evictor::Patience() const {
  int before_us = 0;
  for (const Member& member : context_.view->members) {
    if (member.process_id == context_.options.self.process_id) break;
    before_us += running_.contains(member.process_id) ? 0 : 1;
  }
  return std::min(before_us, 8) * context_.options.lease.renew_every / 8;
}

bool Evictor::StillMember(const Case& eviction) const {
  const Member* member = context_.view->Find(eviction.victim.process_id);
  return member != nullptr && member->incarnation == eviction.victim.incarnation;
}

void Evictor::Begin(const remoting::ProcessId& victim) {
  const auto found = running_.find(victim);
  if (found == running_.end()) return;
  if (!StillMember(found->second)) {
    running_.erase(found);
    return;
  }
  const SeenLease* seen = leases_.Find(victim);
  if (seen == nullptr) {
    running_.erase(found);
    return;
  }
  if (seen->record.state() == v1::Lease::STATE_EVICTED ||
      seen->record.state() == v1::Lease::STATE_CLOSED) {
    return Remove(victim);
  }
  // A proof says that there will be no more renewals, so the newest record may be taken. Silence
  // says it of one revision alone, and a renewal that we have not heard of must win.
  const bool newest = found->second.proved || Planted(Sabotage::kEvictAtFreshRevision);
  if (newest) return Read(victim, true);
  if (seen->silent < context_.options.lease.length) {
    running_.erase(found);  // it moved while we waited for our turn
    return;
  }
  Take(victim, *seen);
}

void Evictor::Read(const remoting::ProcessId& victim, bool then_take) {
  context_.records.Get(
      Table::kLease, LeaseKey(context_.keys, victim), context_.options.record_timeout,
      context_.Posted(std::function([this, victim, then_take](StatusOr<Record> read) {
        const auto found = running_.find(victim);
        if (found == running_.end()) return;
        if (!read.ok() && !absl::IsNotFound(read.status())) return Again(victim);
        if (read.ok()) leases_.Note(*read);
        const SeenLease* seen = leases_.Find(victim);
        if (seen == nullptr || !StillMember(found->second)) {
          running_.erase(victim);
          return;
        }
        if (seen->record.state() == v1::Lease::STATE_EVICTED ||
            seen->record.state() == v1::Lease::STATE_CLOSED) {
          return Remove(victim);
        }
        if (then_take) return Take(victim, *seen);
        const Case ended = std::move(found->second);
        running_.erase(found);
        failed_(ended);
      })));
}

void Evictor::Take(const remoting::ProcessId& victim, const SeenLease& seen) {
  const Case& eviction = running_.find(victim)->second;
  v1::Lease lease = seen.record;
  const std::string self = ProcessHex(context_.options.self.process_id);
  lease.set_node_id(eviction.victim.node_id);
  lease.set_process_id(ProcessBytes(victim));
  lease.set_incarnation(eviction.victim.incarnation);
  lease.set_counter(lease.counter() + 1);
  lease.set_nonce(context_.Nonce());
  lease.set_state(v1::Lease::STATE_EVICTED);
  lease.set_evicted_by(context_.options.self.node_id);
  lease.set_evidence(eviction.evidence);
  PushWriteMark(lease.mutable_recent_writes(), lease.counter(), self, lease.nonce(),
                kRecentWritesMax);
  auto done =
      context_.Posted(std::function([this, victim](CasResult result) { OnTaken(victim, result); }));
  const std::string key = LeaseKey(context_.keys, victim);
  const Duration timeout = context_.options.record_timeout;
  if (seen.revision == 0) {
    context_.records.Create(Table::kLease, key, lease.SerializeAsString(), timeout,
                            std::move(done));
  } else {
    context_.records.Update(Table::kLease, key, lease.SerializeAsString(), seen.revision, timeout,
                            std::move(done));
  }
}

void Evictor::OnTaken(const remoting::ProcessId& victim, const CasResult& result) {
  const auto found = running_.find(victim);
  if (found == running_.end()) return;
  switch (result.outcome) {
    case CasOutcome::kApplied:
      return Remove(victim);
    case CasOutcome::kRefused:
      return Read(victim, false);  // it lives, or another member was faster
    case CasOutcome::kUnsent:
    case CasOutcome::kUnknown:
      // Tried again at the same revision; if it was applied after all, that fails, and the read
      // which follows shows the record evicted.
      return Again(victim);
  }
}

void Evictor::Again(const remoting::ProcessId& victim) {
  context_.After(context_.options.lease.renew_every / 8, [this, victim] { Begin(victim); });
}

void Evictor::Remove(const remoting::ProcessId& victim) {
  const auto found = running_.find(victim);
  if (found == running_.end()) return;
  context_.logger.Log(LogLevel::kWarn, "member evicted",
                      {{"node", found->second.victim.node_id},
                       {"incarnation", found->second.victim.incarnation},
                       {"evidence", found->second.evidence}});
  views_.Change(
      context_.options.lease.length,
      [eviction = found->second](v1::View* record, bool) -> StatusOr<bool> {
        bool removed = false;
        auto* members = record->mutable_members();
        for (int i = members->size() - 1; i >= 0; --i) {
          const bool match =
              members->Get(i).process_id() == ProcessBytes(eviction.victim.process_id) &&
              members->Get(i).incarnation() == eviction.victim.incarnation;
          if (!match) continue;
          members->DeleteSubrange(i, 1);
          removed = true;
        }
        return removed;
      },
      [this, victim](const Status& status) {
        const auto again = running_.find(victim);
        if (again == running_.end()) return;
        if (!status.ok() && StillMember(again->second)) return Again(victim);
        running_.erase(again);
      });
}

}  // namespace quern::cluster::internal
