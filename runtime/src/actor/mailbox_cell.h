// A cell that runs: mailbox, signals and the turn. ActorCell and the activation of a grain derive
// from it and say what a message and a signal mean.
//
// Everything that happens to the thing inside happens on its own turn: at most one turn of a cell
// runs at a time, on whichever worker scheduled it, and a turn that suspends stays on its fiber and
// worker until it ends. Order inside a turn: signals, then tasks, then messages; at most
// kTurnMessagesMax messages or kTurnTimeMax, then the cell goes to the back of the queue.
//
//   Post(envelope)     a message; thread-safe
//   Signal(bits)       idempotent bits, no memory: stop, child gone, ...; thread-safe
//   RunOnTurn(task)    a closure for the cell's own turn; thread-safe
//
// Lifetime: the cell must be held (by its parent's table, by the grain host) until its turn has
// called Close() and OnSignals/OnTask/OnMessage has returned kEnded; the turn touches nothing of it
// afterwards. Refs may hold it longer: a closed cell answers by itself.

#ifndef QUERN_RUNTIME_SRC_ACTOR_MAILBOX_CELL_H_
#define QUERN_RUNTIME_SRC_ACTOR_MAILBOX_CELL_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "actor/turn.h"
#include "mailbox/mailbox.h"
#include "quern/runtime/internal/cell.h"

namespace quern::internal {

class SystemCore;
class Worker;

// What the turn does next.
enum class After : uint8_t {
  kGoOn,
  kEnded,  // the cell has been closed; the turn leaves and touches it no more
};

class MailboxCell : public Cell {
 public:
  using Task = std::function<void(Turn&)>;

  // Bits of Signal(); the low 16 are the runtime's, the others free for each kind of cell.
  static constexpr uint32_t kStopSignal = 1;  // cancels a parked, cancellable wait at once
  static constexpr uint32_t kTaskSignal = 2;  // set by RunOnTurn
  static constexpr uint32_t kOwnSignals = 1u << 16;

  // A closed cell: kStopped, an ask is answered UNAVAILABLE, a tell dead-lettered. An ask whose
  // call chain already holds this cell can never be answered: FAILED_PRECONDITION, ask_cycle.
  Delivery Post(Envelope* envelope) override;

  // Sets `bits` and sees that a turn looks at them. Nothing on a closed cell.
  void Signal(uint32_t bits);

  // Runs `task` on the cell's own turn, before messages. False, and the task destroyed, when the
  // cell is closed; a task queued when it closes is destroyed unrun.
  bool RunOnTurn(Task task);

  bool closed() const { return closed_.load(std::memory_order_acquire); }
  SystemCore& core() const { return *core_; }

  // One turn, on a runner fiber of `worker`. The scheduler calls it.
  void RunTurn(Worker& worker);

 protected:
  // Not scheduled yet; holds a count of `core`. The first turn comes from Start(), before which no
  // Ref may get out.
  MailboxCell(SystemCore* core, uint64_t id);
  ~MailboxCell() override;

  // Schedules the first turn. Called once.
  void Start();

  // On the cell's own turn. `bits` have been cleared. OnSignals comes before anything else.
  virtual After OnSignals(Turn& turn, uint32_t bits) = 0;

  // Takes the envelope: runs it (RunMessage), keeps it, or drops it. May suspend.
  virtual After OnMessage(Turn& turn, Envelope* envelope) = 0;

  // After the last message of a turn, before the cell goes idle or yields.
  virtual void OnTurnEnd(Turn&) {}

  // Whether messages may be popped now: while false (a restart's backoff, a stop that waits for
  // children, a fence) they stay in the mailbox, signals and tasks still run. When it turns true
  // outside the cell's own turn, Signal() the cell.
  virtual bool Accepting() const { return true; }

  // Begins a handler, runs `thunk` on `self`, answers and ends the envelope. An exception of the
  // handler is caught outside of any suspension and returned as a Status (UNKNOWN, with its
  // what()); the ask is then answered with it. An ask whose deadline has passed is not run.
  Status RunMessage(Turn& turn, Envelope* envelope, void (*thunk)(void*, Envelope*, class Context&),
                    void* self);

  // Runs `fn` as the body of OnStart and the like: deadline none, exceptions become a Status.
  Status RunGuarded(Turn& turn, const std::function<Status(class Context&)>& fn);

  // No further message is accepted; what is queued is dropped with `why` (asks answered, tells
  // dead-lettered), tasks are destroyed. On the cell's own turn, once; the caller then returns
  // kEnded.
  void Close(Turn& turn, Status why);
  // As Close, but every queued message is handed to `sink` in order, with those that still come
  // while the call runs. (A grain's messages are routed again.) Latecomers are answered as by
  // Close.
  void CloseInto(Turn& turn, Status why, const std::function<void(Envelope*)>& sink);

  // Messages are waiting. On the cell's own turn.
  bool HasMessages() const { return !mailbox_.Empty(); }
  bool StopRequested() const {
    return (signals_.load(std::memory_order_relaxed) & kStopSignal) != 0;
  }

 private:
  friend class RunQueue;
  friend class Waiter;
  struct TaskNode {
    TaskNode* next;
    Task task;
  };

  void Schedule();
  void Nudge();
  After RunSignals(Turn& turn);
  After RunTasks(Turn& turn);
  void FreeSpent(MailboxNode* spent);
  void DrainClosed();
  void CancelParkedWait();

  SystemCore* const core_;
  MailboxNode first_stub_;
  Mailbox mailbox_;
  MailboxCell* run_next_ = nullptr;  // intrusive link of a run queue
  std::atomic<TaskNode*> tasks_{nullptr};
  // Where the turn that is suspended in a cancellable wait lives; null otherwise.
  std::atomic<Worker*> parked_worker_{nullptr};
  Turn* turn_ = nullptr;  // owner only: the turn that runs or is suspended
  std::atomic<uint32_t> signals_{0};
  std::atomic<bool> closed_{false};
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_MAILBOX_CELL_H_
