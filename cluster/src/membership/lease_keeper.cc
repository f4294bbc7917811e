#include "membership/lease_keeper.h"

#include <algorithm>
#include <utility>

#include "quern/cluster/control_plane_limits.h"
#include "quern/cluster/settle.h"
#include "view/view_record.h"

namespace quern::cluster::internal {

std::string LeaseKey(const KeySpace& keys, const remoting::ProcessId& process) {
  return keys.Key("lease", ProcessHex(process));
}

void LeaseKeeper::Start() {
  running_ = true;
  record_.set_node_id(context_.options.self.node_id);
  record_.set_process_id(ProcessBytes(context_.options.self.process_id));
  record_.set_state(v1::Lease::STATE_LIVE);
  Renew();
}

void LeaseKeeper::SetIncarnation(uint64_t incarnation) {
  incarnation_ = incarnation;
  if (in_flight_) {
    renew_again_ = true;
  } else {
    Renew();
  }
}

void LeaseKeeper::Stop() {
  running_ = false;
  context_.executor.Cancel(timer_);
}

void LeaseKeeper::Schedule(Duration delay) {
  context_.executor.Cancel(timer_);
  timer_ = context_.After(delay, [this] { Renew(); });
}

void LeaseKeeper::Renew() {
  if (!running_ || in_flight_) return;
  in_flight_ = true;
  renew_again_ = false;
  last_sent_ = context_.clock.Now();
  const Renewal renewal{context_.Nonce(), last_sent_, incarnation_};
  v1::Lease next = record_;
  next.set_counter(record_.counter() + 1);
  next.set_nonce(renewal.nonce);
  next.set_incarnation(incarnation_);
  PushWriteMark(next.mutable_recent_writes(), next.counter(),
                ProcessHex(context_.options.self.process_id), renewal.nonce, kRecentWritesMax);
  std::string bytes = next.SerializeAsString();
  const std::string key = LeaseKey(context_.keys, context_.options.self.process_id);
  const Duration timeout = context_.options.lease.renew_timeout;
  auto done =
      context_.Posted(std::function([this, next = std::move(next), renewal](CasResult result) {
        OnRenewed(next, renewal, result);
      }));
  if (revision_ == 0) {
    context_.leases.Create(Table::kLease, key, std::move(bytes), timeout, std::move(done));
  } else {
    context_.leases.Update(Table::kLease, key, std::move(bytes), revision_, timeout,
                           std::move(done));
  }
}

void LeaseKeeper::OnRenewed(const v1::Lease& record, const Renewal& renewal,
                            const CasResult& result) {
  in_flight_ = false;
  if (!running_) return;
  switch (result.outcome) {
    case CasOutcome::kApplied:
      return Won(renewal, result.revision, record);
    case CasOutcome::kRefused:
      in_flight_ = true;
      return Settle();
    case CasOutcome::kUnknown:
      unsettled_.push_back(renewal);
      if (unsettled_.size() > kUnsettledRenewalsMax) unsettled_.pop_front();
      break;
    case CasOutcome::kUnsent:
      break;
  }
  // The store is slow or out of reach: sooner than the next turn, but do not hammer it.
  const Duration pause = context_.options.lease.renew_every / 4;
  Schedule(renew_again_ ? Duration::zero() : pause);
}

// The record is not where we left it: an earlier renewal of ours was applied unheard, or an evictor
// was there.
void LeaseKeeper::Settle() {
  context_.leases.Get(
      Table::kLease, LeaseKey(context_.keys, context_.options.self.process_id),
      context_.options.lease.renew_timeout,
      context_.Posted(std::function([this](StatusOr<Record> read) { OnRead(read); })));
}

void LeaseKeeper::OnRead(const StatusOr<Record>& read) {
  in_flight_ = false;
  if (!running_) return;
  const bool not_here = absl::IsNotFound(read.status());
  if (not_here && revision_ != 0) return Lost("the record is gone");
  if (!read.ok() || read->revision <= revision_) {
    return Schedule(context_.options.lease.renew_every / 4);  // silent or stale: again
  }
  v1::Lease record;
  if (!record.ParseFromString(read->value)) return Lost("the record is not a lease");
  if (record.state() != v1::Lease::STATE_LIVE) {
    return Lost("evicted by " + record.evicted_by() + " (" + record.evidence() + ")");
  }
  const auto mine = std::ranges::find(unsettled_, record.nonce(), &Renewal::nonce);
  if (mine == unsettled_.end()) return Lost("somebody else has written the record");
  Won(Renewal(*mine), read->revision, record);
}

void LeaseKeeper::Won(const Renewal& renewal, uint64_t revision, const v1::Lease& record) {
  record_ = record;
  revision_ = revision;
  unsettled_.clear();  // conditioned on an older revision: they can win no more
  const bool carries = renewal.incarnation == incarnation_;
  const Time due = last_sent_ + context_.options.lease.renew_every;
  Schedule(carries ? std::max(due - context_.clock.Now(), Duration::zero()) : Duration::zero());
  callbacks_.won(renewal.sent, renewal.incarnation);
}

void LeaseKeeper::Lost(const std::string& why) {
  Stop();
  callbacks_.lost(absl::AbortedError("lease of " + context_.options.self.node_id + ": " + why));
}

void LeaseKeeper::Close(std::function<void(Status)> done) {
  Stop();
  if (revision_ == 0) return done(absl::OkStatus());
  v1::Lease last = record_;
  last.set_state(v1::Lease::STATE_CLOSED);
  last.set_nonce(context_.Nonce());
  context_.leases.Update(
      Table::kLease, LeaseKey(context_.keys, context_.options.self.process_id),
      last.SerializeAsString(), revision_, context_.options.lease.renew_timeout,
      context_.Posted(std::function([done = std::move(done)](CasResult result) {
        done(result.outcome == CasOutcome::kApplied
                 ? absl::OkStatus()
                 : absl::UnavailableError("close lease: it will run out by itself"));
      })));
}

}  // namespace quern::cluster::internal
