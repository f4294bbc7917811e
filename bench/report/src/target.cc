#include "quern/bench/target.h"

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <utility>

namespace quern::bench {
namespace {

using Figures = std::map<std::string, std::vector<double>>;  // by unit

std::string Readable(double value) {
  char text[32];
  if (value >= 1e6) {
    std::snprintf(text, sizeof text, "%.2f M", value / 1e6);
  } else if (value >= 1e4) {
    std::snprintf(text, sizeof text, "%.1f k", value / 1e3);
  } else {
    std::snprintf(text, sizeof text, "%.4g", value);
  }
  return text;
}

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// The usual lines, and every single run kept for the table.
class TargetReporter : public benchmark::ConsoleReporter {
 public:
  explicit TargetReporter(std::vector<Target> targets)
      : ConsoleReporter(isatty(STDOUT_FILENO) ? OO_Color : OO_None), targets_(std::move(targets)) {}

  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration || run.error_occurred) continue;
      Figures& figures = measured_[run.run_name.function_name];
      figures["ns"].push_back(run.GetAdjustedRealTime() *
                              (1e9 / benchmark::GetTimeUnitMultiplier(run.time_unit)));
      figures["cpu ns"].push_back(run.GetAdjustedCPUTime() *
                                  (1e9 / benchmark::GetTimeUnitMultiplier(run.time_unit)));
      for (const auto& [name, counter] : run.counters) figures[name].push_back(counter.value);
    }
    std::vector<Run> shown;
    for (const Run& run : runs) {
      const bool wanted = run.run_type == Run::RT_Iteration
                              ? run.repetitions <= 1
                              : run.aggregate_name == "median" || run.aggregate_name == "cv";
      if (!wanted && !run.error_occurred) continue;
      shown.push_back(run);
      shown.back().run_name.time_type.clear();  // how it was measured is no part of its name
    }
    if (!shown.empty()) benchmark::ConsoleReporter::ReportRuns(shown);
  }

  void PrintTable() const {
    std::printf("\n%-28s %10s %12s %-11s %8s  %s\n", "target", "median", "wanted", "unit", "CPU ns",
                "");
    for (const Target& target : targets_) {
      const double median = MedianOf(target.benchmark, target.unit);
      if (median < 0) continue;  // filtered out
      const bool more = target.at_least > 0;
      const bool met = more ? median >= target.at_least : median <= target.at_most;
      std::string wanted = more ? ">= " : "<= ";
      wanted += Readable(more ? target.at_least : target.at_most);
      std::string remark = met ? "met" : "MISSED";
      if (const double floor = MedianOf(target.floor, target.unit); floor > 0) {
        char text[64];
        std::snprintf(text, sizeof text, ", %.2f of %s", median / floor, target.floor.c_str());
        remark += text;
      }
      std::printf("%-28s %10s %12s %-11s %8s  %s\n", target.benchmark.c_str(),
                  Readable(median).c_str(), wanted.c_str(), target.unit.c_str(),
                  Readable(MedianOf(target.benchmark, "cpu ns")).c_str(), remark.c_str());
    }
    double load = 0;
    const double cpus = static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN));
    if (getloadavg(&load, 1) == 1 && load > cpus + 1) {
      std::printf("Other work shares these %.0f CPUs (load average %.1f): read the CPU time.\n",
                  cpus, load);
    }
  }

 private:
  // Negative: not measured.
  double MedianOf(const std::string& name, const std::string& unit) const {
    const auto figures = measured_.find(name);
    if (figures == measured_.end()) return -1;
    const bool rate = unit.size() > 2 && unit.ends_with("/s");
    const auto values = figures->second.find(rate ? "items_per_second" : unit);
    return values == figures->second.end() ? -1 : Median(values->second);
  }

  const std::vector<Target> targets_;
  std::map<std::string, Figures> measured_;
};

}  // namespace

int Run(int argc, char** argv, std::vector<Target> targets) {
  // Before the user's own, so that those win.
  std::vector<std::string> words = {argv[0], "--benchmark_repetitions=5"};
  words.insert(words.end(), argv + 1, argv + argc);
  // The table needs every run; the lines show the aggregates alone as it is.
  std::erase(words, "--benchmark_report_aggregates_only=true");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;

  TargetReporter reporter(std::move(targets));
  const size_t ran = benchmark::RunSpecifiedBenchmarks(&reporter);
  if (ran > 0) reporter.PrintTable();
  return 0;
}

}  // namespace quern::bench
