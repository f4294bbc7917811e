#include "grain/activation_limit.h"

#include <chrono>

#include <absl/strings/str_cat.h>

#include "scheduler/waiter.h"
#include "scheduler/worker.h"

namespace quern::internal {
namespace {

Time Until(Time now, Duration timeout) { return timeout > kNever - now ? kNever : now + timeout; }

}  // namespace

ActivationLimit::ActivationLimit(Turn& turn, Duration timeout)
    : turn_(turn), timeout_(timeout), until_(Until(turn.worker->ReadClock(), timeout)) {
  if (until_ != kNever) turn_.worker->timers().Arm(this, until_, &ActivationLimit::OnTimer);
}

ActivationLimit::~ActivationLimit() { turn_.worker->timers().Cancel(this); }

void ActivationLimit::OnTimer(TimerNode* node) {
  auto* limit = static_cast<ActivationLimit*>(node);
  limit->passed_ = true;
  Waiter::CancelTurn(limit->turn_);
}

Status ActivationLimit::Error(int tries, const Status& last) const {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(timeout_).count();
  return absl::DeadlineExceededError(absl::StrCat("not done within the activate_timeout of ", ms,
                                                  " ms (tries: ", tries,
                                                  "); last: ", last.message()));
}

}  // namespace quern::internal
