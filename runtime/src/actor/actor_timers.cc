#include "actor/actor_timers.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "actor/mailbox_cell.h"
#include "actor/turn.h"
#include "mailbox/envelope_extra.h"
#include "quern/runtime/limits.h"
#include "scheduler/worker.h"
#include "system/system_core.h"

namespace quern::internal {

void TickMark::End() {
  if (Worker* worker = Worker::Current(); worker != nullptr) {
    ended_at_.store(worker->ReadClock().time_since_epoch().count(), std::memory_order_seq_cst);
  }
  under_way_.store(false, std::memory_order_seq_cst);
  MailboxCell* cell = cell_.load(std::memory_order_seq_cst);
  if (cell != nullptr) cell->Signal(MailboxCell::kTimerSignal);
}

StatusOr<TimerId> ActorTimers::Start(Turn& turn, TimerKind kind, Duration delay,
                                     std::unique_ptr<TickSource> source) {
  if (kind != TimerKind::kOnce && delay <= Duration::zero()) {
    return absl::InvalidArgumentError("timer: a period must be above zero");
  }
  delay = std::clamp(delay, Duration::zero(), kTimerDelayMax);
  Timer timer;
  timer.due = turn.worker->ReadClock() + delay;
  timer.period = kind == TimerKind::kOnce ? Duration::zero() : delay;
  timer.source = std::move(source);
  timer.kind = kind;
  return Add(turn, std::move(timer));
}

StatusOr<TimerId> ActorTimers::StartCron(Turn& turn, CronSchedule schedule,
                                         std::unique_ptr<TickSource> source) {
  Timer timer;
  timer.source = std::move(source);
  timer.kind = TimerKind::kCron;
  const WallTime target = schedule.Next(turn.cell->core().clock().WallNow());
  timer.cron = std::make_unique<CronJob>(CronJob{std::move(schedule), target});
  AimCron(turn, timer, turn.worker->ReadClock());
  return Add(turn, std::move(timer));
}

StatusOr<TimerId> ActorTimers::Add(Turn& turn, Timer timer) {
  if (timers_.size() - free_.size() >= kTimersPerActorMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("timer: ", turn.cell->Path(), " has ", kTimersPerActorMax, " already"));
  }
  timer.serial = ++last_serial_;
  if (free_.empty()) {
    free_.push_back(static_cast<uint16_t>(timers_.size()));
    timers_.emplace_back();
  }
  const uint16_t slot = free_.back();
  free_.pop_back();
  timers_[slot] = std::move(timer);
  Push(slot);
  SetAlarm(turn);
  return IdOf(slot);
}

TimerId ActorTimers::IdOf(uint16_t slot) const {
  return (TimerId{timers_[slot].serial} << 16) | slot;
}

uint16_t ActorTimers::Find(TimerId id) const {
  const auto slot = static_cast<uint16_t>(id);
  if (slot >= timers_.size() || timers_[slot].source == nullptr || IdOf(slot) != id) {
    return kNoPlace;
  }
  return slot;
}

void ActorTimers::Free(uint16_t slot) {
  Timer& timer = timers_[slot];
  if (timer.place != kNoPlace) Take(slot);
  if (timer.waits) std::erase(waiting_, slot);
  if (timer.mark != nullptr) timer.mark->Notify(nullptr);
  timer = Timer{};
  free_.push_back(slot);
}

bool ActorTimers::Cancel(TimerId id) {
  const uint16_t slot = Find(id);
  if (slot == kNoPlace) return false;
  Free(slot);  // the alarm may ring in vain
  return true;
}

void ActorTimers::CancelAll() {
  for (const Timer& timer : timers_) {
    if (timer.mark != nullptr) timer.mark->Notify(nullptr);
  }
  timers_.clear();
  free_.clear();
  heap_.clear();
  waiting_.clear();
  if (alarm_ != nullptr) std::exchange(alarm_, nullptr)->Retire();
  alarm_due_ = kNever;
}

bool ActorTimers::Pause(Turn& turn, TimerId id) {
  const uint16_t slot = Find(id);
  if (slot == kNoPlace) return false;
  Timer& timer = timers_[slot];
  if (std::exchange(timer.paused, true)) return true;
  timer.owed = 0;
  if (timer.place == kNoPlace) return true;
  Take(slot);
  if (timer.kind == TimerKind::kFixedRate || timer.kind == TimerKind::kCron) return true;
  const Duration left = timer.due - turn.worker->ReadClock();
  timer.due = Time(std::max(left, Duration::zero()));
  return true;
}

bool ActorTimers::Resume(Turn& turn, TimerId id) {
  const uint16_t slot = Find(id);
  if (slot == kNoPlace) return false;
  Timer& timer = timers_[slot];
  // A fixed delay that still waits for its tick's end goes on from there.
  if (!std::exchange(timer.paused, false)) return true;
  if (timer.waits && timer.kind == TimerKind::kFixedDelay) return true;
  const Time now = turn.worker->ReadClock();
  if (timer.kind == TimerKind::kCron) {
    const WallTime wall = turn.cell->core().clock().WallNow();
    if (timer.cron->target <= wall) timer.cron->target = timer.cron->schedule.Next(wall);
    AimCron(turn, timer, now);
  } else if (timer.kind == TimerKind::kFixedRate) {
    if (timer.due <= now) timer.due += timer.period * ((now - timer.due) / timer.period + 1);
  } else {
    timer.due = now + timer.due.time_since_epoch();
  }
  Push(slot);
  SetAlarm(turn);
  return true;
}

