// Grains of this process: told by two actors, one grain and 256 of them; asked one at a time.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/bench/latencies.h"
#include "quern/quern.h"
#include "workloads.h"

namespace quern::bench {
struct Total {};
}  // namespace quern::bench

template <>
struct quern::Codec<quern::bench::Total> {
  static constexpr std::string_view kName = "bench.Total";
  static void Encode(const bench::Total&, std::string*) {}
  static Status Decode(std::string_view, bench::Total*) { return absl::OkStatus(); }
};

namespace quern::bench {
namespace {

struct TallyApi : Protocol<void(int64_t), int64_t(Total)> {
  static constexpr std::string_view kKind = "tally";
};
// The grain that brings the count of all to its end says so.
struct Counter : Grain<TallyApi> {
  Counter(int64_t each, Finish* finish) : each_(each), finish_(finish) {}
  void On(const int64_t& amount) {
    total_ += amount;
    if (++handled_ == each_) finish_->One();
  }
  int64_t On(const Total&) { return total_; }

  const int64_t each_;
  Finish* finish_;
  int64_t handled_ = 0;
  int64_t total_ = 0;
};

struct Work {
  int64_t rounds;
};
struct CallerApi : Protocol<void(Work)> {};
struct Teller : Actor<CallerApi> {
  explicit Teller(std::vector<Ref<TallyApi>> grains) : grains_(std::move(grains)) {}
  void On(const Work& m) {
    for (int64_t i = 0; i < m.rounds; ++i) {
      for (const auto& grain : grains_) grain.Tell(int64_t{1});
    }
  }
  std::vector<Ref<TallyApi>> grains_;
};

Outcome TellGrains(const Setup& setup, int64_t grains, const GrainOptions& options = {}) {
  constexpr int64_t kTellers = 2;
  const int64_t rounds = std::max<int64_t>(1, setup.size / (kTellers * grains));
  System system(OptionsFor(setup));
  Finish finish;
  system.Host<Counter>(options, kTellers * rounds, &finish).IgnoreError();
  std::vector<Ref<TallyApi>> refs;
  for (int64_t i = 0; i < grains; ++i) {
    refs.push_back(system.Grain<TallyApi>(std::to_string(i)));
    refs.back().Ask(Total{}).value();  // active before the clock starts
  }
  std::vector<Ref<CallerApi>> tellers;
  for (int64_t i = 0; i < kTellers; ++i) {
    tellers.push_back(system.Spawn<Teller>("teller-" + std::to_string(i), refs).value());
  }

  finish.Expect(grains);
  Stopwatch watch;
  for (const auto& teller : tellers) teller.Tell(Work{rounds});
  finish.Wait();
  Outcome outcome{.messages = kTellers * rounds * grains, .took = watch.Stop()};
  int64_t sum = 0;
  for (const auto& grain : refs) sum += grain.Ask(Total{}).value();
  outcome.Check("sum received", static_cast<double>(sum), static_cast<double>(outcome.messages));
  return outcome;
}

struct Asker : Actor<CallerApi> {
  Asker(Ref<TallyApi> grain, Latencies* latencies, Finish* finish)
      : grain_(std::move(grain)), latencies_(latencies), finish_(finish) {}
  void On(const Work& m) {
    for (int64_t i = 0; i < m.rounds; ++i) {
      const int64_t before = Nanoseconds();
      if (!grain_.Ask(Total{}).ok()) break;
      latencies_->Add(Nanoseconds() - before);
    }
    finish_->One();
  }
  Ref<TallyApi> grain_;
  Latencies* latencies_;
  Finish* finish_;
};

}  // namespace

Outcome GrainTell1(const Setup& setup) { return TellGrains(setup, 1); }
Outcome GrainTell256(const Setup& setup) { return TellGrains(setup, 256); }
Outcome FeaturesGrain(const Setup& setup) {
  return TellGrains(setup, 1, {.idle_timeout = kNeverIdle});
}
Outcome FeaturesGrainIdle(const Setup& setup) { return TellGrains(setup, 1); }
Outcome FeaturesGrainIdleSoon(const Setup& setup) {
  return TellGrains(setup, 1, {.idle_timeout = std::chrono::milliseconds(100)});
}

Outcome GrainAsk(const Setup& setup) {
  Latencies latencies(setup.size);
  System system(OptionsFor(setup));
  Finish finish;
  system.Host<Counter>({}, int64_t{0}, &finish).IgnoreError();
  auto grain = system.Grain<TallyApi>("0");
  grain.Ask(Total{}).value();
  auto asker = system.Spawn<Asker>("asker", grain, &latencies, &finish).value();

  finish.Expect(1);
  Stopwatch watch;
  asker.Tell(Work{setup.size});
  finish.Wait();
  Outcome outcome{.messages = setup.size, .took = watch.Stop()};
  outcome.figures = {{"p50_ns", latencies.Quantile(0.5)},
                     {"p99_ns", latencies.Quantile(0.99)},
                     {"p999_ns", latencies.Quantile(0.999)}};
  outcome.Check("answers", static_cast<double>(latencies.count()), static_cast<double>(setup.size));
  return outcome;
}

}  // namespace quern::bench
