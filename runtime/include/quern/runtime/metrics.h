// What a system has done, as numbers: by worker, by reason, by class of actor, never by instance.
//
//   quern::MetricsSnapshot now = system.Metrics();
//   now.Value(metric_names::kDeadLetters, "full");
//   std::string page = now.ToPrometheus();      // text exposition format 0.0.4
//
// Counting costs the hot path next to nothing: workers count for themselves, distributions are
// sampled. At most kMetricClassesMax classes are told apart; the rest share "(others)". Taking a
// snapshot holds up nobody and waits for nobody.
// A value.

#ifndef QUERN_RUNTIME_METRICS_H_
#define QUERN_RUNTIME_METRICS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quern/runtime/histogram.h"

namespace quern {

enum class MetricKind : uint8_t { kCounter, kGauge, kSummary };

struct Metric {
  std::string_view name;  // of metric_names.h
  MetricKind kind = MetricKind::kCounter;
  std::string_view label = {};  // its name; "": none
  std::string label_value = {};
  double value = 0;                     // counters and gauges
  HistogramSnapshot distribution = {};  // summaries; seconds in nanoseconds
  double scale = 1;                     // what a distribution's values are multiplied with
};

class MetricsSnapshot {
 public:
  std::vector<Metric> metrics;  // those of one name stand together

  // Null: there is none of this name and label. Valid as long as the snapshot.
  const Metric* Find(std::string_view name, std::string_view label_value = {}) const;

  // 0 when there is none.
  double Value(std::string_view name, std::string_view label_value = {}) const;

  // Text of Prometheus' exposition format, version 0.0.4.
  std::string ToPrometheus() const;
};

}  // namespace quern

#endif  // QUERN_RUNTIME_METRICS_H_
