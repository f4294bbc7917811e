// The timers of one actor or activation: a heap by due time, of which the first has an alarm on the
// wheel of the worker where the last turn ran. The alarm signals the cell, and the cell's turn
// tells the ticks; so nothing here is shared, and a timer that is not the next costs its worker
// nothing. Owner only: the cell's turn.

#ifndef QUERN_RUNTIME_SRC_ACTOR_ACTOR_TIMERS_H_
#define QUERN_RUNTIME_SRC_ACTOR_ACTOR_TIMERS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "quern/runtime/clock.h"
#include "quern/runtime/cron.h"
#include "quern/runtime/status.h"
#include "quern/runtime/timer.h"
#include "timer/cell_timer.h"
#include "timer/tick_mark.h"

namespace quern::internal {

struct Turn;

class ActorTimers {
 public:
  ActorTimers() = default;
  ~ActorTimers() { CancelAll(); }
  ActorTimers(const ActorTimers&) = delete;
  ActorTimers& operator=(const ActorTimers&) = delete;

  // `delay` is the period of those that tick again. INVALID_ARGUMENT such a period not above zero;
  // RESOURCE_EXHAUSTED kTimersPerActorMax.
  StatusOr<TimerId> Start(Turn& turn, TimerKind kind, Duration delay,
                          std::unique_ptr<TickSource> source);
  StatusOr<TimerId> StartCron(Turn& turn, CronSchedule schedule,
                              std::unique_ptr<TickSource> source);
  bool Cancel(TimerId id);
  bool Pause(Turn& turn, TimerId id);
  bool Resume(Turn& turn, TimerId id);
  std::vector<TimerInfo> List(Turn& turn) const;
  void CancelAll();

  // Tells what is due. The cell's turn calls it when it was signalled. May throw what a message's
  // copy constructor throws.
  void Fire(Turn& turn);

 private:
  static constexpr uint16_t kNoPlace = UINT16_MAX;

  struct CronJob {
    CronSchedule schedule;
    WallTime target;
  };

  struct Timer {
    Time due{};                          // while paused: what was left, since the epoch
    Duration period{};                   // zero: once
    std::unique_ptr<TickSource> source;  // null: the slot is free
    std::shared_ptr<TickMark> mark;      // made by the first tick of those that tick again
    std::unique_ptr<CronJob> cron;
    uint32_t serial = 0;
    uint16_t place = kNoPlace;  // in the heap
    uint16_t owed = 0;          // ticks to make up for
    TimerKind kind = TimerKind::kOnce;
    bool paused = false;
    bool waits = false;  // in waiting_, for the end of its tick
  };

  StatusOr<TimerId> Add(Turn& turn, Timer timer);
  uint16_t Find(TimerId id) const;
  TimerId IdOf(uint16_t slot) const;
  void Free(uint16_t slot);

  void FireOne(Turn& turn, uint16_t slot, Time now);
  void FireFixedRate(Turn& turn, uint16_t slot, Time now);
  void FireCron(Turn& turn, uint16_t slot, Time now);
  void Tell(Turn& turn, Timer& timer);
  void AwaitEnd(Turn& turn, uint16_t slot);
  void SettleWaiting(Turn& turn, Time now);
  static void AimCron(Turn& turn, Timer& timer, Time now);
  void SetAlarm(Turn& turn);

  // A binary heap of slots.
  bool Earlier(uint16_t a, uint16_t b) const { return timers_[a].due < timers_[b].due; }
  void Push(uint16_t slot);
  void Take(uint16_t slot);
  void Settle(size_t place);
  void Put(size_t place, uint16_t slot);

  std::vector<Timer> timers_;
  std::vector<uint16_t> free_;
  std::vector<uint16_t> heap_;
  std::vector<uint16_t> waiting_;
  uint32_t last_serial_ = 0;
  CellTimer* alarm_ = nullptr;
  Time alarm_due_ = kNever;  // kNever: it is not armed
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_ACTOR_TIMERS_H_
