#include "actor/mailbox_cell.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <absl/strings/str_cat.h>

#include "actor/actor_timers.h"
#include "actor/answer_wait.h"
#include "actor/call_chain.h"
#include "actor/dead_letters.h"
#include "actor/message_loop.h"
#include "actor/reentry.h"
#include "mailbox/envelope_extra.h"
#include "mailbox/side_mail.h"
#include "metrics/turn_sample.h"
#include "quern/runtime/context.h"
#include "quern/runtime/network_port.h"
#include "scheduler/schedule.h"
#include "scheduler/waiter.h"
#include "scheduler/worker.h"
#include "system/mailbox_census.h"
#include "system/system_core.h"

namespace quern::internal {
namespace {

// When so little time has passed since the last look at the clock, the next one comes later.
constexpr Duration kQuickMessages = std::chrono::microseconds(20);
constexpr int kClockSeldomEvery = 32;  // messages; a power of two

}  // namespace

Status DescribeException(const std::exception_ptr& thrown, std::string_view what_ran) {
  std::string text = "an exception";
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& e) {
    text = e.what();
  } catch (...) {
    text = "something that is not a std::exception";
  }
  return absl::UnknownError(
      absl::StrCat(absl::string_view(what_ran.data(), what_ran.size()), " threw: ", text));
}

void Cell::FillSender(SenderStamp* stamp) const { stamp->actor_id = id_; }

Status Cell::Request(LifeOrder) {
  return absl::FailedPreconditionError(absl::StrCat(
      Path(), " is not an actor of this process: it cannot be restarted or suspended"));
}

void Cell::PostChain(MailboxNode* first, MailboxNode* last) {
  last->next.store(nullptr, std::memory_order_relaxed);
  for (MailboxNode* node = first; node != nullptr;) {
    auto* envelope = static_cast<Envelope*>(node);
    node = node->next.load(std::memory_order_relaxed);
    Post(envelope);
  }
}

void ReleaseChain(Turn& turn) { CallChain::Release(std::exchange(turn.inner_chain, nullptr)); }

MailboxCell::MailboxCell(SystemCore* core, uint64_t id) : Cell(id), core_(core) {}

MailboxCell::~MailboxCell() { FreeSpent(mailbox_.last_spent()); }

void MailboxCell::PushNode(MailboxNode* node) {
  if (mailbox_.Push(node)) Wake();
}

void MailboxCell::Start() { core_->scheduler().ScheduleNewborn(this); }

void MailboxCell::Schedule() {
  if ((gate_.load(std::memory_order_relaxed) & kTakesTurns) != 0) {
    if (Worker* worker = parked_worker(); worker != nullptr) return ScheduleOn(*worker);
  }
  core_->scheduler().Schedule(this);
}

QUERN_ALWAYS_INLINE Delivery MailboxCell::PutInline(Envelope* envelope) {
  if (gate_.load(std::memory_order_acquire) != 0) [[unlikely]] {
    return PostAtGate(envelope);
  }
  envelope->flags |= Envelope::kQueued;
  return mailbox_.Push(envelope) ? WakeForMessage() : Delivery::kAccepted;
}

[[gnu::noinline]] Delivery MailboxCell::WakeForMessage() {
  Wake();
  return Delivery::kAccepted;
}

Delivery MailboxCell::Post(Envelope* envelope) {
  return envelope->is_ask() ? PostAsk(envelope) : PutInline(envelope);
}

Delivery MailboxCell::Put(Envelope* envelope) { return PutInline(envelope); }

// Apart, or the registers that it saves are saved for every tell.
[[gnu::noinline]] Delivery MailboxCell::PostAsk(Envelope* envelope) {
  if (Worker* worker = Worker::Current(); worker != nullptr) worker->tells().End();
  const CallChain* chain = envelope->ask().chain;
  if (chain != nullptr && chain->Contains(*this)) {
    DropEnvelope(envelope, CycleError(*chain, Path()));
    return Delivery::kStopped;
  }
  return PutInline(envelope);
}

