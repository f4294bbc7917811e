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
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_set.h>
#include <absl/synchronization/mutex.h>

#include "quern/runtime/epoch.h"
#include "quern/runtime/grain_id.h"
#include "quern/runtime/limits.h"
#include "quern/runtime/network_port.h"
#include "quern/runtime/status.h"

namespace quern::internal {

class EpochGuard {
 public:
  explicit EpochGuard(size_t grains_max = kSenderEpochsMax);  // 9 MB when full of short keys
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
  using Entries = std::list<Entry>;

  struct IdHash {
    using is_transparent = void;
    size_t operator()(const GrainId& id) const { return GrainIdHash()(id); }
    size_t operator()(Entries::const_iterator entry) const { return GrainIdHash()(entry->first); }
  };
  struct IdEq {
    using is_transparent = void;
    static const GrainId& IdOf(const GrainId& id) { return id; }
    static const GrainId& IdOf(Entries::const_iterator entry) { return entry->first; }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return IdOf(a) == IdOf(b);
    }
  };

  struct Shard {
    mutable absl::Mutex mutex;
    Entries by_use ABSL_GUARDED_BY(mutex);  // the longest silent last
    absl::flat_hash_set<Entries::iterator, IdHash, IdEq> by_id ABSL_GUARDED_BY(mutex);
  };
  static constexpr size_t kShards = 16;
  static constexpr int kShardShift = 60;  // the top four bits; the sets look at the low ones

  // Raises to `epoch`; returns the highest known afterwards.
  Epoch RaiseTo(const GrainId& id, const Epoch& epoch);

  static size_t PlaceOf(const GrainId& id) { return GrainIdHash()(id) >> kShardShift; }
  Shard& ShardOf(const GrainId& id) { return shards_[PlaceOf(id)]; }
  const Shard& ShardOf(const GrainId& id) const { return shards_[PlaceOf(id)]; }

  const size_t shard_grains_max_;
  std::array<Shard, kShards> shards_;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_GRAIN_EPOCH_GUARD_H_
