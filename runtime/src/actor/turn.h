// One run of an actor (or activation) on a runner fiber: what Ask, Context and the sender's stamp
// look at. It stands on the runner's stack; the worker's `turn` points to the one that runs now and
// follows every fiber switch (WorkerAlgorithm::pick_next).

#ifndef QUERN_RUNTIME_SRC_ACTOR_TURN_H_
#define QUERN_RUNTIME_SRC_ACTOR_TURN_H_

#include <cstdint>

#include "quern/runtime/clock.h"
#include "quern/runtime/internal/cell.h"

namespace quern::internal {

struct AnswerWait;
class CallChain;
class MailboxCell;
class Waiter;
class Worker;

// What becomes of a message once its handler has returned.
enum class Fate : uint8_t { kFinish, kStash, kForward, kUnhandled };

struct Turn {
  MailboxCell* cell = nullptr;
  uint64_t cell_id = 0;  // its id: the cell's own memory may be in another core's cache
  Worker* worker = nullptr;
  Envelope* envelope = nullptr;      // being handled; null in OnStart, OnStop, tasks
  Time deadline = kNever;            // of the ask being handled: nested asks shrink to it
  CallChain* inner_chain = nullptr;  // made by the first ask of this handler; counted
  const AnswerWait* wait = nullptr;  // for an answer, while it lasts
  Waiter* parked_on = nullptr;       // a cancellable wait of this turn
  bool consuming = true;             // the mailbox; false: others of its cell run beside it
  bool cancellable = true;           // false in OnStop, which may still ask
  bool cancelled = false;            // its actor has been asked to stop while a handler runs
  bool in_group = false;             // a FiberGroup's share of another turn, which cancels it
  bool over = false;                 // `cell` may be gone: signal handlers leave it alone
  bool piped = false;                // beside the turns: what it asks holds up nobody
  Fate fate = Fate::kFinish;         // of `envelope`
  Cell* forward_to = nullptr;        // kForward: counted
  // The cell under construction: its Actor base picks it up.
  MailboxCell* constructing = nullptr;
  MailboxNode* spent = nullptr;  // freed after the message that replaced it as the mailbox's stub
};

// The running turn, or null: on a plain thread, or on a worker outside a turn.
Turn* CurrentTurn();

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_TURN_H_
