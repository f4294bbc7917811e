// Tell and Ask, once a template has put the message into an envelope.

#include <chrono>
#include <string>
#include <utility>

#include <absl/strings/str_cat.h>

#include "actor/call_chain.h"
#include "actor/dead_letters.h"
#include "actor/mailbox_cell.h"
#include "actor/turn.h"
#include "mailbox/envelope_extra.h"
#include "quern/runtime/internal/cell.h"
#include "quern/runtime/limits.h"
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

std::string AskerName(const Turn* turn) {
  return turn == nullptr ? "a thread" : turn->cell->Path();
}

Status TimeoutError(const Turn* turn, const Cell& cell, const Signature& signature,
                    Duration waited) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(waited).count();
  std::string in;
  if (turn != nullptr && turn->envelope != nullptr) {
    in = absl::StrCat(" (in its handler of ",
                      absl::string_view(turn->envelope->signature->message_name.data(),
                                        turn->envelope->signature->message_name.size()),
                      ")");
  }
  return absl::DeadlineExceededError(absl::StrCat(
      AskerName(turn), in, " waited ", ms, " ms for ", cell.Path(), " to answer ",
      absl::string_view(signature.message_name.data(), signature.message_name.size())));
}

Status CancelledError(const Turn* turn, const Cell& cell) {
  return WithReason(absl::CancelledError(absl::StrCat(AskerName(turn), " is stopping; its ask to ",
                                                      cell.Path(), " may or may not run")),
                    Reason::kCancelled);
}

// The chain that nested handlers see: this turn's actor behind those that wait for it.
CallChain* InnerChain(Turn& turn) {
  if (turn.inner_chain == nullptr) {
    CallChain* outer =
        turn.envelope != nullptr && turn.envelope->is_ask() ? turn.envelope->ask().chain : nullptr;
    turn.inner_chain = CallChain::Local(turn.cell, outer);
  }
  return turn.inner_chain;
}

Status PrepareAsk(Turn* turn, Cell& cell, Envelope* envelope, Time deadline) {
  AskBlock& ask = envelope->ask();
  ask.deadline = deadline;
  if (turn == nullptr) return absl::OkStatus();
  envelope->sender_id = turn->cell->id();
  if (turn->piped) return absl::OkStatus();
  CallChain* chain = InnerChain(*turn);
  if (chain->depth() > kCallChainMax) {
    return absl::ResourceExhaustedError(absl::StrCat("ask ", cell.Path(), ": ", kCallChainMax,
                                                     " asks wait on one another already"));
  }
  chain->AddRef();
  ask.chain = chain;
  return absl::OkStatus();
}

}  // namespace

Delivery PostTell(Cell* cell, Envelope* envelope) {
  if (cell == nullptr) {
    DropEnvelope(envelope, absl::NotFoundError("tell on an empty Ref"));
    return Delivery::kStopped;
  }
  const Turn* turn = CurrentTurn();
  if (turn != nullptr) envelope->sender_id = turn->cell->id();
  return cell->Post(envelope);
}

bool AskAndWait(Cell* cell, Envelope* envelope, void* slot, Duration timeout, Status* status) {
  // The asker's side of the envelope is given up on every path that leaves before it was posted.
  auto refuse = [&](Status why) {
    envelope->ask_state.store(Envelope::kClaimed | Envelope::kAskerGone, std::memory_order_relaxed);
    DropEnvelope(envelope, absl::OkStatus());
    *status = std::move(why);
    return false;
  };
  if (cell == nullptr) return refuse(absl::NotFoundError("ask on an empty Ref"));
  SystemCore* core = cell->system_core();
  if (core->stopped()) return refuse(absl::UnavailableError(cell->Path() + " has stopped"));

  Worker* worker = Worker::Current();
  Turn* turn = worker == nullptr ? nullptr : worker->turn();
  if (turn != nullptr && turn->cancelled && turn->cancellable) {
    return refuse(CancelledError(turn, *cell));
  }
  const Time now = worker == nullptr ? core->clock().Now() : worker->ReadClock();
  if (timeout == kDefaultTimeout) timeout = core->options().default_ask_timeout;
  Time deadline = timeout > kNever - now ? kNever : now + timeout;
  if (turn != nullptr) deadline = std::min(deadline, turn->deadline);
  const Signature& signature = *envelope->signature;
  if (deadline <= now) return refuse(TimeoutError(turn, *cell, signature, Duration::zero()));
  if (Status s = PrepareAsk(turn, *cell, envelope, deadline); !s.ok()) return refuse(std::move(s));

  WaiterCompletion completion(core);
  envelope->ask().slot = slot;
  envelope->ask().completion = &completion;
  cell->Post(envelope);

  const Waiter::Outcome outcome = completion.waiter().Wait(deadline, /*cancellable=*/true);
  if (outcome != Waiter::Outcome::kWoken && AbandonAsk(envelope)) {
    *status = outcome == Waiter::Outcome::kTimedOut
                  ? TimeoutError(turn, *cell, signature, deadline - now)
                  : CancelledError(turn, *cell);
    return false;
  }
  // Answered, or the reply is being written this very moment.
  if (outcome != Waiter::Outcome::kWoken) completion.waiter().Wait();
  ReleaseAsker(envelope);
  return true;
}

void ReportFailedTell(const Envelope& envelope, const Status& status) {
  const Turn* turn = CurrentTurn();
  if (turn == nullptr) return;
  turn->cell->core().dead_letters().Add({.reason = DeadLetterReason::kFailed,
                                         .target = turn->cell->Path(),
                                         .message = envelope.signature->message_name,
                                         .sender_id = SenderIdOf(envelope),
                                         .why = std::string(status.message())});
}

}  // namespace quern::internal
