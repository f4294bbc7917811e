// As bench/runtime's cases of the same names, on a node: told and asked by actors, and by a grain.

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/cluster/embedded_control_plane.h"
#include "quern/cluster/embedded_store.h"
#include "quern/cluster/node.h"
#include "quern/quern.h"
#include "quern/remoting/asio_io.h"
#include "quern/runtime/random.h"

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
namespace {

Finish g_tallied;  // a grain is constructed by name alone

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

struct Work {
  int64_t count;
};
struct CallerApi : Protocol<void(Work)> {};

// A cluster of one, with its control plane in memory.
struct Site {
  Site() {
    system.Host<Tally>().IgnoreError();
    cluster::NodeOptions options;
    options.cluster_id = "bench";
    options.node_id = "node";
    options.records = records.get();
    options.leases = leases.get();
    node = cluster::Node::Start(system, options).value();
  }
  ~Site() {
    node.reset();
    system.Stop();
    records.reset();
    leases.reset();
    store.reset();
    store_io->Stop();
  }

  std::vector<Ref<TallyApi>> Grains(int count) {
    std::vector<Ref<TallyApi>> refs;
    for (int i = 0; i < count; ++i) {
      refs.push_back(system.Grain<TallyApi>(std::to_string(i)));
      refs.back().Ask(Total{}).value();  // active before the clock starts
    }
    return refs;
  }

  std::unique_ptr<remoting::AsioIo> store_io = remoting::AsioIo::Start({.name = "store"}).value();
  std::unique_ptr<cluster::EmbeddedStore> store =
      std::make_unique<cluster::EmbeddedStore>(*store_io, SeededRandom(7));
  std::unique_ptr<cluster::EmbeddedControlPlane> records = store->Connect("node", *store_io);
  std::unique_ptr<cluster::EmbeddedControlPlane> leases = store->Connect("node", *store_io);
  System system{SystemOptions{.name = "bench", .workers = 2}};
  std::unique_ptr<cluster::Node> node;
};

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
  Site site;
  const auto refs = site.Grains(grains);
  std::vector<Ref<CallerApi>> tellers;
  for (int i = 0; i < kTellers; ++i) {
    tellers.push_back(site.system.Spawn<Teller>("teller-" + std::to_string(i), refs).value());
  }

  while (state.KeepRunningBatch(kTellers * burst)) {
    g_tallied.Expect(kTellers * burst);
    for (const auto& teller : tellers) teller.Tell(Work{burst});
    g_tallied.Wait();
  }
  state.SetItemsProcessed(state.iterations());
}

void TellFromAGrain(benchmark::State& state, int64_t burst) {
  Site site;
  const Ref<TallyApi> grain = site.Grains(1).front();

  while (state.KeepRunningBatch(burst)) {
    g_tallied.Expect(burst);
    grain.Tell(Pass{burst});
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
  Site site;
  Finish finish;
  auto asker = site.system.Spawn<Asker>("asker", site.Grains(1).front(), &finish).value();

  while (state.KeepRunningBatch(asks)) {
    finish.Expect(1);
    asker.Tell(Work{asks});
    finish.Wait();
  }
  state.SetItemsProcessed(state.iterations());
}

}  // namespace

void RegisterGrainBenchmarks() {
  benchmark::RegisterBenchmark("node/grain tell one, 2 senders", Tell, 1, 100'000)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
  benchmark::RegisterBenchmark("node/grain tell over 256, 2 senders", Tell, 256, 100'000)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
  benchmark::RegisterBenchmark("node/grain tell from a grain", TellFromAGrain, 100'000)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
  benchmark::RegisterBenchmark("node/grain ask", Ask, 100'000)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
}

}  // namespace quern::bench