void MailboxCell::PostChain(MailboxNode* first, MailboxNode* last) {
  last->next.store(nullptr, std::memory_order_relaxed);
  const bool open = gate_.load(std::memory_order_acquire) == 0;
  for (MailboxNode* node = first; node != nullptr;) {
    auto* envelope = static_cast<Envelope*>(node);
    node = node->next.load(std::memory_order_relaxed);
    if (open) {
      envelope->flags |= Envelope::kQueued;
    } else {
      PostAtGate(envelope);
    }
  }
  if (open && mailbox_.Push(first, last)) Wake();
}

Delivery MailboxCell::PostAtGate(Envelope* envelope) {
  const uint8_t gate = gate_.load(std::memory_order_acquire);
  if ((gate & (kChosen | kClosed)) == 0) {
    envelope->flags |= Envelope::kQueued;
    (gate & kTimed) == 0 ? PushNode(envelope) : PushStamped(envelope);
    return Delivery::kAccepted;
  }
  if ((gate & kChosen) == 0) {
    Refuse(envelope);
    return Delivery::kStopped;
  }
  const Time arrived = (gate & kTimed) != 0 && TakeTimed() ? core_->clock().Now() : kNever;
  const ChosenMailbox::Offered offered = side_mail(false)->chosen->Offer(envelope, arrived);
  if (offered.dropped != nullptr) {
    if (offered.reason == DeadLetterReason::kStopped) {
      Refuse(offered.dropped);
    } else {
      Drop(offered.dropped, offered.reason);
    }
  }
  if (offered.nudge) PushNode(AllocateNudge());
  return offered.delivery;
}

void MailboxCell::PostPastBounds(Envelope* envelope) {
  if (closed()) {
    FinishEnvelope(envelope);
    return;
  }
  envelope->flags |= Envelope::kQueued;
  PushNode(envelope);
}

void MailboxCell::SetChosenMailbox(std::unique_ptr<ChosenMailbox> mailbox) {
  if (mailbox == nullptr) return;
  side_mail(true)->chosen = std::move(mailbox);
  elsewhere_ |= kInChosen;
  gate_.fetch_or(kChosen, std::memory_order_release);
}

const ChosenMailbox* MailboxCell::chosen_mailbox() const {
  if ((gate_.load(std::memory_order_acquire) & kChosen) == 0) return nullptr;
  return const_cast<MailboxCell*>(this)->side_mail(false)->chosen.get();
}

void MailboxCell::PushFront(Envelope* envelope) {
  side_mail(true)->front.PushFront(envelope);
  elsewhere_ |= kInFront;
}

Envelope* MailboxCell::TakeElsewhere(Turn& turn) {
  SideMail& side = *side_mail(false);
  if ((elsewhere_ & kInFront) != 0) {
    if (Envelope* envelope = side.front.PopFront(); envelope != nullptr) return envelope;
    elsewhere_ &= static_cast<uint8_t>(~kInFront);
  }
  if ((elsewhere_ & kInChosen) == 0) return nullptr;
  Time arrived = kNever;
  Envelope* envelope = side.chosen->Take(&arrived);
  if (arrived != kNever) NoteWait(turn, arrived);
  return envelope;
}

// A closed cell is never scheduled again: whoever wakes it empties it.
void MailboxCell::WakeAtGate() {
  if (closed()) {
    DrainClosed();
  } else {
    Schedule();
  }
}

void MailboxCell::Refuse(Envelope* envelope) {
  const std::string path = Path();
  if (!envelope->is_ask()) {
    core_->dead_letters().Add({.reason = core_->stopping() ? DeadLetterReason::kSystemStopping
                                                           : DeadLetterReason::kStopped,
                               .target = path,
                               .message = envelope->signature->message_name,
                               .sender_id = SenderIdOf(*envelope)});
  }
  DropEnvelope(envelope, absl::UnavailableError(path + " has stopped"));
}

