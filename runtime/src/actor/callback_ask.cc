#include "quern/runtime/internal/callback_ask.h"

#include <string>
#include <utility>

#include <absl/strings/str_cat.h>

#include "actor/answer_wait.h"
#include "actor/mailbox_cell.h"
#include "actor/turn.h"
#include "mailbox/envelope_extra.h"
#include "system/system_core.h"
#include "timer/worker_timer.h"

namespace quern::internal {
namespace {

std::string What(const Signature& signature, const Cell& cell) {
  const std::string_view message = signature.message_name;
  return absl::StrCat("ask ", cell.Path(), " for ",
                      absl::string_view(message.data(), message.size()));
}

}  // namespace

CallbackAsk::~CallbackAsk() {
  if (owns_envelope_) ReleaseAsker(envelope_);
}

void CallbackAsk::Send(CellPtr<Cell> cell, Envelope* envelope, void* slot, Duration timeout) {
  Time deadline = kNever;
  if (cell && !cell->system_core()->stopped()) {
    SystemCore& core = *cell->system_core();
    if (timeout == kDefaultTimeout) timeout = core.options().default_ask_timeout;
    const Time now = core.clock().Now();
    deadline = timeout > kNever - now ? kNever : now + timeout;
  }
  SendUntil(std::move(cell), envelope, slot, deadline);
}

void CallbackAsk::SendUntil(CellPtr<Cell> cell, Envelope* envelope, void* slot, Time deadline) {
  self_ = shared_from_this();
  envelope_ = envelope;
  signature_ = envelope->signature;
  owns_envelope_ = true;
  cell_ = std::move(cell);
  if (!cell_) return Refuse(absl::NotFoundError("ask on an empty Ref"));
  SystemCore& core = *cell_->system_core();
  if (core.stopped()) return Refuse(absl::UnavailableError(cell_->Path() + " has stopped"));
  if (deadline <= core.clock().Now()) {
    core.asks().TimedOut(TimeoutCause::kNotSent);
    return Refuse(absl::DeadlineExceededError(What(*signature_, *cell_) + ": no time is left"));
  }
  const Turn* turn = CurrentTurn();
  if (turn != nullptr && envelope->sender_id == 0) envelope->sender_id = turn->cell_id;
  envelope->ask().deadline = deadline;
  envelope->ask().slot = slot;
  envelope->ask().completion = this;
  const std::shared_ptr<CallbackAsk> keep = self_;  // Done() may be called by Post()
  if (deadline != kNever) {
    timer_.store(WorkerTimer::Arm(core, deadline, [keep] { keep->GiveUp(/*timed_out=*/true); }),
                 std::memory_order_seq_cst);
    if (ended_.load(std::memory_order_seq_cst)) RetireTimer();
  }
  CountAskBegun(core);
  cell_->Post(envelope);
}

// The envelope was not posted: both its sides are ours.
void CallbackAsk::Refuse(Status why) {
  gave_up_.store(true, std::memory_order_seq_cst);
  const std::shared_ptr<CallbackAsk> keep = End();
  owns_envelope_ = false;
  envelope_->ask_state.store(Envelope::kClaimed | Envelope::kAskerGone, std::memory_order_relaxed);
  DropEnvelope(envelope_, absl::OkStatus());
  Finish(&why);
}

void CallbackAsk::Done() {
  CountAskEnded(*cell_->system_core());
  const std::shared_ptr<CallbackAsk> keep = End();
  Finish(nullptr);
}

void CallbackAsk::Cancel() { GiveUp(/*timed_out=*/false); }

void CallbackAsk::GiveUp(bool timed_out) {
  if (gave_up_.exchange(true, std::memory_order_seq_cst)) return;
  const TimeoutCause cause = CauseOf({.target = cell_.get(), .asked = envelope_});
  // One that has been answered stays ours, and refuses.
  if (!AbandonAsk(envelope_)) return;
  AskCounts& asks = cell_->system_core()->asks();
  if (timed_out) asks.TimedOut(cause);
  CountAskEnded(*cell_->system_core());
  owns_envelope_ = false;
  const std::shared_ptr<CallbackAsk> keep = End();
  const std::string what = What(*signature_, *cell_);
  const Status why = timed_out
                         ? absl::DeadlineExceededError(what + ": no answer in time")
                         : WithReason(absl::CancelledError(what + ": cancelled, it may still run"),
                                      Reason::kCancelled);
  Finish(&why);
}

std::shared_ptr<CallbackAsk> CallbackAsk::End() {
  ended_.store(true, std::memory_order_seq_cst);
  RetireTimer();
  return std::move(self_);
}

void CallbackAsk::RetireTimer() {
  WorkerTimer* timer = timer_.exchange(nullptr, std::memory_order_seq_cst);
  if (timer != nullptr) timer->Retire();
}

}  // namespace quern::internal
