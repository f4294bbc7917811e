#include "quern/runtime/state.h"

#include <utility>

#include "grain/activation.h"
#include "grain/store_call.h"
#include "quern/runtime/grain.h"

namespace quern::internal {

StateBase::StateBase(GrainBase* grain, uint32_t schema_version)
    : schema_version_(schema_version), in_system_(grain->activation_ != nullptr) {
  if (grain->state_ != nullptr) {
    grain->second_state_ = true;
  } else {
    grain->state_ = this;
  }
}

uint64_t StateBase::mark(std::string_view source) const {
  const auto found = marks_.find(source);
  return found == marks_.end() ? 0 : found->second;
}

void StateBase::set_mark(std::string_view source, uint64_t sequence) {
  const auto found = marks_.find(source);
  if (found != marks_.end()) {
    found->second = sequence;
  } else {
    marks_.emplace(source, sequence);
  }
}

Status StateBase::Load(Activation* activation, ClaimedState claimed) {
  activation_ = activation;
  claim_ = std::move(claimed.claim);
  exists_ = claimed.exists;
  if (!exists_) return absl::OkStatus();
  stored_schema_version_ = claimed.snapshot.schema_version;
  if (stored_schema_version_ > schema_version_) {
    return absl::FailedPreconditionError(
        "its state has schema version " + std::to_string(stored_schema_version_) +
        " and this program knows up to " + std::to_string(schema_version_) +
        ": host it where the newer program runs; the record is left as it is");
  }
  marks_.insert(claimed.snapshot.marks.begin(), claimed.snapshot.marks.end());
  const Status decoded = DecodeValue(stored_schema_version_, claimed.snapshot.data);
  if (decoded.ok()) return decoded;
  return Status(decoded.code(), "its state of schema version " +
                                    std::to_string(stored_schema_version_) +
                                    " (this program: " + std::to_string(schema_version_) +
                                    ") does not parse: " + std::string(decoded.message()));
}

Status StateBase::Save() { return Write(Operation::kSave); }

Status StateBase::Clear() { return Write(Operation::kClear); }

Status StateBase::Write(Operation operation) {
  if (!in_system_) {
    Settle(operation);
    return absl::OkStatus();
  }
  if (activation_ == nullptr) {
    return absl::FailedPreconditionError(
        "the state has not been claimed yet: use it in OnActivate");
  }
  // A handler may save from several fibers; each write continues from the revision of the last.
  FiberMutexLock lock(writing_);
  if (const Status& lost = activation_->state_lost(); !lost.ok()) {
    activation_->LoseState(lost);  // what this handler was asked is answered so, too
    return lost;
  }
  StatusOr<StateClaim> written = Store(operation);
  if (!written.ok()) {
    activation_->LoseState(written.status());
    return written.status();
  }
  claim_ = *std::move(written);
  Settle(operation);
  return absl::OkStatus();
}

StatusOr<StateClaim> StateBase::Store(Operation operation) {
  const GrainKind& kind = activation_->kind();
  const Duration timeout = kind.options.state_timeout;
  if (operation == Operation::kClear) {
    return AwaitStore<StateClaim>(*activation_, timeout, [&](auto done) {
      kind.state_store->Clear(claim_, timeout, std::move(done));
    });
  }
  StateSnapshot snapshot;
  EncodeValue(&snapshot.data);
  snapshot.schema_version = schema_version_;
  snapshot.marks.insert(marks_.begin(), marks_.end());
  return AwaitStore<StateClaim>(*activation_, timeout, [&](auto done) {
    kind.state_store->Save(claim_, std::move(snapshot), timeout, std::move(done));
  });
}

void StateBase::Settle(Operation operation) {
  exists_ = operation == Operation::kSave;
  stored_schema_version_ = exists_ ? schema_version_ : 0;
  if (exists_) return;
  ResetValue();
  marks_.clear();
}

}  // namespace quern::internal
