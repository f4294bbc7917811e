// A turn that is measured: one in kMetricSampleEvery. It notes how long each handler held the
// worker, waits left out, and now and then how deep the turn's stack was. Stands on the runner's
// stack; owner only.

#ifndef QUERN_RUNTIME_SRC_METRICS_TURN_SAMPLE_H_
#define QUERN_RUNTIME_SRC_METRICS_TURN_SAMPLE_H_

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
  // first ones all are; of a turn with many, few stand for all, for a clock costs as much as much
  // of what is waited for.
  bool WaitDue() { return ++waits_ <= kWaitsMeasured || waits_ % kWaitEvery == 0; }
  // One that was.
  void Waited(Duration duration) {
    waited_ += waits_ <= kWaitsMeasured ? duration : duration * kWaitEvery;
  }
  // A message has been handled.
  void Handled(Time now);

 private:
  static constexpr unsigned kWaitsMeasured = 16;
  static constexpr unsigned kWaitEvery = 16;

  ClassMetrics::Entry& entry_;
  Worker& worker_;
  Runner& runner_;
  Time since_;  // the last message, or the turn's begin
  Duration waited_{};
  unsigned waits_ = 0;
  bool looks_at_stack_;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_METRICS_TURN_SAMPLE_H_