std::vector<TimerInfo> ActorTimers::List(Turn& turn) const {
  const Clock& clock = turn.cell->core().clock();
  std::vector<TimerInfo> all;
  for (uint16_t slot = 0; slot < timers_.size(); ++slot) {
    const Timer& timer = timers_[slot];
    if (timer.source == nullptr) continue;
    TimerInfo info{IdOf(slot), timer.kind, timer.paused, kNever, timer.source->message_name()};
    if (timer.place != kNoPlace) {
      info.due =
          timer.cron == nullptr ? timer.due : clock.Now() + (timer.cron->target - clock.WallNow());
    }
    all.push_back(info);
  }
  std::sort(all.begin(), all.end(),
            [](const TimerInfo& a, const TimerInfo& b) { return a.id < b.id; });
  return all;
}

void ActorTimers::Fire(Turn& turn) {
  const Time now = turn.worker->ReadClock();
  if (alarm_due_ <= now) alarm_due_ = kNever;
  while (!heap_.empty() && timers_[heap_.front()].due <= now) FireOne(turn, heap_.front(), now);
  SettleWaiting(turn, now);
  SetAlarm(turn);
}

void ActorTimers::FireOne(Turn& turn, uint16_t slot, Time now) {
  Timer& timer = timers_[slot];
  switch (timer.kind) {
    case TimerKind::kOnce:
      Tell(turn, timer);
      return Free(slot);
    case TimerKind::kEvery:
      // The turn may come late: what counts is whether the last one was under way when it was due.
      if (timer.mark == nullptr ||
          (!timer.mark->under_way() && timer.mark->ended_at() < timer.due)) {
        Tell(turn, timer);
      }
      timer.due += timer.period * ((now - timer.due) / timer.period + 1);
      return Settle(timer.place);
    case TimerKind::kFixedDelay:
      Tell(turn, timer);
      Take(slot);
      return AwaitEnd(turn, slot);
    case TimerKind::kFixedRate:
      return FireFixedRate(turn, slot, now);
    case TimerKind::kCron:
      return FireCron(turn, slot, now);
  }
}

void ActorTimers::FireFixedRate(Turn& turn, uint16_t slot, Time now) {
  Timer& timer = timers_[slot];
  int64_t ticks = (now - timer.due) / timer.period + 1;
  if (timer.mark == nullptr || !timer.mark->under_way()) {
    Tell(turn, timer);
    --ticks;
    timer.due += timer.period;
  }
  timer.due += timer.period * ticks;
  Settle(timer.place);
  if (ticks == 0) return;
  timer.owed = static_cast<uint16_t>(std::min<int64_t>(timer.owed + ticks, kTimerCatchUpMax));
  AwaitEnd(turn, slot);
}

void ActorTimers::FireCron(Turn& turn, uint16_t slot, Time now) {
  Timer& timer = timers_[slot];
  const WallTime wall = turn.cell->core().clock().WallNow();
  if (wall >= timer.cron->target) {
    if (timer.mark == nullptr || !timer.mark->under_way()) Tell(turn, timer);
    timer.cron->target = timer.cron->schedule.Next(wall);
  }
  AimCron(turn, timer, now);
  Settle(timer.place);
}

// The wall clock may be set: it is looked at again after kCronRecheck at the latest.
void ActorTimers::AimCron(Turn& turn, Timer& timer, Time now) {
  const Duration left = timer.cron->target - turn.cell->core().clock().WallNow();
  timer.due = now + std::min(left, kCronRecheck);
}

void ActorTimers::Tell(Turn& turn, Timer& timer) {
  Envelope* envelope = timer.source->Make(/*last=*/timer.kind == TimerKind::kOnce);
  EnvelopeExtra& extra = ExtraOf(*envelope);
  extra.sender.actor_id = turn.cell_id;
  extra.is_tick = true;
  if (timer.kind != TimerKind::kOnce) {
    if (timer.mark == nullptr) timer.mark = std::make_shared<TickMark>();
    timer.mark->Begin();
    extra.tick = timer.mark;
  }
  turn.cell->Post(envelope);
}

void ActorTimers::AwaitEnd(Turn& turn, uint16_t slot) {
  Timer& timer = timers_[slot];
  if (std::exchange(timer.waits, true)) return;
  waiting_.push_back(slot);
  timer.mark->Notify(turn.cell);
}

