#include "state_operation.h"

#include <algorithm>
#include <utility>

#include "quern/cluster/control_plane_limits.h"
#include "quern/cluster/keys.h"

namespace quern::cluster {

std::optional<GrainStateRecord> ControlPlaneStateStore::Core::Base(const GrainId& id,
                                                                   uint64_t revision) {
  absl::MutexLock lock(&mutex);
  const auto found = bases.find(id);
  if (found == bases.end() || found->second.revision() != revision) return std::nullopt;
  return found->second;
}

void ControlPlaneStateStore::Core::Remember(const GrainId& id, const GrainStateRecord& written) {
  absl::MutexLock lock(&mutex);
  if (bases.size() >= kStateBasesMax && !bases.contains(id)) bases.erase(bases.begin());
  bases[id] = written.WithoutData();
}

void ControlPlaneStateStore::Core::Forget(const GrainId& id) {
  absl::MutexLock lock(&mutex);
  bases.erase(id);
}

StateOperation::StateOperation(std::shared_ptr<Core> core, const char* verb, GrainId id,
                               Epoch epoch, Duration timeout)
    : core_(std::move(core)),
      verb_(verb),
      id_(std::move(id)),
      epoch_(epoch),
      key_(StateKey(core_->options.cluster, id_)),
      nonce_(core_->options.random->Next()),
      deadline_(core_->options.clock->Now() + timeout),
      backoff_(kStoreBackoffMin) {}

Duration StateOperation::Left() const { return deadline_ - core_->options.clock->Now(); }

std::string StateOperation::Tried() const {
  return std::string(verb_) + " " + id_.ToString() + " at epoch " + epoch_.ToString();
}

Status StateOperation::OutOfTime() const {
  if (refused_ && !in_doubt_) {
    return WithReason(absl::AbortedError(Tried() + ": the record has moved; stored epoch unknown"),
                      Reason::kStaleEpoch);
  }
  if (in_doubt_) {
    return absl::DeadlineExceededError(Tried() + ": outcome unknown: " + last_error_);
  }
  return WithReason(absl::UnavailableError(Tried() + ": not written: " + last_error_),
                    Reason::kStorageUnavailable);
}

Status StateOperation::Refused(const Epoch& stored) {
  core_->refused.fetch_add(1, std::memory_order_relaxed);
  core_->Forget(id_);
  return WithReason(absl::AbortedError(Tried() + ": refused; stored epoch " + stored.ToString()),
                    Reason::kStaleEpoch);
}

void StateOperation::Later(std::function<void()> step) {
  core_->executor.PostAfter(backoff_, [self = shared_from_this(), step = std::move(step)] {
    if (self->core_->closed) {
      return self->Fail(absl::CancelledError(self->Tried() + ": the store was closed"));
    }
    step();
  });
  backoff_ = std::min(backoff_ * 2, kStoreBackoffMax);
}

// The grace is for a process that was paused: its clock says that all is over, the store knows.
void StateOperation::SetInDoubt() {
  if (in_doubt_) return;
  in_doubt_ = true;
  deadline_ = std::max(deadline_, core_->options.clock->Now() + kStoreSettleGrace);
}

void StateOperation::Read() {
  if (Left() <= Duration::zero()) return Fail(OutOfTime());
  core_->plane.Get(
      Table::kState, key_, std::min(Left(), kStoreAttemptMax),
      [self = shared_from_this()](StatusOr<Record> record) { self->TookRead(std::move(record)); });
}

void StateOperation::TookRead(StatusOr<Record> record) {
  if (core_->closed || absl::IsCancelled(record.status())) {
    return Fail(absl::CancelledError(Tried() + ": the store was closed"));
  }
  if (absl::IsNotFound(record.status())) return OnRead(GrainStateRecord());
  if (!record.ok()) {
    last_error_ = std::string(record.status().message());
    return Later([this] { Read(); });
  }
  StatusOr<GrainStateRecord> parsed = GrainStateRecord::Parse(record->value, record->revision);
  if (!parsed.ok()) return Fail(absl::DataLossError(Tried() + ": the record is not a state"));
  OnRead(*std::move(parsed));
}

void StateOperation::Offer(const GrainStateRecord& next, uint64_t expected) {
  if (Left() <= Duration::zero()) return Fail(OutOfTime());
  const Duration timeout = std::min(Left(), kStoreAttemptMax);
  auto took = [self = shared_from_this()](const CasResult& result) { self->TookCas(result); };
  if (expected == 0) {
    core_->plane.Create(Table::kState, key_, next.Encode(), timeout, std::move(took));
  } else {
    core_->plane.Update(Table::kState, key_, next.Encode(), expected, timeout, std::move(took));
  }
}

void StateOperation::TookCas(const CasResult& result) {
  if (result.outcome == CasOutcome::kUnknown) SetInDoubt();
  if (result.outcome == CasOutcome::kRefused) {
    // The grace again: the stored epoch is worth one more read.
    deadline_ = std::max(deadline_, core_->options.clock->Now() + kStoreSettleGrace);
    refused_ = true;
  }
  if (result.outcome == CasOutcome::kUnsent || result.outcome == CasOutcome::kUnknown) {
    last_error_ = result.detail;
  }
  if (core_->closed && result.outcome != CasOutcome::kApplied) {
    return Fail(absl::CancelledError(Tried() + ": the store was closed"));
  }
  OnOffered(result);
}

}  // namespace quern::cluster
