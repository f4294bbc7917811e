#include "grain_state_record.h"

#include "quern/cluster/control_plane_limits.h"

namespace quern::cluster {

StatusOr<GrainStateRecord> GrainStateRecord::Parse(std::string_view bytes, uint64_t revision) {
  GrainStateRecord record;
  record.revision_ = revision;
  if (!record.state_.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError("the stored bytes are not a grain's state");
  }
  return record;
}

Epoch GrainStateRecord::epoch() const {
  const auto& epoch = state_.epoch();
  return Epoch{epoch.home_term(), epoch.incarnation(), epoch.view_version(), epoch.counter()};
}

StateSnapshot GrainStateRecord::snapshot() const {
  StateSnapshot snapshot;
  if (!exists()) return snapshot;
  snapshot.data = state_.data();
  snapshot.schema_version = state_.schema_version();
  for (const auto& [source, sequence] : state_.marks()) snapshot.marks.emplace(source, sequence);
  return snapshot;
}

Settled GrainStateRecord::SettleWrite(const UnknownWrite& write) const {
  return Settle(write, SeenRecord{revision_, nonce()}, state_.recent_writes());
}

GrainStateRecord GrainStateRecord::Stamped(const Epoch& epoch, uint64_t nonce,
                                           std::string_view writer) const {
  GrainStateRecord next = *this;
  auto* stored = next.state_.mutable_epoch();
  stored->set_home_term(epoch.home_term);
  stored->set_incarnation(epoch.incarnation);
  stored->set_view_version(epoch.view_version);
  stored->set_counter(epoch.counter);
  next.state_.set_nonce(nonce);
  next.state_.set_writer(writer.data(), writer.size());
  return next;
}

GrainStateRecord GrainStateRecord::ClaimedBy(const Epoch& epoch, uint64_t nonce,
                                             std::string_view writer) const {
  GrainStateRecord next = Stamped(epoch, nonce, writer);
  if (revision_ == 0) {
    next.state_.set_tombstone(true);  // claimed, never saved
  } else {
    PushWriteMark(next.state_.mutable_recent_writes(), revision_, "", this->nonce(),
                  kStateRecentWritesMax);
  }
  return next;
}

GrainStateRecord GrainStateRecord::Saved(const Epoch& epoch, uint64_t nonce,
                                         std::string_view writer,
                                         const StateSnapshot& snapshot) const {
  GrainStateRecord next = Stamped(epoch, nonce, writer);
  next.state_.set_tombstone(false);
  next.state_.set_data(snapshot.data);
  next.state_.set_schema_version(snapshot.schema_version);
  auto& marks = *next.state_.mutable_marks();
  marks.clear();
  for (const auto& [source, sequence] : snapshot.marks) marks[source] = sequence;
  return next;
}

GrainStateRecord GrainStateRecord::Cleared(const Epoch& epoch, uint64_t nonce,
                                           std::string_view writer) const {
  GrainStateRecord next = Stamped(epoch, nonce, writer).WithoutData();
  next.state_.set_tombstone(true);
  return next;
}

GrainStateRecord GrainStateRecord::WithoutData() const {
  GrainStateRecord next = *this;
  next.state_.clear_data();
  next.state_.clear_marks();
  next.state_.clear_schema_version();
  return next;
}

}  // namespace quern::cluster
