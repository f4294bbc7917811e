// The timers of one actor: After and Every. A tick is an ordinary message of the actor's Api; of
// one timer at most one is under way. Owner only: the actor's turn.

#ifndef QUERN_RUNTIME_SRC_ACTOR_ACTOR_TIMERS_H_
#define QUERN_RUNTIME_SRC_ACTOR_ACTOR_TIMERS_H_

#include <atomic>
#include <memory>
#include <unordered_map>

#include "quern/runtime/actor.h"
#include "quern/runtime/clock.h"
#include "timer/cell_timer.h"

namespace quern::internal {

class TickTimer final : public CellTimer {
 public:
  TickTimer(Worker& worker, CellPtr<MailboxCell> cell, Time first, Duration period,
            std::unique_ptr<TickSource> source);

  // A one-shot that has told its message.
  bool spent() const { return spent_.load(std::memory_order_acquire); }

 private:
  void Fire() override;

  const Duration period_;  // zero: once
  const std::unique_ptr<TickSource> source_;
  const std::shared_ptr<std::atomic<bool>> under_way_;
  Time due_;
  std::atomic<bool> spent_{false};
};

class ActorTimers {
 public:
  ActorTimers() = default;
  ~ActorTimers() { CancelAll(); }
  ActorTimers(const ActorTimers&) = delete;
  ActorTimers& operator=(const ActorTimers&) = delete;

  // 0: there are kTimersPerActorMax already.
  TimerId Start(Worker& worker, MailboxCell* cell, Duration delay, Duration period,
                std::unique_ptr<TickSource> source);
  bool Cancel(TimerId id);
  void CancelAll();

 private:
  void DropSpent();

  TimerId last_id_ = 0;
  std::unordered_map<TimerId, TickTimer*> timers_;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_ACTOR_TIMERS_H_
