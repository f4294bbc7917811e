// What asks have in common, awaited at once or later: the checks before one is sent, the wait for
// its answer, and the errors. A turn that waits for an answer points to an AnswerWait on its stack,
// by which a time-out elsewhere tells who waits for whom.

#ifndef QUERN_RUNTIME_SRC_ACTOR_ANSWER_WAIT_H_
#define QUERN_RUNTIME_SRC_ACTOR_ANSWER_WAIT_H_

#include <optional>

#include "actor/call_chain.h"
#include "actor/mailbox_cell.h"
#include "actor/turn.h"
#include "quern/runtime/clock.h"
#include "quern/runtime/internal/cell.h"
#include "quern/runtime/internal/envelope.h"
#include "quern/runtime/reentrancy.h"
#include "quern/runtime/status.h"
#include "scheduler/waiter.h"

namespace quern::internal {

struct AnswerWait {
  Cell* target = nullptr;
  const Signature* signature = nullptr;  // of what was asked
  Envelope* asked = nullptr;  // the asker's side of it is still held; null: one of several
  Time since{};
  bool open = false;  // other handlers of the asker run meanwhile
};

// Gives up the asker's side of an envelope that is not sent.
void RefuseAsk(Envelope* envelope);

// A handler waits, not a hook and not a fiber of a group: there others of its actor never run.
bool MayBeOpen(const Turn& turn);

// Whether other handlers of the asker run while it waits. FAILED_PRECONDITION: it is kOff.
StatusOr<bool> IsOpenReentrant(Turn* turn, std::optional<Reentrancy> asked_for);
inline StatusOr<bool> IsOpen(Turn* turn, std::optional<Reentrancy> asked_for) {
  const bool never = !asked_for.has_value() && turn != nullptr &&
                     (turn->piped || turn->cell->reentry() == nullptr);
  return never ? false : IsOpenReentrant(turn, asked_for);
}

// Counts an ask of the turn's actor, if those are bounded; RESOURCE_EXHAUSTED. Who takes a slot
// gives it back through MailboxCell::reentry().
Status TakeCountedSlot(Turn& turn, const Cell& target);
inline Status TakeAskSlot(Turn& turn, const Cell& target) {
  return turn.cell->reentry() == nullptr ? absl::OkStatus() : TakeCountedSlot(turn, target);
}

// Whether `envelope` may be sent to `target` now, its deadline and its sender. INVALID_ARGUMENT the
// timeout is not positive; CANCELLED; UNAVAILABLE; DEADLINE_EXCEEDED. `turn` null: a plain thread.
Status PrepareAsk(Turn* turn, Cell& target, Envelope* envelope, Duration timeout, Time* now);

// Who waits for what the turn handles; null: nobody, or it is not known. Not counted.
CallChain* AskersOf(const Turn& turn);

// Parks until the answer, the deadline or the asker's stop.
inline Waiter::Outcome WaitForAnswer(Turn* turn, Waiter& waiter, Time deadline,
                                     const AnswerWait& wait) {
  if (turn == nullptr) return waiter.Wait(deadline, /*cancellable=*/true);
  waiter.NoteAsk(&wait);
  turn->wait = &wait;
  const bool shared = !turn->piped && turn->cell->takes_turns();
  const bool holds = shared && turn->cell->BeginAnswerWait(*turn, wait.open);
  const Waiter::Outcome outcome = waiter.Wait(deadline, /*cancellable=*/true);
  if (shared) turn->cell->EndAnswerWait(holds);
  turn->wait = nullptr;
  waiter.NoteAsk(nullptr);
  return outcome;
}

// DEADLINE_EXCEEDED: who waited for whom, in which handler, for how long. Never suspends.
Status TimeoutError(const Turn* turn, const AnswerWait& wait, Time now);
Status CancelledError(const Turn* turn, const Cell& target);

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_ANSWER_WAIT_H_