// No room in a chosen mailbox.
void MailboxCell::Drop(Envelope* envelope, DeadLetterReason reason) {
  const std::string path = Path();
  if (!envelope->is_ask()) {
    core_->dead_letters().Add({.reason = reason,
                               .target = path,
                               .message = envelope->signature->message_name,
                               .sender_id = SenderIdOf(*envelope)});
  }
  DropEnvelope(envelope, absl::ResourceExhaustedError("the mailbox of " + path + " is full"));
}

void MailboxCell::DrainClosed() {
  do {
    MailboxNode* spent = nullptr;
    while (MailboxNode* node = mailbox_.Pop(&spent)) {
      FreeSpent(spent);
      auto* envelope = static_cast<Envelope*>(node);
      if (!envelope->is_nudge()) Refuse(envelope);
    }
  } while (!mailbox_.TryIdle());
}

void MailboxCell::Signal(uint32_t bits) {
  if (closed()) return;
  const uint32_t old = signals_.fetch_or(bits, std::memory_order_seq_cst);
  if ((old & bits) == bits) return;  // whoever set them has made a turn happen
  if (LeaveDormant()) {
    Schedule();
  } else {
    PushNode(AllocateNudge());
  }
  if ((bits & kStopSignal) != 0) CancelParkedWait();
}

// True for the one that now has to make a turn happen.
bool MailboxCell::LeaveDormant() {
  if ((gate_.load(std::memory_order_seq_cst) & kDormant) == 0) return false;
  constexpr auto kAwake = static_cast<uint8_t>(~kDormant);
  return (gate_.fetch_and(kAwake, std::memory_order_seq_cst) & kDormant) != 0;
}

After MailboxCell::RunSignals(Turn& turn) {
  uint32_t bits = signals_.exchange(0, std::memory_order_seq_cst);
  if ((bits & kCountSignal) != 0) {
    bits &= ~kCountSignal;
    core_->census().Report(id(), CountQueued());
  }
  if ((elsewhere_ & kShared) != 0) bits = SiftSignals(bits);
  return bits == 0 ? After::kGoOn : OnSignals(turn, bits);
}

// True: the turn has ended, and whoever signals the cell makes the next one.
bool MailboxCell::LeaveWaiting() {
  if (mailbox_.Empty()) return mailbox_.TryIdle();
  // Who signals it now may have it run elsewhere, to its end, before we have looked.
  const auto self = CellPtr<MailboxCell>::Share(this);
  gate_.fetch_or(kDormant, std::memory_order_seq_cst);
  return signals_.load(std::memory_order_seq_cst) == 0 || !LeaveDormant();
}

void MailboxCell::EndNudge(Turn& turn, const Envelope& nudge) {
  if ((nudge.flags & Envelope::kStamp) != 0) NoteWait(turn, TimeOfStamp(nudge));
  FreeSpent(turn);
}

bool MailboxCell::BudgetUsed(Turn& turn, int handled, Time* started, int* clock_mask) {
  const Time before = turn.worker->now();
  const Time now = turn.worker->ReadClock();
  if (*started == kNever) *started = now;
  if (TurnSample* sample = turn.worker->runner()->sample; sample != nullptr) sample->Handled(now);
  const SystemOptions& options = core_->options();
  const bool quick = now - before < kQuickMessages && options.turn_messages >= kClockSeldomEvery;
  if (quick && *clock_mask != 0) *clock_mask = kClockSeldomEvery - 1;  // 0: each is timed
  return handled >= options.turn_messages || now - *started >= options.turn_time;
}

Envelope* MailboxCell::Detach(Turn& turn, Envelope* envelope) {
  if ((envelope->flags & Envelope::kQueued) == 0) return envelope;
  // A node with a successor is written by no producer any more, so its predecessor may skip it.
  MailboxNode* next = envelope->next.load(std::memory_order_acquire);
  if (next == nullptr) {
    mailbox_.Push(AllocateNudge());
    while ((next = envelope->next.load(std::memory_order_acquire)) == nullptr) {
    }
  }
  mailbox_.PutBack(std::exchange(turn.spent, nullptr), next);
  envelope->flags &= static_cast<uint8_t>(~Envelope::kQueued);
  return envelope;
}

