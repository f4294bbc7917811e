// What an actor's idleness and its count of messages lead to.

#include <utility>

#include "actor/actor_cell.h"
#include "actor/turn.h"
#include "mailbox/stash.h"
#include "quern/runtime/event_stream.h"
#include "quern/runtime/lifecycle_events.h"
#include "quern/runtime/limits.h"
#include "scheduler/worker.h"

namespace quern::internal {

After ActorCell::AfterMessage(Turn& turn) {
  ActorExtras& mine = extras();
  had_message_ = true;
  const uint64_t handled = mine.handled.load(std::memory_order_relaxed) + 1;
  mine.handled.store(handled, std::memory_order_relaxed);
  if (mine.failures != nullptr) {
    const Status returned = std::exchange(mine.failures->thrown.status, absl::OkStatus());
    if (!returned.ok()) return FailWhenAlone(turn, returned);
  }
  if (mine.passivate_after_messages == 0 || handled < mine.passivate_after_messages ||
      mine.passivation_paused || StopRequested() || HasAwayTurns()) {
    return After::kGoOn;
  }
  Publish<ActorPassivated>(turn);
  return BeginStop(turn);
}

// At the end of a turn with a message, of an actor that is passivated.
void ActorCell::NoteUse(Turn& turn) {
  ActorExtras& mine = extras();
  const Time now = turn.worker->FreshNow();
  if (now.time_since_epoch().count() == mine.last_active && mine.idle != nullptr) {
    had_message_ = false;  // noted at this very time
    return;
  }
  const bool armed = mine.idle != nullptr || mine.passivate_after == Duration::zero();
  // A touch that is left out stays in `had_message_`, and Idle() allows for it.
  if (armed && now.time_since_epoch().count() - mine.last_active < kActivityTouchEvery.count()) {
    return;
  }
  had_message_ = false;
  mine.last_active = now.time_since_epoch().count();
  if (!armed && !mine.passivation_paused) ArmIdle(turn, now + mine.passivate_after);
}

void ActorCell::ArmIdle(Turn& turn, Time due) {
  extras().idle = CellTimer::Arm(*turn.worker, due, CellPtr<MailboxCell>::Share(this), kIdleSignal);
}

void ActorCell::RetireIdle() {
  ActorExtras* have = extras_if_any();
  if (have != nullptr && have->idle != nullptr) std::exchange(have->idle, nullptr)->Retire();
}

bool ActorCell::Idle(Turn& turn) {
  ActorExtras& mine = extras();
  RetireIdle();
  if (mine.passivation_paused) return false;
  const Stash* stashed = stash();
  if (HasMessages() || (stashed != nullptr && stashed->size() != 0)) {
    had_message_ = true;  // armed again at the end of this turn
    return false;
  }
  if (had_message_) mine.last_active += kActivityTouchEvery.count();
  had_message_ = false;
  const Time due = Time(Duration(mine.last_active)) + mine.passivate_after;
  if (Now(turn) >= due) return true;
  ArmIdle(turn, due);
  return false;
}

void ActorCell::PausePassivation(bool pause) {
  extras().passivation_paused = pause;
  RetireIdle();
  had_message_ = after_message_;  // idleness counts from here
}

After ActorCell::Evicted(Turn& turn) {
  if (factory_ == nullptr) {
    ChooseVictims(turn);
    return After::kGoOn;
  }
  // What it was chosen for may have changed.
  if (state_ != State::kRunning || extras().passivation_paused || HasMessages() ||
      !LivingChildren().empty()) {
    return After::kGoOn;
  }
  Publish<ActorEvicted>(turn);
  return BeginStop(turn);
}

}  // namespace quern::internal
