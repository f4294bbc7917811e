// The turns of a cell that may have several (reentry.h).

#include "actor/reentry.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "actor/answer_wait.h"
#include "actor/mailbox_cell.h"
#include "actor/turn.h"
#include "mailbox/envelope_extra.h"
#include "mailbox/side_mail.h"
#include "scheduler/waiter.h"
#include "scheduler/worker.h"

namespace quern::internal {

void MailboxCell::SetReentry(std::unique_ptr<Reentry> reentry, uint32_t at_once) {
  const bool shared = reentry->mode != Reentrancy::kOff;
  reentry->at_once = at_once;
  side_mail(true)->reentry = std::move(reentry);
  elsewhere_ |= kCounted;
  if (!shared) return;
  elsewhere_ |= kShared;
  gate_.fetch_or(kTakesTurns, std::memory_order_release);
}

Reentry* MailboxCell::CountedAsks() { return side_mail(false)->reentry.get(); }

bool MailboxCell::HeldBack() {
  const Reentry& shared = *side_mail(false)->reentry;
  return shared.holding > 0 || shared.ending;
}

// On the worker that the cell is or will be pinned to.
void MailboxCell::LockPark() {
  uint16_t worker = Unlooked(parked_worker_.load(std::memory_order_acquire));
  while (!parked_worker_.compare_exchange_weak(worker, Looked(worker), std::memory_order_acquire)) {
    worker = Unlooked(worker);
  }
}

// Under LockPark(), and somebody is parked or away.
const Turn* MailboxCell::TurnToLookAt(const Envelope* asked) const {
  if ((gate_.load(std::memory_order_relaxed) & kTakesTurns) == 0) return parked_turn_;
  const Reentry& shared = *const_cast<MailboxCell*>(this)->side_mail(false)->reentry;
  for (const Turn* turn : shared.parked) {
    if (turn->envelope == asked) return turn;
  }
  return shared.parked.empty() ? nullptr : shared.parked.front();
}

// Pinned as long as anybody is away or parked.
void MailboxCell::UnlockShared(Worker* worker) {
  const Reentry& shared = *side_mail(false)->reentry;
  const bool pinned = shared.away > 0 || !shared.parked.empty();
  parked_worker_.store(pinned ? MarkOf(*worker) : uint16_t{0}, std::memory_order_seq_cst);
}

bool MailboxCell::ParkShared(Turn& turn) {
  Reentry& shared = *side_mail(false)->reentry;
  LockPark();
  shared.parked.push_back(&turn);
  UnlockShared(turn.worker);
  if (!shared.ending && (signals_.load(std::memory_order_seq_cst) & kStopSignal) == 0) return true;
  turn.cancelled = true;
  UnparkShared(turn);
  return false;
}

void MailboxCell::UnparkShared(Turn& turn) {
  Reentry& shared = *side_mail(false)->reentry;
  LockPark();
  std::erase(shared.parked, &turn);
  turn.parked_on = nullptr;
  UnlockShared(turn.worker);
}

bool MailboxCell::BeginAnswerWait(Turn& turn, bool open) {
  Reentry& shared = *side_mail(false)->reentry;
  if (!open || !MayBeOpen(turn)) {
    ++shared.holding;
    return true;
  }
  if (std::exchange(turn.consuming, false)) {
    Detach(turn, turn.envelope);
    LockPark();
    ++shared.away;
    UnlockShared(turn.worker);
    turn.worker->Requeue(this);
  }
  return false;
}

void MailboxCell::EndAnswerWait(bool holds) {
  if (holds && --side_mail(false)->reentry->holding == 0) Nudge();
}

void MailboxCell::Nudge() {
  if (LeaveDormant()) {
    Schedule();
  } else {
    PushNode(AllocateNudge());
  }
}

// Signals for now; the others wait until nobody is away.
uint32_t MailboxCell::SiftSignals(uint32_t bits) {
  Reentry& shared = *side_mail(false)->reentry;
  if (shared.away == 0) {
    shared.ending = false;
    return std::exchange(shared.deferred, 0) | bits;
  }
  shared.deferred |= bits & ~shared.at_once;
  if ((shared.deferred & kStopSignal) != 0) {
    shared.ending = true;
    CancelShared();
  }
  return bits & shared.at_once;
}

bool MailboxCell::DeferUntilAlone(uint32_t bit) {
  if (!HasAwayTurns()) return false;
  side_mail(false)->reentry->deferred |= bit;
  return true;
}

bool MailboxCell::DeferEnd(uint32_t bit) {
  if (!DeferUntilAlone(bit)) return false;
  side_mail(false)->reentry->ending = true;
  CancelShared();
  return true;
}

void MailboxCell::SetAside(Turn& turn, Envelope* envelope) {
  side_mail(false)->reentry->aside.push_back(Detach(turn, envelope));
}

std::vector<Envelope*> MailboxCell::TakeAsideFrom(uint64_t sender_id) {
  std::vector<Envelope*>& aside = side_mail(false)->reentry->aside;
  const auto others = std::stable_partition(
      aside.begin(), aside.end(),
      [sender_id](const Envelope* envelope) { return SenderIdOf(*envelope) == sender_id; });
  std::vector<Envelope*> taken(aside.begin(), others);
  aside.erase(aside.begin(), others);
  return taken;
}

size_t MailboxCell::CountAside() const {
  return const_cast<MailboxCell*>(this)->side_mail(false)->reentry->aside.size();
}

void MailboxCell::FailParkedAsks(const Status& why) {
  if ((elsewhere_ & kShared) == 0) return;
  for (const Turn* turn : side_mail(false)->reentry->parked) {
    if (turn->envelope != nullptr) FailAsk(turn->envelope, why);
  }
}

bool MailboxCell::HasAwayTurns() {
  return (elsewhere_ & kShared) != 0 && side_mail(false)->reentry->away > 0;
}

void MailboxCell::CancelShared() {
  for (Turn* turn : side_mail(false)->reentry->parked) {
    turn->cancelled = true;
    turn->parked_on->Resume(Waiter::Outcome::kCancelled);
  }
}

// The handler has ended. Its turn leaves; the last one sees to what had to wait.
void MailboxCell::EndAway(Turn& turn) {
  const auto self = CellPtr<MailboxCell>::Share(this);  // a stop may end it as soon as it is alone
  OnTurnEnd(turn);
  Reentry& shared = *side_mail(false)->reentry;
  LockPark();
  const bool last = --shared.away == 0;
  const uint32_t deferred = last ? std::exchange(shared.deferred, 0) : 0;
  UnlockShared(turn.worker);
  if (deferred != 0) {
    signals_.fetch_or(deferred, std::memory_order_seq_cst);
    Nudge();
  }
}

// Where the others of its turns are.
void MailboxCell::ScheduleOn(Worker& worker) {
  struct TurnItem : InboxItem {
    MailboxCell* cell = nullptr;
  };
  if (Worker::Current() == &worker) {
    worker.Requeue(this);
    return;
  }
  auto* item = new TurnItem;
  item->cell = this;
  item->run = [](Worker& here, InboxItem* raw) {
    const std::unique_ptr<TurnItem> owned(static_cast<TurnItem*>(raw));
    here.Requeue(owned->cell);
  };
  worker.Post(item);
}

}  // namespace quern::internal
