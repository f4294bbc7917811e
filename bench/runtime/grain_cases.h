// A grain that counts, the actors that call it, and the two loops that are measured: the same on a
// system alone (bench/runtime) and on a node of a cluster (bench/cluster). For one program's one
// source: the grain is found by its kind.

#ifndef QUERN_BENCH_RUNTIME_GRAIN_CASES_H_
#define QUERN_BENCH_RUNTIME_GRAIN_CASES_H_

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/quern.h"

namespace quern::bench {
struct Total {};
struct Pass {
  int64_t count = 0;
};
}  // namespace quern::bench

template <>
struct quern::Codec<quern::bench::Total> {
  static constexpr std::string_view kName = "bench.Total";
  static void Encode(const bench::Total&, std::string*) {}
  static Status Decode(std::string_view, bench::Total*) { return absl::OkStatus(); }
};
template <>
struct quern::Codec<quern::bench::Pass> {
  static constexpr std::string_view kName = "bench.Pass";
  static void Encode(const bench::Pass& m, std::string* out) {
    Codec<int64_t>::Encode(m.count, out);
  }
  static Status Decode(std::string_view bytes, bench::Pass* m) {
    return Codec<int64_t>::Decode(bytes, &m->count);
  }
};

namespace quern::bench {

inline Finish g_tallied;  // a grain is constructed by name alone

struct TallyApi : Protocol<void(int64_t), int64_t(Total), void(Pass)> {
  static constexpr std::string_view kKind = "tally";
};
struct Tally : Grain<TallyApi> {
  void On(const int64_t& amount) {
    total += amount;
    g_tallied.One();
  }
  int64_t On(const Total&) { return total; }
  // To another grain, so often.
  void On(const Pass& m, Context& context) {
    if (!next) next = context.Grain<TallyApi>(key() + "'");
    for (int64_t i = 0; i < m.count; ++i) next.Tell(int64_t{1});
  }
  int64_t total = 0;
  Ref<TallyApi> next;
};

struct Calls {
  int64_t count;
};
struct CallerApi : Protocol<void(Calls)> {};

struct GrainTeller : Actor<CallerApi> {
  explicit GrainTeller(std::vector<Ref<TallyApi>> grains) : grains_(std::move(grains)) {}
  void On(const Calls& m) {
    for (int64_t i = 0; i < m.count; ++i) {
      grains_[static_cast<size_t>(i) % grains_.size()].Tell(int64_t{1});
    }
  }
  std::vector<Ref<TallyApi>> grains_;
};

struct GrainAsker : Actor<CallerApi> {
  GrainAsker(Ref<TallyApi> grain, Finish* finish) : grain_(std::move(grain)), finish_(finish) {}
  void On(const Calls& m) {
    for (int64_t i = 0; i < m.count; ++i) {
      if (!grain_.Ask(Total{}).ok()) break;
    }
    finish_->One();
  }
  Ref<TallyApi> grain_;
  Finish* finish_;
};

inline std::vector<Ref<TallyApi>> GrainsOf(System& system, int grains) {
  std::vector<Ref<TallyApi>> refs;
  for (int i = 0; i < grains; ++i) {
    refs.push_back(system.Grain<TallyApi>(std::to_string(i)));
    refs.back().Ask(Total{}).value();  // active before the clock starts
  }
  return refs;
}

// Two actors tell `burst` messages each, over so many grains. `system` hosts Tally.
inline void TellGrains(benchmark::State& state, System& system, int grains, int64_t burst) {
  constexpr int kTellers = 2;
  const auto refs = GrainsOf(system, grains);
  std::vector<Ref<CallerApi>> tellers;
  for (int i = 0; i < kTellers; ++i) {
    tellers.push_back(system.Spawn<GrainTeller>("teller-" + std::to_string(i), refs).value());
  }

  while (state.KeepRunningBatch(kTellers * burst)) {
    g_tallied.Expect(kTellers * burst);
    for (const auto& teller : tellers) teller.Tell(Calls{burst});
    g_tallied.Wait();
  }
  state.SetItemsProcessed(state.iterations());
}

// One actor asks one grain, one ask at a time.
inline void AskGrain(benchmark::State& state, System& system, int64_t asks) {
  Finish finish;
  auto asker = system.Spawn<GrainAsker>("asker", GrainsOf(system, 1).front(), &finish).value();

  while (state.KeepRunningBatch(asks)) {
    finish.Expect(1);
    asker.Tell(Calls{asks});
    finish.Wait();
  }
  state.SetItemsProcessed(state.iterations());
}

}  // namespace quern::bench

#endif  // QUERN_BENCH_RUNTIME_GRAIN_CASES_H_
