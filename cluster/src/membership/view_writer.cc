#include "membership/view_writer.h"

#include <algorithm>
#include <utility>

#include "quern/cluster/settle.h"
#include "sabotage.h"
#include "view/view_record.h"

namespace quern::cluster::internal {

void ViewWriter::Change(Duration timeout, Edit edit, Done done) {
  Pending pending;
  pending.edit = std::move(edit);
  pending.done = std::move(done);
  pending.deadline = context_.clock.Now() + timeout;
  queue_.push_back(std::move(pending));
  if (queue_.size() == 1) Read();
}

void ViewWriter::Reset(const Status& why) {
  for (const Pending& pending : std::exchange(queue_, {})) pending.done(why);
}

void ViewWriter::Read() {
  context_.records.Get(
      Table::kControl, key_, context_.options.record_timeout,
      context_.Posted(std::function([this](StatusOr<Record> read) { OnRead(read); })));
}

void ViewWriter::OnRead(const StatusOr<Record>& read) {
  if (queue_.empty()) return;
  v1::View record;
  uint64_t revision = 0;
  if (read.ok()) {
    StatusOr<v1::View> parsed = ParseViewRecord(read->value);
    if (!parsed.ok()) return Finish(parsed.status());
    record = *std::move(parsed);
    revision = read->revision;
    const bool ours = learn_(record, false);
    if (queue_.empty()) return;  // what was learned ended this incarnation
    if (!ours) {
      return Finish(absl::FailedPreconditionError(
          "change view: the control plane has lost writes; claims are frozen"));
    }
  } else if (absl::IsNotFound(read.status()) && context_.view == nullptr) {
    record.set_partition_count(context_.options.partition_count);
    record.set_hash_seed(context_.Nonce());
    record.set_control_plane_incarnation(context_.options.store.number);
  } else {
    return Again(read.status());
  }
  if (context_.view != nullptr && record.version() < context_.view->version) {
    return Again(absl::UnavailableError("the view read is older than the one known"));
  }
  const StatusOr<bool> change = queue_.front().edit(&record, WrittenBefore(record));
  if (!change.ok() || !*change) return Finish(change.status());
  Write(std::move(record), revision);
}

bool ViewWriter::WrittenBefore(const v1::View& record) const {
  const auto is_mine = [this](uint64_t nonce) {
    return std::ranges::count(queue_.front().unsettled, nonce) > 0;
  };
  if (is_mine(record.id())) return true;
  if (Planted(Sabotage::kJoinTrustsLastWrite)) return false;
  return std::ranges::any_of(record.recent_writes(),
                             [&](const v1::WriteMark& mark) { return is_mine(mark.nonce()); });
}

void ViewWriter::Write(v1::View record, uint64_t revision) {
  const uint64_t nonce = context_.Nonce();
  record.set_version(record.version() + 1);
  record.set_parent_id(record.id());
  record.set_id(nonce);
  PushWriteMark(record.mutable_recent_writes(), record.version(),
                ProcessHex(context_.options.self.process_id), nonce, kViewRecentWritesMax);
  std::string bytes = record.SerializeAsString();
  auto done = context_.Posted(std::function(
      [this, record = std::move(record)](CasResult result) { OnWritten(record, result); }));
  const Duration timeout = context_.options.record_timeout;
  if (revision == 0) {
    context_.records.Create(Table::kControl, key_, std::move(bytes), timeout, std::move(done));
  } else {
    context_.records.Update(Table::kControl, key_, std::move(bytes), revision, timeout,
                            std::move(done));
  }
}

void ViewWriter::OnWritten(const v1::View& record, const CasResult& result) {
  if (queue_.empty()) return;
  switch (result.outcome) {
    case CasOutcome::kApplied:
      learn_(record, true);
      return Finish(absl::OkStatus());
    case CasOutcome::kUnknown:
      // Whether it was applied is settled by what is read next: its nonce there, or a
      // compare-and-set of our own at the revision read, which shuts it out.
      queue_.front().unsettled.push_back(record.id());
      return Again(absl::UnavailableError("view write unanswered: " + result.detail));
    case CasOutcome::kRefused:
      return Again(absl::UnavailableError("others keep changing the view"));
    case CasOutcome::kUnsent:
      return Again(absl::UnavailableError("control plane out of reach: " + result.detail));
  }
}

void ViewWriter::Again(const Status& why) {
  Pending& pending = queue_.front();
  const Duration unit = context_.options.lease.renew_every / 64;
  const Duration pause = unit * (1 + context_.random.Below(4 + std::min(pending.attempts, 12)));
  ++pending.attempts;
  const Time next = context_.clock.Now() + pause;
  if (next >= pending.deadline || pending.attempts >= kViewWriteAttemptsMax) {
    return Finish(absl::UnavailableError("change view: not within the time given; last: " +
                                         std::string(why.message())));
  }
  context_.After(pause, [this] {
    if (!queue_.empty()) Read();
  });
}

void ViewWriter::Finish(const Status& status) {
  if (queue_.empty()) return;
  const Done done = std::move(queue_.front().done);
  queue_.pop_front();
  if (!queue_.empty()) Read();
  done(status);
}

}  // namespace quern::cluster::internal
