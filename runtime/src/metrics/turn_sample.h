// A turn that is measured: one in kMetricSampleEvery. It notes how long each handler held the
// worker, waits left out, and now and then how deep the turn's stack was. Stands on the runner's
// stack; owner only.

#ifndef QUERN_RUNTIME_SRC_METRICS_TURN_SAMPLE_H_
#define QUERN_RUNTIME_SRC_METRICS_TURN_SAMPLE_H_

#include <cstdint>

#include "metrics/class_metrics.h"
#include "quern/runtime/clock.h"

namespace quern::internal {

class Worker;
struct Runner;

class TurnSample {
 public:
  // From now on it is the runner's.
  TurnSample(ClassMetrics::Entry& entry, Worker& worker, Time now);
  ~TurnSample();
  TurnSample(const TurnSample&) = delete;
  TurnSample& operator=(const TurnSample&) = delete;

  // The turn does not hold its worker meanwhile: tells whether this wait is to be measured. The
  // first ones all are; of a handler with many a few stand for the rest, for a clock costs as much
  // as much of what is waited for.
  bool WaitDue() { return ++waits_ <= kWaitsMeasured || waits_ % kWaitEvery == 0; }
  // One that was.
  void Waited(Duration duration) {
    if (waits_ <= kWaitsMeasured) {
      first_waits_ += duration;
    } else {
      later_waits_ += duration;
      ++later_measured_;
    }
  }
  // A message has been handled.
  void Handled(Time now);

 private:
  static constexpr int64_t kWaitsMeasured = 16;
  static constexpr int64_t kWaitEvery = 16;

  Duration Waited() const;

  ClassMetrics::Entry& entry_;
  Worker& worker_;
  Runner& runner_;
  Time since_;  // the last message, or the turn's begin
  // Since then.
  int64_t waits_ = 0;
  Duration first_waits_{};
  Duration later_waits_{};  // of those measured
  int64_t later_measured_ = 0;
  bool looks_at_stack_;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_METRICS_TURN_SAMPLE_H_
