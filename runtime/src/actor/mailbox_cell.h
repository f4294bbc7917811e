// A cell that runs: mailbox, signals and the turn. ActorCell and the activation of a grain derive
// from it and say what a message and a signal mean.
//
// Everything that happens to the thing inside happens on its own turn: at most one turn of a cell
// runs at a time, on whichever worker scheduled it, and a turn that suspends stays on its fiber and
// worker until it ends. Order inside a turn: signals, then messages; at most kTurnMessagesMax
// messages or kTurnTimeMax, then the cell goes to the back of the queue.
//
//   Post(envelope)     a message; thread-safe
//   Signal(bits)       idempotent bits, no memory: stop, child gone, ...; thread-safe
//
// Lifetime: the cell must be held (by its parent's table, by the grain host) until its turn has
// called Close() and OnSignals/OnMessage has returned kEnded; the turn touches nothing of it
// afterwards. Refs may hold it longer: a closed cell answers by itself.

#ifndef QUERN_RUNTIME_SRC_ACTOR_MAILBOX_CELL_H_
#define QUERN_RUNTIME_SRC_ACTOR_MAILBOX_CELL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actor/turn.h"
#include "mailbox/envelope_extra.h"
#include "mailbox/mailbox.h"
#include "quern/runtime/dead_letter.h"
#include "quern/runtime/internal/cell.h"
#include "quern/runtime/internal/handler_table.h"
#include "quern/runtime/limits.h"

namespace quern::internal {

class ActorTimers;
class ChosenMailbox;
class Stash;
class SystemCore;
class Worker;
struct Reentry;
struct SideMail;

// A handler that waits, as seen from another thread.
struct ParkedAsk {
  std::string_view message;         // that it handles; empty in a hook
  CellPtr<Cell> target;             // whose answer it waits for; null: something else
  const Envelope* asked = nullptr;  // what it asked: to compare, it may be gone
  std::string_view asked_name;
  Time begun = kNever;  // when that was begun; kNever: not yet
  Time since{};
};

// What the turn does next.
enum class After : uint8_t {
  kGoOn,
  kEnded,  // the cell has been closed; the turn leaves and touches it no more
};

class MailboxCell : public Cell {
 public:
  // Bits of Signal(); the low 16 are the runtime's, the others free for each kind of cell.
  static constexpr uint32_t kStopSignal = 1;   // cancels a parked, cancellable wait at once
  static constexpr uint32_t kTimerSignal = 2;  // a timer is due, or a tick has ended
  static constexpr uint32_t kCountSignal = 4;  // somebody wants to know what waits
  static constexpr uint32_t kOwnSignals = 1u << 16;

  // A closed cell: kStopped, an ask is answered UNAVAILABLE, a tell dead-lettered. No room in a
  // chosen mailbox: kFull, RESOURCE_EXHAUSTED, dead-lettered too. An ask whose call chain already
  // holds this cell can never be answered: kStopped, FAILED_PRECONDITION, ask_cycle.
  Delivery Post(Envelope* envelope) final;

  void PostChain(MailboxNode* first, MailboxNode* last) final;
  // A message goes straight into the mailbox, for now.
  bool TakesChains() const final { return gate_.load(std::memory_order_acquire) == 0; }

  // A tell of the runtime's own, which no bound of a chosen mailbox may refuse. A closed cell drops
  // it in silence. Thread-safe.
  void PostPastBounds(Envelope* envelope);

  // Sets `bits` and sees that a turn looks at them. Nothing on a closed cell.
  void Signal(uint32_t bits);

  // On the cell's own turn. Null: there are none, or with `make`: it is on its way out.
  virtual ActorTimers* Timers(bool make) {
    (void)make;
    return nullptr;
  }

  // Messages that wait, wherever, `max` at most. On the own turn, or on its worker while
  // that turn is suspended.
  size_t CountQueued(size_t max = kMailboxCountMax) const;
  // Their types, the next one first; those of a chosen mailbox are not shown.
  std::vector<std::string_view> QueuedNames() const;
  // The same for a cell that is idle. Empty: only its own turn knows. Thread-safe.
  std::optional<size_t> CountIfIdle() const;
  // Asks for MailboxCensus::Report() on the own turn. False: it is closed. Thread-safe.
  bool SignalToCount();

  // Groups the metrics; lasts as long as the system.
  virtual std::string_view ClassName() const { return "(grains)"; }