void ActorTimers::SettleWaiting(Turn& turn, Time now) {
  for (size_t i = 0; i < waiting_.size();) {
    const uint16_t slot = waiting_[i];
    Timer& timer = timers_[slot];
    if (timer.mark->under_way()) {
      ++i;
      continue;
    }
    if (timer.owed > 0) {
      Tell(turn, timer);
      if (--timer.owed > 0) {
        ++i;
        continue;
      }
    }
    timer.waits = false;
    timer.mark->Notify(nullptr);
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    if (timer.kind != TimerKind::kFixedDelay) continue;
    timer.due = timer.paused ? Time(timer.period) : now + timer.period;
    if (!timer.paused) Push(slot);
  }
}

void ActorTimers::SetAlarm(Turn& turn) {
  if (heap_.empty()) return;
  const Time due = timers_[heap_.front()].due;
  if (alarm_due_ <= due) return;
  if (alarm_ == nullptr || !alarm_->Move(*turn.worker, due)) {
    if (alarm_ != nullptr) alarm_->Retire();
    alarm_ = CellTimer::Arm(*turn.worker, due, CellPtr<MailboxCell>::Share(turn.cell),
                            MailboxCell::kTimerSignal);
  }
  alarm_due_ = due;
}

void ActorTimers::Put(size_t place, uint16_t slot) {
  heap_[place] = slot;
  timers_[slot].place = static_cast<uint16_t>(place);
}

void ActorTimers::Push(uint16_t slot) {
  heap_.push_back(slot);
  Put(heap_.size() - 1, slot);
  Settle(heap_.size() - 1);
}

void ActorTimers::Take(uint16_t slot) {
  const size_t place = timers_[slot].place;
  timers_[slot].place = kNoPlace;
  const uint16_t moved = heap_.back();
  heap_.pop_back();
  if (moved == slot) return;
  Put(place, moved);
  Settle(place);
}

// The timer at `place` has another due time: moves it up or down to where it belongs.
void ActorTimers::Settle(size_t place) {
  const uint16_t slot = heap_[place];
  while (place > 0 && Earlier(slot, heap_[(place - 1) / 2])) {
    Put(place, heap_[(place - 1) / 2]);
    place = (place - 1) / 2;
  }
  for (;;) {
    size_t child = 2 * place + 1;
    if (child + 1 < heap_.size() && Earlier(heap_[child + 1], heap_[child])) ++child;
    if (child >= heap_.size() || !Earlier(heap_[child], slot)) break;
    Put(place, heap_[child]);
    place = child;
  }
  Put(place, slot);
}

Cell* TakeConstructingCell() {
  Turn* turn = CurrentTurn();
  return turn == nullptr ? nullptr : std::exchange(turn->constructing, nullptr);
}

namespace {

// On `cell`'s own turn, else null.
Turn* OwnTurn(Cell* cell) {
  Turn* turn = CurrentTurn();
  return cell != nullptr && turn != nullptr && turn->cell == cell ? turn : nullptr;
}

ActorTimers* TimersOf(Turn* turn) {
  return turn == nullptr ? nullptr : turn->cell->Timers(/*make=*/false);
}

StatusOr<ActorTimers*> TimersToStart(Turn* turn) {
  ActorTimers* timers = turn == nullptr ? nullptr : turn->cell->Timers(/*make=*/true);
  if (timers != nullptr) return timers;
  return absl::FailedPreconditionError("timer: it is stopping, or this is not its turn");
}

}  // namespace

StatusOr<TimerId> StartTimer(Cell* cell, TimerKind kind, Duration delay,
                             std::unique_ptr<TickSource> tick) {
  Turn* turn = OwnTurn(cell);
  StatusOr<ActorTimers*> timers = TimersToStart(turn);
  if (!timers.ok()) return timers.status();
  return (*timers)->Start(*turn, kind, delay, std::move(tick));
}

StatusOr<TimerId> StartCron(Cell* cell, std::string_view expression, std::string_view zone,
                            std::unique_ptr<TickSource> tick) {
  StatusOr<CronSchedule> schedule = CronSchedule::Parse(expression, zone);
  if (!schedule.ok()) return schedule.status();
  Turn* turn = OwnTurn(cell);
  StatusOr<ActorTimers*> timers = TimersToStart(turn);
  if (!timers.ok()) return timers.status();
  return (*timers)->StartCron(*turn, *std::move(schedule), std::move(tick));
}

bool CancelTimer(Cell* cell, TimerId id) {
  ActorTimers* timers = TimersOf(OwnTurn(cell));
  return timers != nullptr && timers->Cancel(id);
}

bool PauseTimer(Cell* cell, TimerId id) {
  Turn* turn = OwnTurn(cell);
  ActorTimers* timers = TimersOf(turn);
  return timers != nullptr && timers->Pause(*turn, id);
}

bool ResumeTimer(Cell* cell, TimerId id) {
  Turn* turn = OwnTurn(cell);
  ActorTimers* timers = TimersOf(turn);
  return timers != nullptr && timers->Resume(*turn, id);
}

std::vector<TimerInfo> ListTimers(Cell* cell) {
  Turn* turn = OwnTurn(cell);
  const ActorTimers* timers = TimersOf(turn);
  return timers == nullptr ? std::vector<TimerInfo>() : timers->List(*turn);
}

}  // namespace quern::internal
