// How often an actor has been restarted, and how long to wait before the next time. Owner only.

#ifndef QUERN_RUNTIME_SRC_ACTOR_RESTART_BUDGET_H_
#define QUERN_RUNTIME_SRC_ACTOR_RESTART_BUDGET_H_

#include <algorithm>
#include <optional>

#include "actor/supervisor_policy.h"
#include "quern/runtime/clock.h"

namespace quern::internal {

class RestartBudget {
 public:
  // The pause before the restart; nothing when the policy's restarts within its window are used up.
  // The window begins with the first of them.
  std::optional<Duration> Take(const Supervisor::Policy& policy, Time now) {
    if (count_ == 0 || now - window_start_ >= policy.restart_window) {
      window_start_ = now;
      count_ = 0;
    }
    if (count_ >= policy.restarts_max) return std::nullopt;
    ++count_;
    return Pause(policy.backoff, now);
  }

  // The pause alone.
  Duration Pause(const RestartBackoff& backoff, Time now) {
    if (now - last_failure_ >= backoff.reset_after) pause_ = Duration::zero();
    last_failure_ = now;
    const bool doubles = pause_ > Duration::zero() && pause_ <= backoff.max / 2;
    if (pause_ == Duration::zero()) {
      pause_ = backoff.min;
    } else {
      pause_ = doubles ? pause_ * 2 : backoff.max;
    }
    return pause_;
  }

 private:
  Time window_start_{};
  Time last_failure_{};
  int count_ = 0;
  Duration pause_{};
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_RESTART_BUDGET_H_
