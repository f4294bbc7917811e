// Where grains keep their state, fenced: a stale owner cannot write. Three operations, each one
// compare-and-set that carries the activation's epoch (ARCHITECTURE.md, D15). Users reach it
// through State<T>.
//
//   Claim  reads the record and rewrites it, data unchanged, with the new epoch and a nonce until
//   it wins; only then may
//          the activation serve. Refused (ABORTED, stale_epoch) when the record holds a higher
//          epoch.
//   Save   compare-and-set at the revision of one's own last write. A conflict means another owner:
//   ABORTED,
//          stale_epoch, with the stored epoch in the message; never retried. An unknown outcome is
//          settled by the nonce before the callback: it is applied or it is not, unless the store
//          stays silent (DEADLINE_EXCEEDED).
//   Clear  leaves a tombstone that keeps the epoch.
//
// Failure codes, all three: ABORTED (stale_epoch), UNAVAILABLE (storage_unavailable: surely not
// written), DEADLINE_EXCEEDED (unknown: the activation must end). Thread-safe. Nothing blocks or
// suspends; callbacks arrive on any thread, once each.

#ifndef QUERN_RUNTIME_STATE_STORE_H_
#define QUERN_RUNTIME_STATE_STORE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "quern/runtime/clock.h"
#include "quern/runtime/epoch.h"
#include "quern/runtime/grain_id.h"
#include "quern/runtime/status.h"

namespace quern {

// What is kept for a grain.
struct StateSnapshot {
  std::string data;  // encoded; empty when never saved or cleared
  uint32_t schema_version = 0;
  std::map<std::string, uint64_t>
      marks;  // per source: the last sequence applied; written with the data, never apart
};

// The right to write: the record's revision after one's own last write. Handed back by Claim,
// renewed by Save and Clear.
struct StateClaim {
  GrainId id;
  Epoch epoch;
  uint64_t revision = 0;
};

struct ClaimedState {
  StateClaim claim;
  bool exists = false;  // false: never saved, or cleared
  StateSnapshot snapshot;
};

class StateStore {
 public:
  virtual ~StateStore() = default;

  virtual void Claim(const GrainId& id, const Epoch& epoch, Duration timeout,
                     std::function<void(StatusOr<ClaimedState>)> done) = 0;
  virtual void Save(const StateClaim& claim, StateSnapshot snapshot, Duration timeout,
                    std::function<void(StatusOr<StateClaim>)> done) = 0;
  virtual void Clear(const StateClaim& claim, Duration timeout,
                     std::function<void(StatusOr<StateClaim>)> done) = 0;

  // Writes refused because a newer owner had claimed, by this process since its start.
  virtual uint64_t refused_writes() const = 0;
};

}  // namespace quern

#endif  // QUERN_RUNTIME_STATE_STORE_H_
