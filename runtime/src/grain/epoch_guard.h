// Keeps the highest epoch seen of each grain, so that what a superseded activation still sends is
// refused (ARCHITECTURE.md, D15).
//
//   EpochGuard guard;
//   guard.Raise(id, epoch);                        // this activation is the newest known
//   Status fresh = guard.Check(stamp);             // ABORTED, stale_epoch, for an older one
//
// Bounded: a full shard forgets the grain that was silent longest, whose older activations it would
// then believe; the state store still refuses their writes. Thread-safe; never suspends.

#ifndef QUERN_RUNTIME_SRC_GRAIN_EPOCH_GUARD_H_
#define QUERN_RUNTIME_SRC_GRAIN_EPOCH_GUARD_H_

#include <array>
#include <cstddef>
#include <list>
#include <unordered_map>
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "quern/runtime/epoch.h"
#include "quern/runtime/grain_id.h"
#include "quern/runtime/limits.h"
#include "quern/runtime/network_port.h"
#include "quern/runtime/status.h"

namespace quern::internal {

class EpochGuard {
 public:
  explicit EpochGuard(size_t grains_max = kSenderEpochsMax);  // about 10 MB when full
  EpochGuard(const EpochGuard&) = delete;
  EpochGuard& operator=(const EpochGuard&) = delete;

  // Remembers `epoch` unless a higher one is known. False when one is.
  bool Raise(const GrainId& id, const Epoch& epoch);

  // OK for senders that are no grains or have no epoch. ABORTED (stale_epoch) when a higher epoch
  // of that grain is known; else remembers this one.
  Status Check(const SenderStamp& from);

  // Zero when the grain is unknown or forgotten.
  Epoch Highest(const GrainId& id) const;

 private:
  using Entry = std::pair<GrainId, Epoch>;

  struct Shard {
    mutable absl::Mutex mutex;
    std::list<Entry> by_use ABSL_GUARDED_BY(mutex);  // the longest silent last
    std::unordered_map<GrainId, std::list<Entry>::iterator, GrainIdHash> by_id
        ABSL_GUARDED_BY(mutex);
  };
  static constexpr size_t kShards = 16;

  // Raises to `epoch`; returns the highest known afterwards.
  Epoch RaiseTo(const GrainId& id, const Epoch& epoch);

  Shard& ShardOf(const GrainId& id) { return shards_[GrainIdHash()(id) % kShards]; }
  const Shard& ShardOf(const GrainId& id) const { return shards_[GrainIdHash()(id) % kShards]; }

  const size_t shard_grains_max_;
  std::array<Shard, kShards> shards_;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_GRAIN_EPOCH_GUARD_H_