bool MailboxCell::BeginAsk(Turn& turn, Envelope* envelope) {
  const Time now = turn.worker->FreshNow();
  AskBlock& ask = envelope->ask();
  // Nobody waits any more, or not for long enough: not run.
  if (envelope->ask_state.load(std::memory_order_relaxed) != 0 || ask.deadline <= now) {
    DropLateAsk(envelope);
    return false;
  }
  ask.Begin(now);
  return true;
}

[[gnu::cold]] void MailboxCell::DropLateAsk(Envelope* envelope) {
  const bool answered =
      DropEnvelope(envelope, absl::DeadlineExceededError(absl::StrCat(
                                 "the deadline passed while the ask was queued at ", Path())));
  if (answered) core_->asks().TimedOut(TimeoutCause::kNotBegun);
}

MailboxCell::Failed MailboxCell::EndThrown(Turn& turn, Envelope* envelope,
                                           std::unique_ptr<std::exception_ptr> thrown) {
  auto status =
      std::make_unique<const Status>(DescribeException(*thrown, envelope->signature->message_name));
  TakeBack(turn, envelope);
  OnThrown(turn, *thrown);
  if (KeepsForRetry(turn, envelope, *status)) {
    EndMessage(turn);
    return status;
  }
  FailAsk(envelope, *status);
  EndMessage(turn);
  FinishEnvelope(envelope);
  return status;
}

Status MailboxCell::RunGuarded(Turn& turn, const std::function<Status(Context&)>& fn) {
  Context context(&turn);
  std::exception_ptr thrown;
  Status status;
  try {
    status = fn(context);
  } catch (const boost::context::detail::forced_unwind&) {
    throw;
  } catch (...) {
    thrown = std::current_exception();
  }
  if (thrown != nullptr) {
    status = DescribeException(thrown, Path());
    OnThrown(turn, thrown);
  }
  EndMessage(turn);
  return status;
}

Status MailboxCell::FireTimers(Turn& turn) {
  ActorTimers* timers = Timers(/*make=*/false);
  if (timers == nullptr) return absl::OkStatus();
  return RunGuarded(turn, [&](Context&) {
    timers->Fire(turn);
    return absl::OkStatus();
  });
}

void MailboxCell::Close(Turn& turn, const std::function<void(Envelope*)>& sink) {
  gate_.fetch_or(kClosed, std::memory_order_seq_cst);
  // Whoever signals later sees that it is closed.
  if ((signals_.load(std::memory_order_seq_cst) & kCountSignal) != 0) {
    core_->census().Report(id(), 0);
  }
  FreeSpent(turn);
  if (elsewhere_ != 0) CloseElsewhere(sink);
  do {
    while (MailboxNode* node = mailbox_.Pop(&turn.spent)) {
      auto* envelope = static_cast<Envelope*>(node);
      if (!envelope->is_nudge() && sink != nullptr) {
        sink(Detach(turn, envelope));
        continue;
      }
      if (!envelope->is_nudge()) Refuse(envelope);
      FreeSpent(turn);
    }
  } while (!mailbox_.TryIdle());
}

void MailboxCell::CloseElsewhere(const std::function<void(Envelope*)>& sink) {
  const auto end = [&](Envelope* envelope) {
    if (sink != nullptr) {
      sink(envelope);
    } else {
      Refuse(envelope);
    }
  };
  SideMail& side = *side_mail(false);
  if (side.reentry != nullptr) {
    for (Envelope* envelope : std::exchange(side.reentry->aside, {})) end(envelope);
  }
  while (Envelope* envelope = side.front.PopFront()) end(envelope);
  if (side.chosen == nullptr) return;
  for (Envelope* envelope : side.chosen->Close(/*routed_again=*/sink != nullptr)) end(envelope);
}

}  // namespace quern::internal