  // A handler is suspended in a wait that a stop would cancel.
  bool waiting() const { return parked_worker() != nullptr; }

  bool closed() const { return (gate_.load(std::memory_order_acquire) & kClosed) != 0; }

  // False: no handler waits. Thread-safe.
  // Of several it is the one that handles `asked`, if there is one.
  bool LookAtParked(ParkedAsk* seen, const Envelope* asked) const;

  // Answers every queued ask whose asker waits for this cell. On the cell's own turn. (A chosen
  // mailbox is not looked through: there such asks time out.)
  void FailQueuedCycles();

  // Around a wait for an answer, of a cell that takes turns, on its own turn: others of its
  // handlers run meanwhile (`open`), or what has not begun is held back. What Begin returns goes to
  // End.
  bool takes_turns() const { return (elsewhere_ & kShared) != 0; }
  bool BeginAnswerWait(Turn& turn, bool open);
  void EndAnswerWait(bool holds);

  // Null: neither reentrant nor counted. On the cell's own turn; the count is thread-safe.
  Reentry* reentry() { return (elsewhere_ & kCounted) == 0 ? nullptr : CountedAsks(); }
  // Of a cell that has one. Thread-safe, and so is the count in it.
  Reentry* CountedAsks();

  // Null: the default mailbox. Thread-safe.
  const ChosenMailbox* chosen_mailbox() const;
  bool StopRequested() const {
    return (signals_.load(std::memory_order_relaxed) & kStopSignal) != 0;
  }

  // Null: it has none. On the cell's own turn.
  Stash* stash();
  // Puts so many stashed messages, the oldest first, behind what stands in front of the mailbox.
  // How many there were. On the cell's own turn.
  size_t ReturnStash(size_t count);

  SystemCore& core() const { return *core_; }
  SystemCore* system_core() const override { return core_; }

  // A handler has answered a tell with an error, which nobody sees. On the cell's own turn.
  virtual void OnReturnedError(Turn&, const Status&) {}

  // One turn, on a runner fiber of `worker`. The scheduler calls it. Each kind: TurnOf(*this, ...).
  virtual void RunTurn(Worker& worker) = 0;

 protected:
  // Not scheduled yet. The kind sees to it that `core` lives as long. The first turn comes from
  // Start(), before which no Ref may get out.
  MailboxCell(SystemCore* core, uint64_t id);
  ~MailboxCell() override;

  // Of a closed cell, which no run queue will ever have again: its owner may link such cells.
  MailboxCell* next_closed() const { return run_next_; }
  void SetNextClosed(MailboxCell* next) { run_next_ = next; }

  // Before Start(): sets a bit for the first turn.
  void MarkSignal(uint32_t bits) { signals_.fetch_or(bits, std::memory_order_relaxed); }

  // Schedules the first turn. Called once.
  void Start();

  enum class TurnEnd : uint8_t { kGone, kBudgetUsed };

  // Of a turn that is measured. Each kind: MessageLoop(*this, ...).
  virtual TurnEnd RunMessages(Turn& turn, int clock_mask) = 0;

  // message_loop.h
  template <typename Kind>
  void TurnOf(Kind& self, Worker& worker);
  template <typename Kind>
  TurnEnd MessageLoop(Kind& self, Turn& turn, int clock_mask);

  // On the cell's own turn. `bits` have been cleared. OnSignals comes before anything else.
  virtual After OnSignals(Turn& turn, uint32_t bits) = 0;

  // Must end the envelope (RunMessage, DropEnvelope) or take it out of the mailbox (Detach) before
  // it returns. May suspend.
  virtual After OnMessage(Turn& turn, Envelope* envelope) = 0;

  // After the last message of a turn, before the cell goes idle or yields.
  virtual void OnTurnEnd(Turn&) {}

  // What a handler or hook threw, while the turn still knows its message. On the cell's own turn.
  virtual void OnThrown(Turn&, const std::exception_ptr&) {}

  // Whether a message whose handler threw `why` is to be handled again; if so, it has been put
  // back. On the cell's own turn.
  virtual bool KeepsForRetry(Turn&, Envelope*, const Status& why) {
    (void)why;
    return false;
  }

  // Whether messages may be popped now: while false (a restart's backoff, a stop that waits for
  // children, a fence) they stay in the mailbox, signals are still seen. When it turns true
  // outside the cell's own turn, Signal() the cell.
  virtual bool Accepting() const { return true; }

