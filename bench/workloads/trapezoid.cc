// Savina's trapezoidal approximation: a hundred workers integrate a part of a curve each.

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "quern/quern.h"
#include "workloads.h"

namespace quern::bench {
namespace {

constexpr int64_t kWorkers = 100;
constexpr double kFrom = 1;
constexpr double kTo = 5;

double Curve(double x) {
  const double a = std::sin(x * x * x - 1);
  const double b = 1 / (x + 1);
  return a * b * std::sqrt(1 + std::exp(std::sqrt(2 * x)));
}

struct Part {
  double from;
  double step;
  int64_t pieces;
};
double AreaOf(const Part& part) {
  double area = 0;
  for (int64_t i = 0; i < part.pieces; ++i) {
    const double left = part.from + static_cast<double>(i) * part.step;
    area += (Curve(left) + Curve(left + part.step)) / 2 * part.step;
  }
  return area;
}

struct WorkerApi : Protocol<double(Part)> {};
struct Worker : Actor<WorkerApi> {
  double On(const Part& m) { return AreaOf(m); }
};

}  // namespace

Outcome Trapezoid(const Setup& setup) {
  const int64_t pieces = std::max<int64_t>(1, setup.size / kWorkers);
  const double width = (kTo - kFrom) / kWorkers;
  System system(OptionsFor(setup));
  std::vector<Part> parts;
  std::vector<Pending<double>> asked;
  Stopwatch watch;
  for (int64_t i = 0; i < kWorkers; ++i) {
    parts.push_back(
        {kFrom + static_cast<double>(i) * width, width / static_cast<double>(pieces), pieces});
    auto worker = system.Spawn<Worker>(std::to_string(i)).value();
    asked.push_back(worker.AskAsync(parts.back(), std::chrono::minutes(1)));
  }
  double area = 0;
  for (const StatusOr<double>& part : AwaitAll(asked)) area += part.value_or(0);
  Outcome outcome{.messages = pieces * kWorkers, .took = watch.Stop()};
  double expected = 0;
  for (const Part& part : parts) expected += AreaOf(part);
  outcome.Check("area", area, expected);
  return outcome;
}

}  // namespace quern::bench
