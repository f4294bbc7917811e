#include "quern/runtime/metrics.h"

#include <map>
#include <utility>

#include <absl/strings/str_cat.h>

#include "actor/dead_letters.h"
#include "metrics/collect.h"
#include "quern/runtime/metric_names.h"
#include "scheduler/offload_pool.h"
#include "scheduler/scheduler.h"
#include "scheduler/worker.h"
#include "system/system_core.h"

namespace quern {
namespace {

constexpr double kQuantiles[] = {0.5, 0.9, 0.99, 0.999};
constexpr double kSecondsPerNano = 1e-9;

absl::string_view Abseil(std::string_view text) { return {text.data(), text.size()}; }

std::string Escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

std::string_view KindName(MetricKind kind) {
  static constexpr std::string_view kNames[] = {"counter", "gauge", "summary"};
  return kNames[static_cast<size_t>(kind)];
}

// `more` is a further label, complete.
void AppendSample(std::string* out, const Metric& metric, std::string_view suffix,
                  const std::string& more, double value) {
  std::string labels;
  if (!metric.label.empty()) {
    labels = absl::StrCat(Abseil(metric.label), "=\"", Escaped(metric.label_value), "\"");
  }
  if (!more.empty()) absl::StrAppend(&labels, labels.empty() ? "" : ",", more);
  if (!labels.empty()) labels = absl::StrCat("{", labels, "}");
  absl::StrAppend(out, Abseil(metric.name), Abseil(suffix), labels, " ", value, "\n");
}

}  // namespace

const Metric* MetricsSnapshot::Find(std::string_view name, std::string_view label_value) const {
  for (const Metric& metric : metrics) {
    if (metric.name == name && metric.label_value == label_value) return &metric;
  }
  return nullptr;
}

double MetricsSnapshot::Value(std::string_view name, std::string_view label_value) const {
  const Metric* metric = Find(name, label_value);
  return metric == nullptr ? 0 : metric->value;
}

std::string MetricsSnapshot::ToPrometheus() const {
  std::string out;
  std::string_view last;
  for (const Metric& metric : metrics) {
    if (metric.name != last) {
      absl::StrAppend(&out, "# TYPE ", Abseil(metric.name), " ", Abseil(KindName(metric.kind)),
                      "\n");
      last = metric.name;
    }
    if (metric.kind != MetricKind::kSummary) {
      AppendSample(&out, metric, "", "", metric.value);
      continue;
    }
    for (double quantile : kQuantiles) {
      AppendSample(&out, metric, "", absl::StrCat("quantile=\"", quantile, "\""),
                   static_cast<double>(metric.distribution.Quantile(quantile)) * metric.scale);
    }
    AppendSample(&out, metric, "_sum", "",
                 static_cast<double>(metric.distribution.sum()) * metric.scale);
    AppendSample(&out, metric, "_count", "", static_cast<double>(metric.distribution.count()));
  }
  return out;
}

namespace internal {
namespace {

namespace names = metric_names;

class Collector {
 public:
  explicit Collector(const SystemCore& core) : core_(core) {}

  MetricsSnapshot Collect() && {
    Gauge(names::kUptime, std::chrono::duration<double>(core_.uptime()).count());
    Gauge(names::kWorkers, static_cast<double>(core_.scheduler().workers().size()));
    Gauge(names::kOffloadThreads, core_.offload_pool().threads());
    for (size_t i = 0; i < kDeadLetterReasons; ++i) {
      const auto reason = static_cast<DeadLetterReason>(i);
      Add({.name = names::kDeadLetters,
           .kind = MetricKind::kCounter,
           .label = "reason",
           .label_value = std::string(DeadLetterReasonName(reason)),
           .value = static_cast<double>(core_.dead_letters().count(reason))});
    }
    OfWorkers(names::kTurns, MetricKind::kCounter, [](const Worker& w) { return w.turns(); });
    OfWorkers(names::kWorkerParks, MetricKind::kCounter, [](const Worker& w) { return w.parks(); });
    OfWorkers(names::kRunnerStalls, MetricKind::kCounter,
              [](const Worker& w) { return w.stalls(); });
    OfWorkers(names::kRunners, MetricKind::kGauge,
              [](const Worker& w) { return w.runner_count(); });
    OfClasses();
    return std::move(snapshot_);
  }

 private:
  void Add(Metric metric) { snapshot_.metrics.push_back(std::move(metric)); }

  void Gauge(std::string_view name, double value) {
    Add({.name = name, .kind = MetricKind::kGauge, .label = {}, .label_value = {}, .value = value});
  }

  template <typename F>
  void OfWorkers(std::string_view name, MetricKind kind, F value) {
    for (const auto& worker : core_.scheduler().workers()) {
      Add({.name = name,
           .kind = kind,
           .label = "worker",
           .label_value = std::to_string(worker->index()),
           .value = static_cast<double>(value(*worker))});
    }
  }

  void OfClasses() {
    struct Merged {
      HistogramSnapshot turn;
      HistogramSnapshot depth;
    };
    std::map<std::string_view, Merged> classes;
    for (const auto& worker : core_.scheduler().workers()) {
      worker->class_metrics().ForEach([&](const ClassMetrics::Entry& entry) {
        classes[entry.name].turn.Merge(entry.turn_nanos.Snapshot());
        classes[entry.name].depth.Merge(entry.depth.Snapshot());
      });
    }
    for (auto& [name, merged] : classes) {
      AddSummary(names::kTurnSeconds, name, std::move(merged.turn), kSecondsPerNano);
    }
    for (auto& [name, merged] : classes) {
      AddSummary(names::kMailboxDepth, name, std::move(merged.depth), 1);
    }
  }

  void AddSummary(std::string_view name, std::string_view of_class, HistogramSnapshot distribution,
                  double scale) {
    Add({.name = name,
         .kind = MetricKind::kSummary,
         .label = "class",
         .label_value = std::string(of_class),
         .value = 0,
         .distribution = std::move(distribution),
         .scale = scale});
  }

  const SystemCore& core_;
  MetricsSnapshot snapshot_;
};

}  // namespace

MetricsSnapshot CollectMetrics(const SystemCore& core) { return Collector(core).Collect(); }

}  // namespace internal
}  // namespace quern