  // Takes the envelope that OnMessage was given out of the mailbox: to keep it, or to post it to
  // another cell.
  Envelope* Detach(Turn& turn, Envelope* envelope);

  // Puts a detached envelope ahead of everything that waits: the last one put there runs first. It
  // counts against no capacity. On the cell's own turn.
  void PushFront(Envelope* envelope);

  // Where the messages wait from now on; before Start(). Null: the default.
  void SetChosenMailbox(std::unique_ptr<ChosenMailbox> mailbox);

  // Before Start(). 0: none.
  void SetStash(size_t capacity);

  // Before Start(). OnSignals gets the bits in `at_once` also while others of its handlers wait.
  void SetReentry(std::unique_ptr<Reentry> reentry, uint32_t at_once = kTimerSignal);

  // On the cell's own turn, which wants to end or change the object. True: other handlers have not
  // ended yet, and OnSignals gets `bit` once they have.
  bool DeferUntilAlone(uint32_t bit);
  // The same, and they are cancelled.
  bool DeferEnd(uint32_t bit);

  // Of a cell that takes turns: takes the message out of the mailbox, for Close() alone, which sees
  // such messages first. On the cell's own turn.
  void SetAside(Turn& turn, Envelope* envelope);
  std::vector<Envelope*> TakeAsideFrom(uint64_t sender_id);
  size_t CountAside() const;

  // What handlers that wait were asked is answered with `why`. On the cell's own turn.
  void FailParkedAsks(const Status& why);

  // On the cell's own turn: others of its handlers, or this one, wait while messages go on.
  bool HasAwayTurns();

  // Kept by the kind of cell among what few have; always the same once it was made. Null when there
  // is none and `make` is false.
  virtual SideMail* side_mail(bool make) = 0;

  // What a handler threw (UNKNOWN, with its what()). Null: nothing.
  using Failed = std::unique_ptr<const Status>;

  // Begins a handler, runs `thunk` on `self`, answers and ends the envelope. An exception of the
  // handler comes back after the ask was answered with it. An ask whose deadline has passed is not
  // run. What the handler answers is no failure here.
  Failed RunMessage(Turn& turn, Envelope* envelope, Thunk thunk, void* self);  // message_loop.h

  // Runs `fn` as the body of OnStart and the like: deadline none, exceptions become a Status.
  Status RunGuarded(Turn& turn, const std::function<Status(Context&)>& fn);

  // Tells what is due of Timers(). An exception of a message's copy constructor becomes a Status.
  Status FireTimers(Turn& turn);

  // No further message is accepted: what is queued is refused (asks answered UNAVAILABLE, tells
  // dead-lettered), or handed to `sink` in order, each an envelope of its own (a grain's messages
  // are routed again). Latecomers are refused. On the cell's own turn, once; the caller then
  // returns kEnded.
  void Close(Turn& turn, const std::function<void(Envelope*)>& sink = nullptr);

  // As closed(), in one order with other such accesses: whoever first publishes something and then
  // finds the cell open may be sure that the cell, once closed, sees what was published.
  bool ClosedInOrder() const { return (gate_.load(std::memory_order_seq_cst) & kClosed) != 0; }

  // Messages are waiting. On the cell's own turn.
  bool HasMessages() const;

  // Post() without a look at who asks whom.
  Delivery Put(Envelope* envelope);

  // Ends the envelope as one that nobody here handles: a dead letter, an ask FAILED_PRECONDITION.
  void RefuseUnhandled(Envelope* envelope);

 private:
  friend class CellList;
  friend class StepSabotage;
  friend class Waiter;

  static constexpr uint16_t kLookedAt = 1;  // of parked_worker_
  // Bits of gate_.
  static constexpr uint8_t kClosed = 1;
  static constexpr uint8_t kChosen = 2;  // constant from Start() on
  // The turn ended with messages left (not Accepting()): the next signal schedules the cell.
  static constexpr uint8_t kDormant = 4;
  static constexpr uint8_t kTakesTurns = 8;  // constant from Start() on
  static constexpr uint8_t kTimed = 16;      // the next message is stamped with its arrival
  // Bits of elsewhere_: where messages may wait but in mailbox_.
  static constexpr uint8_t kInFront = 1;
  static constexpr uint8_t kInChosen = 2;
  // And what else few cells have.
  static constexpr uint8_t kCounted = 4;  // a Reentry
  static constexpr uint8_t kShared = 8;   // several turns

