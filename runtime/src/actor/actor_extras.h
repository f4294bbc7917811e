// What few actors have: children, timers, a supervisor or a passivation of their own, a history of
// failures. Made when first needed, and so are its larger parts: many have a passivation or a
// timer, and nothing else of it.

#ifndef QUERN_RUNTIME_SRC_ACTOR_ACTOR_EXTRAS_H_
#define QUERN_RUNTIME_SRC_ACTOR_ACTOR_EXTRAS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "actor/actor_timers.h"
#include "actor/children.h"
#include "actor/death_watch.h"
#include "actor/made_once.h"
#include "actor/restart_budget.h"
#include "actor/state_stack.h"
#include "mailbox/side_mail.h"
#include "quern/runtime/clock.h"
#include "quern/runtime/extensions.h"
#include "quern/runtime/internal/cell.h"
#include "quern/runtime/supervision.h"

namespace quern::internal {

class ActorCell;
class CellTimer;
class Pipes;

// A child that waits for its parent's decision.
struct Escalation {
  CellPtr<ActorCell> child;
  Failure failure;
};

// Failures on their way from children to their parent. Thread-safe.
class Escalations {
 public:
  void Add(Escalation escalation) {
    absl::MutexLock lock(&mutex_);
    arrived_.push_back(std::move(escalation));
  }
  std::vector<Escalation> Take() {
    absl::MutexLock lock(&mutex_);
    return std::exchange(arrived_, {});
  }

 private:
  absl::Mutex mutex_;
  std::vector<Escalation> arrived_ ABSL_GUARDED_BY(mutex_);  // at most one a child
};

// Of an actor that spawns.
struct Family {
  Children children;                          // anybody's
  Escalations escalations;                    // anybody's
  std::vector<CellPtr<ActorCell>> undecided;  // the actor's turn: escalated, and wait
};

// Of an actor that has failed or is restarted, on its own turn.
struct Failures {
  RestartBudget restarts;
  uint64_t restart_count = 0;
  Status deferred;  // of a handler that ended while others waited
  Failure thrown;   // under way from what was thrown to Fail()
  int start_count = 0;
  Time start_until{};          // of the first start, once it has failed
  Duration next_pause{};       // of the restart that has begun
  CellTimer* pause = nullptr;  // of a restart
};

struct ActorExtras {
  // Null: it has none.
  Family* FamilyIfAny() const;
  // As above, for good: from now on no child is added to one that is not there.
  Family* CloseFamily();

  // Anybody's.
  MadeOnce<Family> family;
  MadeOnce<Watchers> watchers;
  MadeOnce<const std::string> path;
  std::atomic<bool> to_be_suspended{false};
  // Written on the actor's turn, read by the root for eviction.
  std::atomic<bool> passivation_paused{false};
  std::atomic<Time::rep> last_active{0};  // to kActivityTouchEvery
  std::atomic<uint64_t> handled{0};       // messages, since the spawn

  // Constant after the spawn.
  Supervisor supervisor;
  int start_tries = 0;
  Duration start_timeout{};
  Duration passivate_after{};
  uint64_t passivate_after_messages = 0;
  std::shared_ptr<const Extensions> dependencies;
  std::unique_ptr<const std::function<void()>> on_stopped;  // the root's
  std::unique_ptr<SideMail> side_mail;

  // The actor's turn alone. What has a pointer of its own is made when first needed.
  std::unique_ptr<ActorTimers> timers;
  StateStack states;
  std::shared_ptr<Pipes> pipes;
  std::unique_ptr<Failures> failures;
  CellTimer* idle = nullptr;  // passivation; of the root: the next eviction
  std::unique_ptr<CellsById> watching;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_ACTOR_EXTRAS_H_
