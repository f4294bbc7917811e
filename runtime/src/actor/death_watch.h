// Who watches an actor. Thread-safe: watchers come from their own turns.

#ifndef QUERN_RUNTIME_SRC_ACTOR_DEATH_WATCH_H_
#define QUERN_RUNTIME_SRC_ACTOR_DEATH_WATCH_H_

#include <cstdint>
#include <unordered_map>
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "quern/runtime/internal/cell.h"

namespace quern::internal {

class ActorCell;

using CellsById = std::unordered_map<uint64_t, CellPtr<ActorCell>>;

class Watchers {
 public:
  // False: the actor has ended, and the caller sees to it that the watcher is told.
  bool Add(uint64_t id, CellPtr<ActorCell> watcher) {
    absl::MutexLock lock(&mutex_);
    if (!ended_) watchers_.insert_or_assign(id, std::move(watcher));
    return !ended_;
  }
  // True: it was there, and nobody else tells it.
  bool Remove(uint64_t id) {
    CellPtr<ActorCell> removed;  // released outside of the lock
    absl::MutexLock lock(&mutex_);
    auto it = watchers_.find(id);
    if (it == watchers_.end()) return false;
    removed = std::move(it->second);
    watchers_.erase(it);
    return true;
  }
  // Once. They are to be told.
  CellsById End() {
    absl::MutexLock lock(&mutex_);
    ended_ = true;
    return std::exchange(watchers_, {});
  }

 private:
  absl::Mutex mutex_;
  CellsById watchers_ ABSL_GUARDED_BY(mutex_);  // bounded by the living actors
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_DEATH_WATCH_H_
