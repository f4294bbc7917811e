// The living children of an actor, by name. Spawning and ending happen on other turns than the
// parent's, so it has a lock. Thread-safe.

#ifndef QUERN_RUNTIME_SRC_ACTOR_CHILDREN_H_
#define QUERN_RUNTIME_SRC_ACTOR_CHILDREN_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_set.h>
#include <absl/synchronization/mutex.h>

#include "quern/runtime/internal/cell.h"
#include "quern/runtime/status.h"

namespace quern::internal {

class ActorCell;

class Children {
 public:
  // Adds a count. ALREADY_EXISTS, or UNAVAILABLE while all are being stopped.
  Status Add(ActorCell* child);

  // Gives the count up. True: it was the last of those that have been asked to stop.
  bool Remove(ActorCell* child);

  // Asks every child to stop, or only those that OnStart has spawned; no new one is taken until
  // Reopen(). True: there was none, and nobody will call Remove() for the last.
  bool StopAll();
  bool StopStarted();
  void Reopen();

  // Those named `first` or later, by name, `max` at most.
  std::vector<CellPtr<ActorCell>> From(std::string_view first, size_t max);
  // None is left of those that have been asked to stop.
  bool Gone();

  std::vector<CellPtr<ActorCell>> All();

  // Null: no such child.
  CellPtr<ActorCell> Find(std::string_view name);

 private:
  enum class Stopping : uint8_t { kNone, kStarted, kAll };
  bool Stop(Stopping which);
  bool NoneLeft() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  struct NameHash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const;
    size_t operator()(const ActorCell* cell) const;
  };
  struct NameEq {
    using is_transparent = void;
    static std::string_view NameOf(std::string_view name) { return name; }
    static std::string_view NameOf(const ActorCell* cell);
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return NameOf(a) == NameOf(b);
    }
  };

  absl::Mutex mutex_;
  absl::flat_hash_set<ActorCell*, NameHash, NameEq> cells_ ABSL_GUARDED_BY(mutex_);
  size_t started_ ABSL_GUARDED_BY(mutex_) = 0;  // of `cells_`: spawned by their parent's OnStart
  Stopping stopping_ ABSL_GUARDED_BY(mutex_) = Stopping::kNone;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_CHILDREN_H_
