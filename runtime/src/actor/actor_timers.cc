#include "actor/actor_timers.h"

#include <utility>

#include "actor/actor_cell.h"
#include "actor/turn.h"
#include "mailbox/envelope_extra.h"
#include "quern/runtime/limits.h"
#include "scheduler/worker.h"

namespace quern::internal {

TickTimer::TickTimer(Worker& worker, CellPtr<MailboxCell> cell, Time first, Duration period,
                     std::unique_ptr<TickSource> source)
    : CellTimer(worker, std::move(cell), 0),
      period_(period),
      source_(std::move(source)),
      under_way_(std::make_shared<std::atomic<bool>>(false)),
      due_(first) {
  ArmAt(due_);
}

void TickTimer::Fire() {
  if (!under_way_->exchange(true, std::memory_order_acq_rel)) {
    Envelope* envelope = source_->Make();
    ExtraOf(*envelope).tick = under_way_;
    ExtraOf(*envelope).sender.actor_id = cell_->id();
    cell_->Post(envelope);
  }
  if (period_ == Duration::zero()) {
    spent_.store(true, std::memory_order_release);
    return;
  }
  // Ticks that were missed are left out; the rhythm stays.
  const Time now = worker_.now();
  due_ += period_;
  if (due_ <= now) due_ += period_ * ((now - due_) / period_ + 1);
  ArmAt(due_);
}

TimerId ActorTimers::Start(Worker& worker, MailboxCell* cell, Duration delay, Duration period,
                           std::unique_ptr<TickSource> source) {
  if (timers_.size() >= kTimersPerActorMax) DropSpent();
  if (timers_.size() >= kTimersPerActorMax) return 0;
  const Time due = worker.ReadClock() + delay;
  timers_[++last_id_] =
      new TickTimer(worker, CellPtr<MailboxCell>::Share(cell), due, period, std::move(source));
  return last_id_;
}

bool ActorTimers::Cancel(TimerId id) {
  auto it = timers_.find(id);
  if (it == timers_.end()) return false;
  const bool pending = !it->second->spent();
  it->second->Retire();
  timers_.erase(it);
  return pending;
}

void ActorTimers::CancelAll() {
  for (auto& [id, timer] : timers_) timer->Retire();
  timers_.clear();
}

void ActorTimers::DropSpent() {
  for (auto it = timers_.begin(); it != timers_.end();) {
    if (!it->second->spent()) {
      ++it;
      continue;
    }
    it->second->Retire();
    it = timers_.erase(it);
  }
}

Cell* TakeConstructingCell() {
  Turn* turn = CurrentTurn();
  return turn == nullptr ? nullptr : std::exchange(turn->constructing, nullptr);
}

TimerId StartTimer(Cell* cell, Duration delay, Duration period, std::unique_ptr<TickSource> tick) {
  Turn* turn = CurrentTurn();
  auto* actor = dynamic_cast<ActorCell*>(cell);
  if (actor == nullptr || turn == nullptr || turn->cell != actor || actor->stopping()) return 0;
  if (delay < Duration::zero()) delay = Duration::zero();
  return actor->timers().Start(*turn->worker, actor, delay, period, std::move(tick));
}

bool CancelTimer(Cell* cell, TimerId id) {
  auto* actor = dynamic_cast<ActorCell*>(cell);
  if (actor == nullptr) return false;
  ActorTimers* timers = actor->timers_if_any();
  return timers != nullptr && timers->Cancel(id);
}

}  // namespace quern::internal
