// When a worker may take actors from another one again. A theft stops both for some microseconds,
// the owner too: what it brings must be worth that, or the next one comes later, and later.
//
//   if (pause.Over(now) && Take()) pause.Began(now);
//   ...                                   // runs what it took
//   pause.Ended(now);                     // has nothing to do again
//
// Of one worker.

#ifndef QUERN_RUNTIME_SRC_SCHEDULER_THEFT_PAUSE_H_
#define QUERN_RUNTIME_SRC_SCHEDULER_THEFT_PAUSE_H_

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "quern/runtime/clock.h"

namespace quern::internal {

class TheftPause {
 public:
  static constexpr Duration kWorthIt = std::chrono::microseconds(50);  // of work
  static constexpr Duration kMin = std::chrono::microseconds(50);
  static constexpr Duration kMax = std::chrono::milliseconds(1);

  bool Over(Time now) const { return now >= until_; }
  Time until() const { return until_; }

  void Began(Time now) { began_ = now; }
  // Runs what it took.
  bool began() const { return began_.has_value(); }
  // Of none that began it does nothing.
  void Ended(Time now) {
    if (began_.has_value()) Note(now, now - *std::exchange(began_, std::nullopt));
  }
  // Somebody was quicker.
  void Failed(Time now) { Note(now, Duration::zero()); }

 private:
  void Note(Time now, Duration worked) {
    pause_ = worked >= kWorthIt ? Duration::zero() : std::clamp(pause_ * 2, kMin, kMax);
    until_ = now + pause_;
  }

  std::optional<Time> began_;
  Duration pause_{0};
  Time until_{};
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SCHEDULER_THEFT_PAUSE_H_
