// Savina's logistic map: ten series, each computed term by term by asking another actor.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "workloads.h"

namespace quern::bench {
namespace {

constexpr int kSeries = 10;
constexpr double kFirstRate = 3.46;
constexpr double kRateStep = 0.0025;

double RateOf(int series) { return kFirstRate + series * kRateStep; }
double FirstTerm(int series) { return 0.25 + series * 0.05; }

struct Next {
  double term;
};
struct RateApi : Protocol<double(Next)> {};
struct Rate : Actor<RateApi> {
  explicit Rate(double rate) : rate_(rate) {}
  double On(const Next& m) { return rate_ * m.term * (1 - m.term); }
  const double rate_;
};

struct Compute {
  int64_t terms;
};
struct SeriesApi : Protocol<double(Compute)> {};
struct Series : Actor<SeriesApi> {
  Series(double first, Ref<RateApi> rate) : term_(first), rate_(std::move(rate)) {}
  StatusOr<double> On(const Compute& m) {
    for (int64_t i = 0; i < m.terms; ++i) {
      StatusOr<double> next = rate_.Ask(Next{term_});
      if (!next.ok()) return next.status();
      term_ = *next;
    }
    return term_;
  }
  double term_;
  Ref<RateApi> rate_;
};

double Expected(int64_t terms) {
  double sum = 0;
  for (int series = 0; series < kSeries; ++series) {
    double term = FirstTerm(series);
    for (int64_t i = 0; i < terms; ++i) term = RateOf(series) * term * (1 - term);
    sum += term;
  }
  return sum;
}

}  // namespace

Outcome LogisticMap(const Setup& setup) {
  System system(OptionsFor(setup));
  std::vector<Ref<SeriesApi>> all;
  for (int i = 0; i < kSeries; ++i) {
    auto rate = system.Spawn<Rate>("rate-" + std::to_string(i), RateOf(i)).value();
    all.push_back(system.Spawn<Series>("series-" + std::to_string(i), FirstTerm(i), rate).value());
  }
  Stopwatch watch;
  std::vector<Pending<double>> asked;
  for (const auto& series : all) {
    asked.push_back(series.AskAsync(Compute{setup.size}, std::chrono::minutes(1)));
  }
  double sum = 0;
  for (const StatusOr<double>& term : AwaitAll(asked)) sum += term.value_or(0);
  Outcome outcome{.messages = 2 * kSeries * setup.size, .took = watch.Stop()};
  outcome.Check("sum of the last terms", sum, Expected(setup.size));
  return outcome;
}

}  // namespace quern::bench
