// As bench/runtime's cases of the same names, on a node: told and asked by actors, and by a grain.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>

#include "../runtime/grain_cases.h"
#include "quern/cluster/embedded_control_plane.h"
#include "quern/cluster/embedded_store.h"
#include "quern/cluster/node.h"
#include "quern/quern.h"
#include "quern/remoting/asio_io.h"
#include "quern/runtime/random.h"

namespace quern::bench {
namespace {

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

  std::unique_ptr<remoting::AsioIo> store_io = remoting::AsioIo::Start({.name = "store"}).value();
  std::unique_ptr<cluster::EmbeddedStore> store =
      std::make_unique<cluster::EmbeddedStore>(*store_io, SeededRandom(7));
  std::unique_ptr<cluster::EmbeddedControlPlane> records = store->Connect("node", *store_io);
  std::unique_ptr<cluster::EmbeddedControlPlane> leases = store->Connect("node", *store_io);
  System system{SystemOptions{.name = "bench", .workers = 2}};
  std::unique_ptr<cluster::Node> node;
};

void Tell(benchmark::State& state, int grains, int64_t burst) {
  Site site;
  TellGrains(state, site.system, grains, burst);
}

void TellFromAGrain(benchmark::State& state, int64_t burst) {
  Site site;
  const Ref<TallyApi> grain = GrainsOf(site.system, 1).front();

  while (state.KeepRunningBatch(burst)) {
    g_tallied.Expect(burst);
    grain.Tell(Pass{burst});
    g_tallied.Wait();
  }
  state.SetItemsProcessed(state.iterations());
}

void Ask(benchmark::State& state, int64_t asks) {
  Site site;
  AskGrain(state, site.system, asks);
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