  TurnEnd RunSampled(Turn& turn);
  // False: the asker has given up, and the envelope has been ended.
  bool BeginAsk(Turn& turn, Envelope* envelope);
  void DropLateAsk(Envelope* envelope);
  // Its handler has thrown.
  Failed EndThrown(Turn& turn, Envelope* envelope, std::unique_ptr<std::exception_ptr> thrown);
  void NoteWait(Turn& turn, Time since);
  bool LeaveWaiting();
  void EndNudge(Turn& turn, const Envelope& nudge);
  // Looks at the clock, after so many messages of the turn, which began at `started`; more seldom
  // while they are quick.
  bool BudgetUsed(Turn& turn, int handled, Time* started, int* clock_mask);
  After RunSignals(Turn& turn);
  template <typename F>
  void ForEachQueued(F f) const;
  void Schedule();
  void PushNode(MailboxNode* node);
  void PushStamped(Envelope* envelope);
  bool TakeTimed();
  void Wake();  // message_loop.h
  void WakeAtGate();
  Delivery PostAsk(Envelope* envelope);
  Delivery PutInline(Envelope* envelope);
  Delivery WakeForMessage();
  Delivery PostAtGate(Envelope* envelope);
  bool LeaveDormant();
  Envelope* TakeElsewhere(Turn& turn);
  void Refuse(Envelope* envelope);
  void Drop(Envelope* envelope, DeadLetterReason reason);
  // A handler has put its message aside, and returned or thrown.
  void Settle(Turn& turn, Envelope* envelope);
  void TakeBack(Turn& turn, Envelope* envelope);
  void DrainClosed();
  void CloseElsewhere(const std::function<void(Envelope*)>& sink);
  void FreeSpent(MailboxNode* spent) {
    if (spent != nullptr) ReleaseBlock(static_cast<Envelope*>(spent));
  }
  void FreeSpentOn(Worker& worker, MailboxNode* spent);  // message_loop.h
  void FreeSpent(Turn& turn) { FreeSpent(std::exchange(turn.spent, nullptr)); }
  // Around a cancellable wait of the turn; false: the actor has been asked to stop, do not wait.
  bool BeginPark(Turn& turn, Waiter* waiter);
  void EndPark(Turn& turn);
  void LockPark();
  const Turn* TurnToLookAt(const Envelope* asked) const;
  // Several turns (reentry.cc).
  bool HeldBack();
  uint32_t SiftSignals(uint32_t bits);
  void EndAway(Turn& turn);
  bool ParkShared(Turn& turn);
  void UnparkShared(Turn& turn);
  void UnlockShared(Worker* worker);
  void CancelShared();
  void ScheduleOn(Worker& worker);
  void Nudge();
  Worker* parked_worker() const {
    const uint16_t mark = parked_worker_.load(std::memory_order_seq_cst);
    return mark < kLookedAt + 1 ? nullptr : WorkerOf(mark);
  }
  static constexpr uint16_t Looked(uint16_t mark) {
    return static_cast<uint16_t>(mark | kLookedAt);
  }
  static constexpr uint16_t Unlooked(uint16_t mark) {
    return static_cast<uint16_t>(mark & ~kLookedAt);
  }
  // As parked_worker_ has it.
  static uint16_t MarkOf(const Worker& worker);
  Worker* WorkerOf(uint16_t mark) const;
  void CancelParkedWait();

  // Ordered for size: the first fills the tail of Cell, the last leave theirs to the kinds.
  std::atomic<uint32_t> signals_{0};
  SystemCore* const core_;
  Mailbox mailbox_;
  union {
    MailboxCell* run_next_ = nullptr;  // in a run queue
    Turn* parked_turn_;                // while parked_worker_ is set: of that worker
  };
  // Where the turn that is suspended in a cancellable wait lives: twice the worker's number,
  // counted from 1; 0 otherwise. The lowest bit is set while another thread looks at it, and keeps
  // it from going on.
  mutable std::atomic<uint16_t> parked_worker_{0};
  std::atomic<uint8_t> gate_{0};  // 0: a message goes straight into mailbox_
  uint8_t elsewhere_ = 0;         // the cell's turn only
};

// UNKNOWN with the text of what was thrown. Called outside of the catch block.
Status DescribeException(const std::exception_ptr& thrown, std::string_view what_ran);

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_MAILBOX_CELL_H_
