#include "quern/runtime/metrics.h"

#include <algorithm>
#include <map>
#include <utility>

#include <absl/strings/str_cat.h>

#include "actor/dead_letters.h"
#include "metrics/ask_counts.h"
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

// One line each, for whoever meets the name on a dashboard; "" for names that are not ours.
std::string_view HelpOf(std::string_view name) {
  namespace names = metric_names;
  struct Help {
    std::string_view name;
    std::string_view text;
  };
  static constexpr Help kHelp[] = {
      {names::kAsks, "Asks that were sent."},
      {names::kAskTimeouts, "Asks without an answer in time, by what the asked one did then."},
      {names::kLateReplies, "Handlers of asks that ended after the asker had given up."},
      {names::kDeadLetters, "Messages that nobody handled."},
      {names::kRestarts, "Restarts of actors after a failure or on request."},
      {names::kTurns, "Turns of actors, a batch of messages each."},
      {names::kRunnerStalls, "Times that actors waited because every runner was suspended."},
      {names::kWorkerParks, "Times that a worker had nothing to do and slept."},
      {names::kUptime, "Time since the start of the system."},
      {names::kWorkers, "Worker threads."},
      {names::kAsksInFlight, "Asks that wait for their answer."},
      {names::kRunners, "Fibers that run handlers, idle ones too."},
      {names::kParkedHandlers, "Handlers and other fibers that wait."},
      {names::kOffloadThreads, "Threads for functions that block."},
      {names::kStackBytes, "Most of a stack that a measured turn has used."},
      {names::kRunnerStackBytes, "Most of a stack that anything has used, where it was measured."},
      {names::kHandlerSeconds, "Time that a handler held its worker; its waits are left out."},
      {names::kMailboxDepth, "Messages that waited when a turn began, 64 at most."},
      {names::kMailboxWaitSeconds, "Time from a message's arrival to its handler."},
  };
  for (const Help& help : kHelp) {
    if (help.name == name) return help.text;
  }
  return {};
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
      if (const std::string_view help = HelpOf(metric.name); !help.empty()) {
        absl::StrAppend(&out, "# HELP ", Abseil(metric.name), " ", Abseil(help), "\n");
      }
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
    OfSystem();
    OfAsks();
    OfAllWorkers();
    OfClasses();
    return std::move(snapshot_);
  }

 private:
  void OfSystem() {
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
  }

  void OfAsks() {
    const AskCounts& asks = core_.asks();
    uint64_t begun = asks.begun();
    uint64_t ended = asks.ended();
    for (const auto& worker : core_.scheduler().workers()) {
      begun += worker->SeenCounts().asks_begun;
      ended += worker->SeenCounts().asks_ended;
    }
    Add({.name = names::kAsks, .kind = MetricKind::kCounter, .value = static_cast<double>(begun)});
    // An end may be seen before its beginning: they are different workers' numbers.
    Gauge(names::kAsksInFlight, begun < ended ? 0 : static_cast<double>(begun - ended));
    Add({.name = names::kLateReplies,
         .kind = MetricKind::kCounter,
         .value = static_cast<double>(asks.late())});
    for (size_t i = 0; i < kTimeoutCauses; ++i) {
      const auto cause = static_cast<TimeoutCause>(i);
      Add({.name = names::kAskTimeouts,
           .kind = MetricKind::kCounter,
           .label = "cause",
           .label_value = std::string(TimeoutCauseName(cause)),
           .value = static_cast<double>(asks.timeouts(cause))});
    }
  }

  void OfAllWorkers() {
    OfWorkers(names::kTurns, MetricKind::kCounter, [](const Worker& w) { return w.turns(); });
    OfWorkers(names::kWorkerParks, MetricKind::kCounter, [](const Worker& w) { return w.parks(); });
    OfWorkers(names::kRunnerStalls, MetricKind::kCounter,
              [](const Worker& w) { return w.stalls(); });
    OfWorkers(names::kRunners, MetricKind::kGauge,
              [](const Worker& w) { return w.runner_count(); });
    OfWorkers(names::kParkedHandlers, MetricKind::kGauge,
              [](Worker& w) { return w.SeenCounts().parked; });
    OfWorkers(names::kRunnerStackBytes, MetricKind::kGauge,
              [](const Worker& w) { return w.class_metrics().stack_bytes(); });
  }

  void Add(Metric metric) { snapshot_.metrics.push_back(std::move(metric)); }

  void Gauge(std::string_view name, double value) {
    Add({.name = name, .kind = MetricKind::kGauge, .value = value});
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
      HistogramSnapshot handler;
      HistogramSnapshot wait;
      HistogramSnapshot depth;
      uint64_t restarts = 0;
      uint64_t stack_bytes = 0;
    };
    std::map<std::string_view, Merged> classes;
    for (const auto& worker : core_.scheduler().workers()) {
      worker->class_metrics().ForEach([&](const ClassMetrics::Entry& entry) {
        Merged& merged = classes[entry.name];
        merged.handler.Merge(entry.handler_nanos.Snapshot());
        merged.wait.Merge(entry.wait_nanos.Snapshot());
        merged.depth.Merge(entry.depth.Snapshot());
        merged.restarts += entry.restarts.load(std::memory_order_relaxed);
        merged.stack_bytes =
            std::max(merged.stack_bytes, entry.stack_bytes.load(std::memory_order_relaxed));
      });
    }
    for (const auto& [name, merged] : classes) {
      AddOfClass(names::kRestarts, MetricKind::kCounter, name, merged.restarts);
    }
    for (const auto& [name, merged] : classes) {
      if (merged.stack_bytes == 0) continue;  // not looked at yet
      AddOfClass(names::kStackBytes, MetricKind::kGauge, name, merged.stack_bytes);
    }
    for (auto& [name, merged] : classes) {
      AddSummary(names::kHandlerSeconds, name, std::move(merged.handler), kSecondsPerNano);
    }
    for (auto& [name, merged] : classes) {
      AddSummary(names::kMailboxWaitSeconds, name, std::move(merged.wait), kSecondsPerNano);
    }
    for (auto& [name, merged] : classes) {
      AddSummary(names::kMailboxDepth, name, std::move(merged.depth), 1);
    }
  }

  void AddOfClass(std::string_view name, MetricKind kind, std::string_view of_class,
                  uint64_t value) {
    Add({.name = name,
         .kind = kind,
         .label = "class",
         .label_value = std::string(of_class),
         .value = static_cast<double>(value)});
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
