// Tell and Ask, once a template has put the message into an envelope.

#include <string>
#include <utility>

#include <absl/strings/str_cat.h>

#include "actor/answer_wait.h"
#include "actor/call_chain.h"
#include "actor/dead_letters.h"
#include "actor/mailbox_cell.h"
#include "actor/reentry.h"
#include "actor/turn.h"
#include "mailbox/envelope_extra.h"
#include "mailbox/thread_blocks.h"
#include "quern/runtime/internal/cell.h"
#include "quern/runtime/limits.h"
#include "scheduler/thread_spin.h"
#include "scheduler/waiter.h"
#include "scheduler/worker.h"
#include "system/system_core.h"

namespace quern::internal {
namespace {

class WaiterCompletion final : public Completion {
 public:
  explicit WaiterCompletion(SystemCore* core) : waiter_(core) {}
  void Done() override { waiter_.Wake(); }
  Waiter& waiter() { return waiter_; }

 private:
  Waiter waiter_;
};

// The chain that nested handlers see: this turn's actor behind those that wait for it.
CallChain& InnerChain(Turn& turn, bool open) {
  if (turn.inner_chain != nullptr && turn.inner_chain->open() != open) {
    CallChain::Release(std::exchange(turn.inner_chain, nullptr));
  }
  if (turn.inner_chain == nullptr) {
    turn.inner_chain = CallChain::Local(turn.cell, AskersOf(turn), open);
  }
  return *turn.inner_chain;
}

[[gnu::cold]] Status ChainTooLong(const Cell& target) {
  return absl::ResourceExhaustedError(absl::StrCat("ask ", target.Path(), ": ", kCallChainMax,
                                                   " asks wait on one another already"));
}

// What a handler adds to an ask: the chain, and its slot among those in flight.
Status AddAsker(Turn& turn, const Cell& target, Envelope* envelope, bool open) {
  if (turn.piped) return absl::OkStatus();  // its actor does not wait
  CallChain& chain = InnerChain(turn, open);
  if (chain.depth() > kCallChainMax) return ChainTooLong(target);
  chain.AddRef();
  envelope->ask().chain = &chain;
  return TakeAskSlot(turn, target);
}

// What awaits the answer to one ask, and where it goes.
void Send(Envelope* envelope, void* slot, WaiterCompletion* completion, Cell& target) {
  envelope->ask().slot = slot;
  envelope->ask().completion = completion;
  target.Post(envelope);
}

// None came in time, unless it is being written: true.
[[gnu::cold]] bool GiveUp(Turn* turn, Envelope* envelope, Waiter& waiter, const AnswerWait& wait,
                          Waiter::Outcome outcome, Status* status) {
  const Time deadline = envelope->ask().deadline;
  const bool timed_out = outcome == Waiter::Outcome::kTimedOut;
  const TimeoutCause cause = CauseOf(wait);
  Status why = timed_out ? TimeoutError(turn, wait, deadline) : CancelledError(turn, *wait.target);
  if (AbandonAsk(envelope)) {
    if (timed_out) wait.target->system_core()->asks().TimedOut(cause);
    *status = std::move(why);
    return false;
  }
  waiter.Wait();  // the reply is being written this very moment
  return true;
}

// False: none came in time.
bool AwaitAnswer(Turn* turn, Envelope* envelope, Waiter& waiter, const AnswerWait& wait,
                 Status* status) {
  const Waiter::Outcome outcome = WaitForAnswer(turn, waiter, envelope->ask().deadline, wait);
  return outcome == Waiter::Outcome::kWoken ||
         GiveUp(turn, envelope, waiter, wait, outcome, status);
}

bool SendFromHandler(Turn& turn, Envelope* envelope, void* slot, const AnswerWait& wait,
                     Status* status) {
  Cell& cell = *wait.target;
  WaiterCompletion completion(cell.system_core());
  Send(envelope, slot, &completion, cell);
  // An asker further up may have begun to await this one while it was posted.
  if (turn.inner_chain != nullptr && turn.inner_chain->has_links() &&
      turn.inner_chain->Contains(cell) && AbandonAsk(envelope)) {
    *status = CycleError(*turn.inner_chain, cell.Path());
    return false;
  }
  if (!AwaitAnswer(&turn, envelope, completion.waiter(), wait, status)) return false;
  ReleaseAsker(envelope);
  return true;
}

// Workers free what a thread sends: some of it comes back to it here.
void TakeBlocksBack(const Cell& cell) {
  ThreadBlocks::Refill(cell.system_core()->scheduler().depot());
}

// No worker counts for it.
bool SendFromThread(Envelope* envelope, void* slot, const AnswerWait& wait, Status* status) {
  SystemCore& core = *wait.target->system_core();
  core.asks().Begun();
  WaiterCompletion completion(&core);
  ThreadSpin spin(core.scheduler());
  Send(envelope, slot, &completion, *wait.target);
  bool answered = spin.Until([&completion] { return completion.waiter().woken_thread(); });
  if (!answered) {
    answered = AwaitAnswer(nullptr, envelope, completion.waiter(), wait, status);
    spin.Waited(core.clock().Now() - wait.since);
  }
  if (answered) ReleaseAsker(envelope);
  core.asks().Ended();
  TakeBlocksBack(*wait.target);
  return answered;
}

// From outside of a turn, or nowhere.
[[gnu::noinline]] Delivery PostRareTell(Cell* cell, Envelope* envelope) {
  if (cell == nullptr) {
    DropEnvelope(envelope, absl::NotFoundError("tell on an empty Ref"));
    return Delivery::kStopped;
  }
  const Delivery delivery = cell->Post(envelope);
  if (Worker::Current() == nullptr) TakeBlocksBack(*cell);
  return delivery;
}

}  // namespace

Delivery PostTell(Cell* cell, Envelope* envelope) {
  Worker* worker = Worker::Current();
  const Turn* turn = worker == nullptr ? nullptr : worker->turn();
  if (turn == nullptr || cell == nullptr) [[unlikely]] {
    return PostRareTell(cell, envelope);
  }
  envelope->sender_id = turn->cell_id;
  return worker->tells().Tell(cell, envelope);
}

bool AskAndWait(Cell* cell, Envelope* envelope, void* slot, const AskOptions& options,
                Status* status) {
  // The asker's side of the envelope is given up on every path that leaves before it was posted.
  auto refuse = [&](Status why) {
    RefuseAsk(envelope);
    *status = std::move(why);
    return false;
  };
  if (cell == nullptr) return refuse(absl::NotFoundError("ask on an empty Ref"));
  Turn* turn = CurrentTurn();
  AnswerWait wait{.target = cell, .signature = envelope->signature, .asked = envelope};
  Status ready = PrepareAsk(turn, *cell, envelope, options.timeout, &wait.since);
  if (ready.ok() && turn != nullptr) {
    const StatusOr<bool> open = IsOpen(turn, options.reentrancy);
    wait.open = open.ok() && *open;
    ready = open.ok() ? AddAsker(*turn, *cell, envelope, *open) : open.status();
  }
  if (!ready.ok()) return refuse(std::move(ready));
  if (turn == nullptr) return SendFromThread(envelope, slot, wait, status);
  WorkerCounts& counts = turn->worker->counts();
  counts.AskBegun();
  const bool answered = SendFromHandler(*turn, envelope, slot, wait, status);
  counts.AskEnded();
  if (!turn->piped) {
    if (Reentry* counted = turn->cell->reentry(); counted != nullptr) counted->LeaveSlot();
  }
  return answered;
}

void ReportFailedTell(const Envelope& envelope, const Status& status) {
  Turn* turn = CurrentTurn();
  if (turn == nullptr) return;
  turn->cell->OnReturnedError(*turn, status);
  turn->cell->core().dead_letters().Add({.reason = DeadLetterReason::kFailed,
                                         .target = turn->cell->Path(),
                                         .message = envelope.signature->message_name,
                                         .sender_id = SenderIdOf(envelope),
                                         .why = std::string(status.message())});
}

}  // namespace quern::internal
