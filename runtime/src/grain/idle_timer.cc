#include "grain/idle_timer.h"

#include <algorithm>

#include "grain/activation.h"
#include "quern/runtime/limits.h"
#include "scheduler/worker.h"

namespace quern::internal {

IdleTimer::IdleTimer(Worker& worker, Activation* activation, Duration idle_timeout)
    : CellTimer(worker, CellPtr<MailboxCell>::Share(activation), Activation::kIdleSignal),
      activation_(activation),
      idle_timeout_(idle_timeout) {
  ArmAt(worker.now() + idle_timeout);
}

void IdleTimer::Fire() {
  const Time now = worker_.now();
  const Time idle_at = activation_->last_active() + idle_timeout_;
  if (now < idle_at) {
    // However short the timeout: a grain that is told without end touches the wheel this often.
    const bool is_short = idle_timeout_ < kActivityTouchEvery;
    ArmAt(is_short ? std::max(idle_at, now + kActivityTouchEvery) : idle_at);
    return;
  }
  CellTimer::Fire();
  ArmAt(now + idle_timeout_);  // it may be busy with one long handler, and stay
}

}  // namespace quern::internal
