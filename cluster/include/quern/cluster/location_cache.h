// Where grains were last found: what a worker looks up for every message, before anybody is asked.
//
//   LocationCache locations(1'000'000);
//   if (auto found = locations.Find(id)) network.Ask(found->peer, ..);   // target_epoch =
//   found->epoch locations.Erase(id, found->epoch);                                   // it was not
//   there
//
// A hint, never a claim: a message that goes to the wrong place is refused there and located again.
// Of two locations of one grain the higher epoch stays. Bounded: the least recently used entry of a
// shard makes room. Thread-safe; a look-up holds one of 64 locks for a hash look-up.

#ifndef QUERN_CLUSTER_LOCATION_CACHE_H_
#define QUERN_CLUSTER_LOCATION_CACHE_H_

#include <array>
#include <cstddef>
#include <list>
#include <optional>
#include <unordered_map>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "quern/cluster/limits.h"
#include "quern/remoting/network.h"
#include "quern/runtime/epoch.h"
#include "quern/runtime/grain_id.h"

namespace quern::cluster {

// The activation of a grain and the process that serves it.
struct Location {
  remoting::PeerAddress peer;
  Epoch epoch;
  bool is_local = false;

  bool operator==(const Location&) const = default;
};

class LocationCache {
 public:
  // `capacity` is rounded up to a multiple of kLocationShards.
  explicit LocationCache(size_t capacity);
  LocationCache(const LocationCache&) = delete;
  LocationCache& operator=(const LocationCache&) = delete;

  // Counts as a use. Thread-safe.
  std::optional<Location> Find(const GrainId& id);

  // Keeps what is there when its epoch is higher. Thread-safe.
  void Put(const GrainId& id, const Location& location);

  // Removes the entry unless its epoch is higher than `epoch`. Thread-safe.
  void Erase(const GrainId& id, const Epoch& epoch);

  // Removes all that lives in that process; called when it has left the view. Thread-safe.
  void EraseProcess(const remoting::ProcessId& process);

  // Thread-safe.
  size_t size() const;

 private:
  struct Entry {
    GrainId id;
    Location location;
  };
  using Order = std::list<Entry>;  // most recently used first

  struct Shard {
    mutable absl::Mutex mutex;
    Order order ABSL_GUARDED_BY(mutex);
    std::unordered_map<GrainId, Order::iterator, GrainIdHash> by_id ABSL_GUARDED_BY(mutex);
  };

  Shard& ShardOf(const GrainId& id);

  const size_t shard_capacity_;
  std::array<Shard, kLocationShards> shards_;
};

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_LOCATION_CACHE_H_
