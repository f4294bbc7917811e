// How often an actor has been restarted, and how long to wait before the next time. Owner only.

#ifndef QUERN_RUNTIME_SRC_ACTOR_RESTART_BUDGET_H_
#define QUERN_RUNTIME_SRC_ACTOR_RESTART_BUDGET_H_

#include <algorithm>
#include <optional>

#include "quern/runtime/clock.h"
#include "quern/runtime/limits.h"

namespace quern::internal {

class RestartBudget {
 public:
  // The pause before the restart, twice the last one; nothing when kRestartsMax within
  // kRestartWindow are used up. A window without failures starts anew.
  std::optional<Duration> Take(Time now) {
    if (count_ == 0 || now - window_start_ >= kRestartWindow) {
      window_start_ = now;
      count_ = 0;
    }
    if (count_ == kRestartsMax) return std::nullopt;
    return std::min(kRestartBackoffMax, kRestartBackoffMin * (int64_t{1} << count_++));
  }

 private:
  Time window_start_{};
  int count_ = 0;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_RESTART_BUDGET_H_
