// Bounds how long an activation may try: when the time is over, the wait that the turn is parked in
// is cancelled, and so is every later one.
//
//   ActivationLimit limit(turn, 10s);       // on the turn's own fiber
//   Status tried = TryToActivate(turn);
//   if (limit.passed()) tried = limit.Error(tries, tried);
//
// Lives on the stack of the turn, which stays on one worker; the timer fires there.

#ifndef QUERN_RUNTIME_SRC_GRAIN_ACTIVATION_LIMIT_H_
#define QUERN_RUNTIME_SRC_GRAIN_ACTIVATION_LIMIT_H_

#include "actor/turn.h"
#include "quern/runtime/clock.h"
#include "quern/runtime/status.h"
#include "timer/timer_wheel.h"

namespace quern::internal {

class ActivationLimit : private TimerNode {
 public:
  // Duration::max(): no limit.
  ActivationLimit(Turn& turn, Duration timeout);
  ~ActivationLimit();
  ActivationLimit(const ActivationLimit&) = delete;
  ActivationLimit& operator=(const ActivationLimit&) = delete;

  // kNever for no limit.
  Time until() const { return until_; }
  bool passed() const { return passed_; }

  // DEADLINE_EXCEEDED, with how often it was tried and what came of the last try.
  Status Error(int tries, const Status& last) const;

 private:
  static void OnTimer(TimerNode* node);

  Turn& turn_;
  const Duration timeout_;
  const Time until_;
  bool passed_ = false;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_GRAIN_ACTIVATION_LIMIT_H_
