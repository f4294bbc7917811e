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

  // The turn did not hold its worker meanwhile.
  void Waited(Duration duration) { waited_ += duration; }
  // A message has been handled.
  void Handled(Time now);

 private:
  ClassMetrics::Entry& entry_;
  Worker& worker_;
  Runner& runner_;
  Time since_;  // the last message, or the turn's begin
  Duration waited_{};
  bool looks_at_stack_;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_METRICS_TURN_SAMPLE_H_
