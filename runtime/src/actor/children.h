// The living children of an actor, by name, those without one by id. Spawning and ending happen on
// other turns than the parent's, so it has a lock. Thread-safe.
//
// A child that ends does not wait for that lock: it puts itself on a stack of those who are gone,
// and leaves the work to whoever looks at the children next, to the last of kChildrenGoneMax, or,
// while the parent waits for its children, to the first on the stack. So actors that end on one
// worker and a parent that spawns on another meet once in so many, not twice for each.
//
// While a child is in here its parent cannot end. So the child needs no count of its parent until
// it is out, and one that nobody else holds by then never needs one.

#ifndef QUERN_RUNTIME_SRC_ACTOR_CHILDREN_H_
#define QUERN_RUNTIME_SRC_ACTOR_CHILDREN_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_set.h>
#include <absl/synchronization/mutex.h>

#include "actor/cell_slots.h"
#include "quern/runtime/internal/cell.h"
#include "quern/runtime/status.h"

namespace quern::internal {

class ActorCell;

class Children {
 public:
  // Adds a count. ALREADY_EXISTS, or UNAVAILABLE while all are being stopped.
  Status Add(ActorCell* child);

  // By a child that has closed: gives the count up, and signals the parent when it was the last of
  // those that have been asked to stop. Without a count of one's own the child may be gone
  // afterwards, and its parent, too.
  void End(ActorCell* child);

  // Asks every child to stop, or only those that OnStart has spawned; no new one is taken until
  // Reopen(). True: there was none, and no signal comes.
  bool StopAll();
  bool StopStarted();
  void Reopen();

  // Those named `first` or later, by name, `max` at most. Generated names are ordered by id.
  std::vector<CellPtr<ActorCell>> From(std::string_view first, size_t max);
  // None is left of those that have been asked to stop.
  bool AllGone();

  std::vector<CellPtr<ActorCell>> All();

  // Null: no such child.
  CellPtr<ActorCell> Find(std::string_view name);

 private:
  enum class Stopping : uint8_t { kNone, kStarted, kAll };

  // Of gone_, which holds the youngest of those that are gone, above its address, in the byte that
  // no address of a program's own needs, how many there are, and below it whether the parent waits
  // for them.
  static constexpr uintptr_t kOne = uintptr_t{1} << 56;
  static constexpr uintptr_t kCount = ~(kOne - 1);
  static constexpr uintptr_t kWaitedFor = 1;
  static ActorCell* CellOf(uintptr_t gone) {
    return reinterpret_cast<ActorCell*>(gone & ~(kCount | kWaitedFor));
  }

  // Children that have ended and are out. Its end, outside of the lock, tells the parent that none
  // is left, and gives their counts up.
  struct Ended {
    ~Ended();
    ActorCell* first = nullptr;
    bool tell = false;
  };
  void TakeGone(Ended* ended) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeOut(ActorCell* child) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  bool Stop(Stopping which);
  bool NoneLeft() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  template <typename F>
  void ForEach(F f) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (ActorCell* cell : named_) f(cell);
    unnamed_.ForEach(f);
  }

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
  CellSlots unnamed_ ABSL_GUARDED_BY(mutex_);
  size_t started_ ABSL_GUARDED_BY(mutex_) = 0;  // of all: spawned by their parent's OnStart
  Stopping stopping_ ABSL_GUARDED_BY(mutex_) = Stopping::kNone;
  absl::flat_hash_set<ActorCell*, NameHash, NameEq> named_ ABSL_GUARDED_BY(mutex_);
  // Those who end share it; kept apart from what who spawns writes.
  alignas(64) std::atomic<uintptr_t> gone_{0};
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_CHILDREN_H_
