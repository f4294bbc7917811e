#include "actor/pending_ask.h"

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

#include "actor/answer_wait.h"
#include "actor/mailbox_cell.h"
#include "actor/reentry.h"
#include "actor/turn.h"
#include "mailbox/envelope_extra.h"
#include "mailbox/worker_blocks.h"
#include "scheduler/worker.h"
#include "system/system_core.h"

namespace quern::internal {
namespace {

size_t BytesFor(const Signature& signature) {
  return sizeof(PendingAsk) + signature.reply_slot_bytes;
}

}  // namespace

PendingAsk::PendingAsk(const Signature& signature, Cell* target)
    : signature_(signature), target_(CellPtr<Cell>::Share(target)) {}

PendingAsk::~PendingAsk() { CallChain::Release(link_); }

PendingAsk* PendingAsk::New(const Signature& signature, Cell* target) {
  static_assert(sizeof(PendingAsk) % kMessageAlignmentMax == 0, "the slot stands behind it");
  const size_t bytes = BytesFor(signature);
  return ::new (AllocateBlock(bytes, BlockClassFor(bytes))) PendingAsk(signature, target);
}

void PendingAsk::Delete(PendingAsk* ask) {
  const uint8_t block_class = BlockClassFor(BytesFor(ask->signature_));
  ask->~PendingAsk();
  FreeBlockMemory(ask, block_class);
}

void PendingAsk::Start(Envelope* envelope, const AskOptions& options) {
  Turn* turn = CurrentTurn();
  if (Status ready = Prepare(turn, envelope, options); !ready.ok()) {
    RefuseAsk(envelope);
    failure_ = std::move(ready);
    return;
  }
  envelope_ = envelope;
  envelope->ask().slot = slot();
  envelope->ask().completion = this;
  CountAskBegun(*core());
  target_->Post(envelope);
}

Status PendingAsk::Prepare(Turn* turn, Envelope* envelope, const AskOptions& options) {
  if (!target_) return absl::NotFoundError("ask on an empty Ref");
  Status ready = PrepareAsk(turn, *target_, envelope, options.timeout, &asked_at_);
  if (!ready.ok()) return ready;
  deadline_ = envelope->ask().deadline;
  if (turn == nullptr || turn->piped) return absl::OkStatus();
  const StatusOr<bool> open = IsOpen(turn, options.reentrancy);
  if (!open.ok()) return open.status();
  open_ = *open;
  link_ = CallChain::Unawaited(turn->cell, AskersOf(*turn), open_);
  link_->AddRef();
  envelope->ask().chain = link_;
  if (turn->cell->reentry() == nullptr) return absl::OkStatus();
  if (Status taken = TakeAskSlot(*turn, *target_); !taken.ok()) return taken;
  asker_ = CellPtr<MailboxCell>::Share(turn->cell);
  counted_.store(true, std::memory_order_relaxed);
  return absl::OkStatus();
}

// By whoever ends it first: the replier, or the asker who gives up.
void PendingAsk::LeaveSlot() {
  if (counted_.exchange(false, std::memory_order_acq_rel)) asker_->CountedAsks()->LeaveSlot();
}

bool PendingAsk::answered() {
  if (envelope_ == nullptr) return true;
  TinyLockHolder lock(lock_);
  return done_;
}

void PendingAsk::Done() {
  bool last = false;
  CountAskEnded(*core());
  LeaveSlot();
  {
    TinyLockHolder lock(lock_);
    done_ = true;
    last = asker_gone_;
    if (listener_ != nullptr) listener_->Notify();
  }
  if (!last) return;
  signature_.destroy_slot(slot());
  ReleaseAsker(envelope_);
  Delete(this);
}

bool PendingAsk::Listen(FirstDone* first) {
  if (envelope_ == nullptr) return false;
  TinyLockHolder lock(lock_);
  if (done_) return false;
  listener_ = first;
  return true;
}

void PendingAsk::StopListening() {
  TinyLockHolder lock(lock_);
  listener_ = nullptr;
}

void PendingAsk::Link() {
  Turn* turn = CurrentTurn();
  // Elsewhere than where it was asked nobody knows who waits for whom.
  if (link_ == nullptr || turn == nullptr || link_->asker() != turn->cell || answered()) return;
  const bool same_handler = AskersOf(*turn) == link_->outer();
  link_->SetAwaited(same_handler ? CallChain::Link::kWithAskers : CallChain::Link::kAsker);
  if (link_->Contains(*target_)) {
    Abandon(CycleError(*link_, target_->Path()));
    return;
  }
  if (link_->asked_back()) turn->cell->FailQueuedCycles();
}

void PendingAsk::EndLink() {
  if (link_ != nullptr) link_->SetAwaited(CallChain::Link::kNone);
}

bool PendingAsk::Abandon(Status why) {
  if (!AbandonAsk(envelope_)) return false;
  CountAskEnded(*core());
  envelope_ = nullptr;
  failure_ = std::move(why);
  EndLink();
  LeaveSlot();
  return true;
}

bool PendingAsk::Await(Status* status) {
  Link();
  Turn* turn = CurrentTurn();
  FirstDone first(core());
  while (Listen(&first)) {
    const Time deadline = turn == nullptr ? deadline_ : std::min(deadline_, turn->deadline);
    const AnswerWait wait = this->wait();
    const Waiter::Outcome outcome = WaitForAnswer(turn, first.waiter(), deadline, wait);
    StopListening();
    first.Settle();
    if (answered() || outcome == Waiter::Outcome::kWoken) continue;
    const bool timed_out = outcome == Waiter::Outcome::kTimedOut;
    const TimeoutCause cause = CauseOf(wait);
    Status why = timed_out ? TimeoutError(turn, wait, deadline) : CancelledError(turn, *target_);
    if (!Abandon(std::move(why))) {
      AwaitDone();
    } else if (timed_out) {
      core()->asks().TimedOut(cause);
    }
  }
  EndLink();
  if (envelope_ == nullptr) {
    *status = failure_;
    return false;
  }
  ReleaseAsker(std::exchange(envelope_, nullptr));
  return true;
}

// The reply is being written this very moment.
void PendingAsk::AwaitDone() {
  FirstDone done(core());
  if (!Listen(&done)) return;
  done.waiter().Wait();
  StopListening();
}

void PendingAsk::Cancel() {
  if (envelope_ == nullptr || answered()) return;
  if (!Abandon(WithReason(absl::CancelledError("the ask of " + target_->Path() +
                                               " was cancelled; it may or may not run"),
                          Reason::kCancelled))) {
    return;
  }
  TinyLockHolder lock(lock_);
  if (listener_ != nullptr) listener_->Notify();
}

void PendingAsk::Free() {
  EndLink();
  if (envelope_ != nullptr && AbandonAsk(envelope_)) {
    CountAskEnded(*core());
  } else if (envelope_ != nullptr) {
    {
      TinyLockHolder lock(lock_);
      asker_gone_ = !done_;
      if (asker_gone_) return;
    }
    signature_.destroy_slot(slot());
    ReleaseAsker(envelope_);
  }
  Delete(this);
}

PendingAsk* StartAsk(Cell* cell, Envelope* envelope, const AskOptions& options) {
  PendingAsk* ask = PendingAsk::New(*envelope->signature, cell);
  ask->Start(envelope, options);
  return ask;
}

bool IsAnswered(PendingAsk& ask) { return ask.answered(); }
void LinkAwait(PendingAsk& ask) { ask.Link(); }
bool AwaitAsk(PendingAsk& ask, Status* status) { return ask.Await(status); }
void* SlotOfAsk(PendingAsk& ask) { return ask.slot(); }
void CancelAsk(PendingAsk& ask) { ask.Cancel(); }
void FreePending(PendingAsk* ask) { ask->Free(); }

size_t AwaitAnyOf(std::span<PendingAsk* const> asks) {
  if (asks.size() == 1) return 0;
  const auto soonest = std::min_element(
      asks.begin(), asks.end(), [](auto* a, auto* b) { return a->deadline() < b->deadline(); });
  const auto answered = [&] {
    return std::find_if(asks.begin(), asks.end(), [](PendingAsk* ask) { return ask->answered(); });
  };
  auto found = answered();
  if (found == asks.end()) {
    Turn* turn = CurrentTurn();
    FirstDone first((*soonest)->core());
    bool all_open = true;
    for (PendingAsk* ask : asks) all_open = ask->Listen(&first) && all_open;
    if (all_open) {
      const Time deadline = (*soonest)->deadline();
      AnswerWait wait = (*soonest)->wait();
      wait.asked = nullptr;  // another fiber of this actor may cancel it meanwhile
      WaitForAnswer(turn, first.waiter(),
                    turn == nullptr ? deadline : std::min(deadline, turn->deadline), wait);
    }
    for (PendingAsk* ask : asks) ask->StopListening();
    first.Settle();
    found = answered();
  }
  return static_cast<size_t>((found != asks.end() ? found : soonest) - asks.begin());
}

}  // namespace quern::internal
