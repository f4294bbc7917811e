// The record of one grain's state, as bytes in and out. Pure; keeps unknown fields.

#ifndef QUERN_CLUSTER_SRC_CONTROL_PLANE_GRAIN_STATE_RECORD_H_
#define QUERN_CLUSTER_SRC_CONTROL_PLANE_GRAIN_STATE_RECORD_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "quern/cluster/settle.h"
#include "quern/cluster/v1/cluster.pb.h"
#include "quern/runtime/epoch.h"
#include "quern/runtime/state_store.h"

namespace quern::cluster {

class GrainStateRecord {
 public:
  // No record yet: revision 0.
  GrainStateRecord() = default;

  // DATA_LOSS when the bytes are no GrainState.
  static StatusOr<GrainStateRecord> Parse(std::string_view bytes, uint64_t revision);

  uint64_t revision() const { return revision_; }
  void set_revision(uint64_t revision) { revision_ = revision; }
  uint64_t nonce() const { return state_.nonce(); }
  Epoch epoch() const;
  bool exists() const { return revision_ != 0 && !state_.tombstone(); }
  StateSnapshot snapshot() const;

  Settled SettleWrite(const UnknownWrite& write) const;

  // The same data under a new owner; keeps the mark of the write it takes over from.
  GrainStateRecord ClaimedBy(const Epoch& epoch, uint64_t nonce, std::string_view writer) const;

  // New data (or a tombstone without) of the same owner.
  GrainStateRecord Saved(const Epoch& epoch, uint64_t nonce, std::string_view writer,
                         const StateSnapshot& snapshot) const;
  GrainStateRecord Cleared(const Epoch& epoch, uint64_t nonce, std::string_view writer) const;

  // What the next write needs of this one: all but the data.
  GrainStateRecord WithoutData() const;

  std::string Encode() const { return state_.SerializeAsString(); }

 private:
  GrainStateRecord Stamped(const Epoch& epoch, uint64_t nonce, std::string_view writer) const;

  uint64_t revision_ = 0;
  v1::GrainState state_;
};

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_SRC_CONTROL_PLANE_GRAIN_STATE_RECORD_H_
