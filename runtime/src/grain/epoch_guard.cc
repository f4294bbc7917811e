#include "grain/epoch_guard.h"

#include <algorithm>
#include <iterator>

namespace quern::internal {

EpochGuard::EpochGuard(size_t grains_max)
    : shard_grains_max_(std::max<size_t>(1, grains_max / kShards)) {}

Epoch EpochGuard::RaiseTo(const GrainId& id, const Epoch& epoch) {
  Shard& shard = ShardOf(id);
  absl::MutexLock lock(&shard.mutex);
  const auto found = shard.by_id.find(id);
  if (found != shard.by_id.end()) {
    shard.by_use.splice(shard.by_use.begin(), shard.by_use, *found);
    Epoch& highest = (*found)->second;
    highest = std::max(highest, epoch);
    return highest;
  }
  if (shard.by_id.size() < shard_grains_max_) {
    shard.by_use.emplace_front(id, epoch);
  } else {  // the same entry: a new one, among what comes and goes, keeps malloc from merging
    const auto silent = std::prev(shard.by_use.end());
    shard.by_id.erase(silent);
    silent->first = id;
    silent->second = epoch;
    shard.by_use.splice(shard.by_use.begin(), shard.by_use, silent);
  }
  shard.by_id.insert(shard.by_use.begin());
  return epoch;
}

bool EpochGuard::Raise(const GrainId& id, const Epoch& epoch) {
  return RaiseTo(id, epoch) == epoch;
}

Status EpochGuard::Check(const SenderStamp& from) {
  if (from.grain.kind.empty() || from.epoch.IsZero()) return absl::OkStatus();
  const Epoch highest = RaiseTo(from.grain, from.epoch);
  if (highest == from.epoch) return absl::OkStatus();
  return WithReason(
      absl::AbortedError("message of " + from.grain.ToString() + " at epoch " +
                         from.epoch.ToString() + ": superseded by epoch " + highest.ToString()),
      Reason::kStaleEpoch);
}

Epoch EpochGuard::Highest(const GrainId& id) const {
  const Shard& shard = ShardOf(id);
  absl::MutexLock lock(&shard.mutex);
  const auto found = shard.by_id.find(id);
  return found == shard.by_id.end() ? Epoch{} : (*found)->second;
}

}  // namespace quern::internal
