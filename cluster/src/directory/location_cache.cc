#include "quern/cluster/location_cache.h"

#include <algorithm>
#include <iterator>

namespace quern::cluster {

LocationCache::LocationCache(size_t capacity)
    : shard_capacity_(std::max<size_t>(1, (capacity + kLocationShards - 1) / kLocationShards)) {}

LocationCache::Shard& LocationCache::ShardOf(const GrainId& id) {
  // The table inside a shard uses the low bits of the same hash; these are the high ones.
  return shards_[(GrainIdHash()(id) >> 48) % kLocationShards];
}

std::optional<Location> LocationCache::Find(const GrainId& id) {
  Shard& shard = ShardOf(id);
  absl::MutexLock lock(&shard.mutex);
  const auto found = shard.by_id.find(id);
  if (found == shard.by_id.end()) return std::nullopt;
  shard.order.splice(shard.order.begin(), shard.order, found->second);
  return found->second->location;
}

void LocationCache::Put(const GrainId& id, const Location& location) {
  Shard& shard = ShardOf(id);
  absl::MutexLock lock(&shard.mutex);
  if (const auto found = shard.by_id.find(id); found != shard.by_id.end()) {
    if (found->second->location.epoch > location.epoch) return;
    found->second->location = location;
    shard.order.splice(shard.order.begin(), shard.order, found->second);
    return;
  }
  if (shard.order.size() >= shard_capacity_) {
    shard.by_id.erase(shard.order.back().id);
    shard.order.pop_back();
  }
  shard.order.push_front({id, location});
  shard.by_id.emplace(id, shard.order.begin());
}

void LocationCache::Erase(const GrainId& id, const Epoch& epoch) {
  Shard& shard = ShardOf(id);
  absl::MutexLock lock(&shard.mutex);
  const auto found = shard.by_id.find(id);
  if (found == shard.by_id.end() || found->second->location.epoch > epoch) return;
  shard.order.erase(found->second);
  shard.by_id.erase(found);
}

void LocationCache::EraseProcess(const remoting::ProcessId& process) {
  for (Shard& shard : shards_) {
    absl::MutexLock lock(&shard.mutex);
    for (auto it = shard.order.begin(); it != shard.order.end();) {
      const auto next = std::next(it);
      if (it->location.peer.process_id == process) {
        shard.by_id.erase(it->id);
        shard.order.erase(it);
      }
      it = next;
    }
  }
}

size_t LocationCache::size() const {
  size_t size = 0;
  for (const Shard& shard : shards_) {
    absl::MutexLock lock(&shard.mutex);
    size += shard.order.size();
  }
  return size;
}

}  // namespace quern::cluster
