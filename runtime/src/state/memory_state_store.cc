#include "quern/runtime/memory_state_store.h"

#include <string>
#include <unordered_map>
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

namespace quern {
namespace {

struct Record {
  Epoch epoch;
  uint64_t revision = 0;  // of the last write; 0: never written
  bool exists = false;    // false with a revision: a tombstone, or claimed and never saved
  StateSnapshot snapshot;
};

Status Refusal(const char* operation, const GrainId& id, const Epoch& epoch, const Epoch& stored) {
  return WithReason(
      absl::AbortedError(std::string(operation) + " " + id.ToString() + " at epoch " +
                         epoch.ToString() + ": claimed by epoch " + stored.ToString()),
      Reason::kStaleEpoch);
}

}  // namespace

struct MemoryStateStore::Records {
  StatusOr<ClaimedState> Claim(const GrainId& id, const Epoch& epoch) ABSL_LOCKS_EXCLUDED(mutex) {
    absl::MutexLock lock(&mutex);
    Record& record = by_id[id];
    if (epoch < record.epoch) {
      ++refused;
      return Refusal("claim", id, epoch, record.epoch);
    }
    record.epoch = epoch;
    record.revision = ++last_revision;
    return ClaimedState{{id, epoch, record.revision}, record.exists, record.snapshot};
  }

  // Writes `snapshot`, or a tombstone that keeps the epoch when there is none.
  StatusOr<StateClaim> Write(const StateClaim& claim, StateSnapshot* snapshot)
      ABSL_LOCKS_EXCLUDED(mutex) {
    absl::MutexLock lock(&mutex);
    const auto found = by_id.find(claim.id);
    if (found == by_id.end() || found->second.revision != claim.revision) {
      ++refused;
      const Epoch stored = found == by_id.end() ? Epoch{} : found->second.epoch;
      return Refusal(snapshot != nullptr ? "save" : "clear", claim.id, claim.epoch, stored);
    }
    Record& record = found->second;
    record.exists = snapshot != nullptr;
    record.snapshot = snapshot != nullptr ? std::move(*snapshot) : StateSnapshot{};
    record.revision = ++last_revision;
    return StateClaim{claim.id, claim.epoch, record.revision};
  }

  mutable absl::Mutex mutex;
  std::unordered_map<GrainId, Record, GrainIdHash> by_id ABSL_GUARDED_BY(mutex);
  uint64_t last_revision ABSL_GUARDED_BY(mutex) = 0;
  uint64_t refused ABSL_GUARDED_BY(mutex) = 0;
};

MemoryStateStore::MemoryStateStore(Executor* executor)
    : executor_(executor), records_(std::make_shared<Records>()) {}

MemoryStateStore::~MemoryStateStore() = default;

void MemoryStateStore::Run(std::function<void()> operation) {
  if (executor_ == nullptr) {
    operation();
  } else {
    executor_->Post(std::move(operation));
  }
}

void MemoryStateStore::Claim(const GrainId& id, const Epoch& epoch, Duration /*timeout*/,
                             std::function<void(StatusOr<ClaimedState>)> done) {
  Run([records = records_, id, epoch, done = std::move(done)] { done(records->Claim(id, epoch)); });
}

void MemoryStateStore::Save(const StateClaim& claim, StateSnapshot snapshot, Duration /*timeout*/,
                            std::function<void(StatusOr<StateClaim>)> done) {
  Run([records = records_, claim, snapshot = std::move(snapshot),
       done = std::move(done)]() mutable { done(records->Write(claim, &snapshot)); });
}

void MemoryStateStore::Clear(const StateClaim& claim, Duration /*timeout*/,
                             std::function<void(StatusOr<StateClaim>)> done) {
  Run([records = records_, claim, done = std::move(done)] {
    done(records->Write(claim, nullptr));
  });
}

uint64_t MemoryStateStore::refused_writes() const {
  absl::MutexLock lock(&records_->mutex);
  return records_->refused;
}

size_t MemoryStateStore::size() const {
  absl::MutexLock lock(&records_->mutex);
  return records_->by_id.size();
}

}  // namespace quern
