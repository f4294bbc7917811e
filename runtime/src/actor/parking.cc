// How the turn of a cell waits: cancelled by a stop, looked at by others meanwhile.

#include <memory>

#include "actor/answer_wait.h"
#include "actor/call_chain.h"
#include "actor/mailbox_cell.h"
#include "actor/turn.h"
#include "quern/runtime/limits.h"
#include "scheduler/scheduler.h"
#include "scheduler/waiter.h"
#include "scheduler/worker.h"
#include "system/system_core.h"

namespace quern::internal {

uint16_t MailboxCell::MarkOf(const Worker& worker) {
  static_assert((kWorkersMax + kSpareWorkersMax + 1) << 1 <= UINT16_MAX);
  return static_cast<uint16_t>((worker.index() + 1) << 1);
}

Worker* MailboxCell::WorkerOf(uint16_t mark) const {
  return core_->scheduler().workers()[static_cast<size_t>(mark >> 1) - 1].get();
}

bool MailboxCell::BeginPark(Turn& turn, Waiter* waiter) {
  if (turn.cancelled) return false;
  turn.parked_on = waiter;
  if ((elsewhere_ & kShared) != 0) return ParkShared(turn);
  parked_turn_ = &turn;
  parked_worker_.store(MarkOf(*turn.worker), std::memory_order_seq_cst);
  if ((signals_.load(std::memory_order_seq_cst) & kStopSignal) == 0) return true;
  turn.cancelled = true;
  EndPark(turn);
  return false;
}

void MailboxCell::EndPark(Turn& turn) {
  if ((elsewhere_ & kShared) != 0) return UnparkShared(turn);
  turn.parked_on = nullptr;
  const uint16_t worker = MarkOf(*turn.worker);
  for (uint16_t seen = worker;
       !parked_worker_.compare_exchange_weak(seen, 0, std::memory_order_acq_rel);) {
    seen = worker;  // somebody looks: a few instructions
  }
}

bool MailboxCell::LookAtParked(ParkedAsk* seen, const Envelope* asked) const {
  // Only what is parked may be held up: nobody else waits for the bit before he parks.
  uint16_t worker = parked_worker_.load(std::memory_order_acquire);
  do {
    worker = Unlooked(worker);
    if (worker == 0) return false;
  } while (
      !parked_worker_.compare_exchange_weak(worker, Looked(worker), std::memory_order_acquire));
  const Turn* turn = TurnToLookAt(asked);
  if (turn != nullptr) {
    if (turn->envelope != nullptr) seen->message = turn->envelope->signature->message_name;
    if (turn->wait != nullptr) {
      seen->target = CellPtr<Cell>::Share(turn->wait->target);
      seen->asked = turn->wait->asked;
      seen->asked_name = turn->wait->signature->message_name;
      if (seen->asked != nullptr) seen->begun = turn->wait->asked->ask().begun();
      seen->since = turn->wait->since;
    }
  }
  parked_worker_.store(worker, std::memory_order_release);
  return turn != nullptr;
}

void MailboxCell::FailQueuedCycles() {
  for (MailboxNode* node = mailbox_.First(); node != nullptr;
       node = node->next.load(std::memory_order_acquire)) {
    auto* envelope = static_cast<Envelope*>(node);
    if (envelope->is_nudge() || !envelope->is_ask()) continue;
    const CallChain* chain = envelope->ask().chain;
    if (chain != nullptr && chain->Contains(*this)) FailAsk(envelope, CycleError(*chain, Path()));
  }
}

void MailboxCell::CancelParkedWait() {
  struct CancelItem : InboxItem {
    CellPtr<MailboxCell> cell;
  };
  Worker* worker = parked_worker();
  if (worker == nullptr) return;
  auto* item = new CancelItem;
  item->cell = CellPtr<MailboxCell>::Share(this);
  item->run = [](Worker& here, InboxItem* raw) {
    std::unique_ptr<CancelItem> owned(static_cast<CancelItem*>(raw));
    MailboxCell& cell = *owned->cell;
    // Parked elsewhere by now, or not at all: then its turn sees the signal by itself.
    if (cell.parked_worker() != &here) return;
    if ((cell.elsewhere_ & kShared) != 0) return cell.CancelShared();
    cell.parked_turn_->cancelled = true;
    cell.parked_turn_->parked_on->Resume(Waiter::Outcome::kCancelled);
  };
  worker->Post(item);
}

}  // namespace quern::internal
