// Grains of this process: what the name costs beside a plain actor.

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "quern/quern.h"
#include "suite.h"

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

Finish g_tallied;  // a grain is constructed by name alone

struct TallyApi : Protocol<void(int64_t), int64_t(Total)> {
  static constexpr std::string_view kKind = "tally";
};
struct Tally : Grain<TallyApi> {
  void On(const int64_t& amount) {
    total += amount;
    g_tallied.One();
  }
  int64_t On(const Total&) { return total; }
  int64_t total = 0;
};

struct Work {
  int64_t count;
};
struct CallerApi : Protocol<void(Work)> {};

std::vector<Ref<TallyApi>> GrainsOf(System& system, int grains) {
  std::vector<Ref<TallyApi>> refs;
  for (int i = 0; i < grains; ++i) {
    refs.push_back(system.Grain<TallyApi>(std::to_string(i)));
    refs.back().Ask(Total{}).value();  // active before the clock starts
  }
  return refs;
}

struct Teller : Actor<CallerApi> {
  explicit Teller(std::vector<Ref<TallyApi>> grains) : grains_(std::move(grains)) {}
  void On(const Work& m) {
    for (int64_t i = 0; i < m.count; ++i) {
      grains_[static_cast<size_t>(i) % grains_.size()].Tell(int64_t{1});
    }
  }
  std::vector<Ref<TallyApi>> grains_;
};

void Tell(benchmark::State& state, int grains, int64_t burst) {
  constexpr int kTellers = 2;
  System system(TwoWorkers());
  system.Host<Tally>().IgnoreError();
  const auto refs = GrainsOf(system, grains);
  std::vector<Ref<CallerApi>> tellers;
  for (int i = 0; i < kTellers; ++i) {
    tellers.push_back(system.Spawn<Teller>("teller-" + std::to_string(i), refs).value());
  }

  while (state.KeepRunningBatch(kTellers * burst)) {
    g_tallied.Expect(kTellers * burst);
    for (const auto& teller : tellers) teller.Tell(Work{burst});
    g_tallied.Wait();
  }
  state.SetItemsProcessed(state.iterations());
}

struct Asker : Actor<CallerApi> {
  Asker(Ref<TallyApi> grain, Finish* finish) : grain_(std::move(grain)), finish_(finish) {}
  void On(const Work& m) {
    for (int64_t i = 0; i < m.count; ++i) {
      if (!grain_.Ask(Total{}).ok()) break;
    }
    finish_->One();
  }
  Ref<TallyApi> grain_;
  Finish* finish_;
};

void Ask(benchmark::State& state, int64_t asks) {
  System system(TwoWorkers());
  system.Host<Tally>().IgnoreError();
  Finish finish;
  auto asker = system.Spawn<Asker>("asker", GrainsOf(system, 1).front(), &finish).value();

  while (state.KeepRunningBatch(asks)) {
    finish.Expect(1);
    asker.Tell(Work{asks});
    finish.Wait();
  }
  state.SetItemsProcessed(state.iterations());
}

}  // namespace

void RegisterGrainBenchmarks() {
  benchmark::RegisterBenchmark("grain/tell one, 2 senders", Tell, 1, 100'000)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
  benchmark::RegisterBenchmark("grain/tell over 256, 2 senders", Tell, 256, 100'000)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
  benchmark::RegisterBenchmark("grain/ask", Ask, 100'000)->MeasureProcessCPUTime()->UseRealTime();
}

}  // namespace quern::bench
