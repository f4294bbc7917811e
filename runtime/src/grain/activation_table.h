// Grain to activation, in shards, with what waits for a grain on its way out to come back: every
// local call of a grain looks here once.
//
//   ActivationTable::Shard& shard = table.ShardOf(key);
//   absl::MutexLock lock(&shard.mutex);
//   auto* entry = shard.Find(key);
//
// Thread-safe by the shards' locks; a table never calls out.

#ifndef QUERN_RUNTIME_SRC_GRAIN_ACTIVATION_TABLE_H_
#define QUERN_RUNTIME_SRC_GRAIN_ACTIVATION_TABLE_H_

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "grain/activation.h"

namespace quern::internal {

// A grain id with its hash, which is computed once a call.
struct GrainKey {
  explicit GrainKey(const GrainId& grain) : GrainKey(grain, GrainIdHash()(grain)) {}
  GrainKey(const GrainId& grain, size_t known_hash) : id(&grain), hash(known_hash) {}

  const GrainId* id;
  size_t hash;
};

class ActivationTable {
 public:
  using ActivateDone = std::function<void(StatusOr<ActivationInfo>)>;

  struct Order {
    Epoch epoch;
    ActivateDone done;
  };

  // What comes after an activation that is on its way out.
  struct Next {
    std::vector<Envelope*> messages;
    std::vector<Order> orders;
  };

  struct Entry {
    CellPtr<Activation> activation;
    std::vector<ActivateDone> waiting;  // for OnActivate to return
    std::unique_ptr<Next> next;         // rarely there

    Next& NextOf() {
      if (next == nullptr) next = std::make_unique<Next>();
      return *next;
    }
  };

  struct Shard {
    // Null: no activation.
    Entry* Find(const GrainKey& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
      const auto found = entries.find(key);
      return found == entries.end() ? nullptr : &found->second;
    }
    // The key must point to the id inside the activation, which the entry keeps alive.
    Entry& Insert(CellPtr<Activation> activation, size_t hash)
        ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
      GrainKey key(activation->grain_id(), hash);
      Entry& entry = entries[key];
      entry.activation = std::move(activation);
      return entry;
    }
    // Takes the entry out.
    Entry Remove(const GrainKey& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
      auto node = entries.extract(key);
      return std::move(node.mapped());
    }

    struct Hash {
      size_t operator()(const GrainKey& key) const { return key.hash; }
    };
    struct Equal {
      bool operator()(const GrainKey& a, const GrainKey& b) const { return *a.id == *b.id; }
    };

    mutable absl::Mutex mutex;
    std::unordered_map<GrainKey, Entry, Hash, Equal> entries ABSL_GUARDED_BY(mutex);
  };

  Shard& ShardOf(const GrainKey& key) { return shards_[key.hash >> kShardShift]; }
  std::array<Shard, 64>& shards() { return shards_; }
  const std::array<Shard, 64>& shards() const { return shards_; }

 private:
  static constexpr int kShardShift = 58;  // the top six bits; buckets use the low ones

  std::array<Shard, 64> shards_;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_GRAIN_ACTIVATION_TABLE_H_
