// One way: a plain thread tells, the peer's I/O thread hears.

#include <benchmark/benchmark.h>

#include <thread>

#include "peer.h"

namespace quern::bench {
namespace {

constexpr int kBatch = 100000;
constexpr size_t kPayload = 32;  // bytes, as in the peers' tables

void TellMany(Peer& from, const remoting::PeerAddress& to, benchmark::State& state) {
  from.Barrier(to);
  for (auto _ : state) {
    for (int i = 0; i < kBatch; ++i) {
      while (from.network->Tell(to, SmallMessage(kPayload)) != Delivery::kAccepted) {
        std::this_thread::yield();
      }
    }
    from.Barrier(to);
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
}

void OneProcess(benchmark::State& state) {
  Peer from("teller");
  Peer to("hearer");
  TellMany(from, to.address(), state);
}

void TwoProcesses(benchmark::State& state) {
  PeerProcess to;
  Peer from("teller");
  TellMany(from, to.address(), state);
}

}  // namespace

void RegisterTellBenchmarks() {
  benchmark::RegisterBenchmark("tell/one process", OneProcess)
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
  benchmark::RegisterBenchmark("tell/two processes", TwoProcesses)
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

}  // namespace quern::bench
