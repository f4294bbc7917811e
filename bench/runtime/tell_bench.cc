// Messages between actors, all handled when the clock stops: the time of an iteration is that of
// one message.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "quern/quern.h"
#include "suite.h"

namespace quern::bench {
namespace {

struct Meet;
struct Ball;
struct PlayerApi : Protocol<void(Meet), void(Ball)> {};
struct Meet {
  Ref<PlayerApi> peer;
};
struct Ball {
  int64_t left;
};

struct Player : Actor<PlayerApi> {
  explicit Player(Finish* finish) : finish_(finish) {}

  void On(const Meet& m) { peer_ = m.peer; }
  void On(const Ball& m) {
    if (m.left == 0) return finish_->One();
    peer_.Tell(Ball{m.left - 1});
  }

  Finish* finish_;
  Ref<PlayerApi> peer_;
};

void PingPong(benchmark::State& state, int pairs, int64_t messages_a_pair) {
  System system(TwoWorkers());
  Finish finish;
  std::vector<Ref<PlayerApi>> players;
  for (int i = 0; i < pairs; ++i) {
    auto ping = system.Spawn<Player>("ping-" + std::to_string(i), &finish).value();
    auto pong = system.Spawn<Player>("pong-" + std::to_string(i), &finish).value();
    ping.Tell(Meet{pong});
    pong.Tell(Meet{ping});
    players.push_back(ping);
  }

  while (state.KeepRunningBatch(pairs * messages_a_pair)) {
    finish.Expect(pairs);
    for (const auto& player : players) player.Tell(Ball{messages_a_pair - 1});
    finish.Wait();
  }
  state.SetItemsProcessed(state.iterations());
}

struct Burst {
  int64_t count;
};
struct ProducerApi : Protocol<void(Burst)> {};
struct Drop {
  int64_t value;
};
struct SinkApi : Protocol<void(Drop)> {};

struct Sink : Actor<SinkApi> {
  explicit Sink(Finish* finish) : finish_(finish) {}
  void On(const Drop& m) {
    sum_ += m.value;
    finish_->One();
  }
  Finish* finish_;
  int64_t sum_ = 0;
};

struct Producer : Actor<ProducerApi> {
  explicit Producer(Ref<SinkApi> sink) : sink_(std::move(sink)) {}
  void On(const Burst& m) {
    for (int64_t i = 0; i < m.count; ++i) sink_.Tell(Drop{i});
  }
  Ref<SinkApi> sink_;
};

void FanIn(benchmark::State& state, int producers, int64_t burst) {
  System system(TwoWorkers());
  Finish finish;
  auto sink = system.Spawn<Sink>("sink", &finish).value();
  std::vector<Ref<ProducerApi>> sources;
  for (int i = 0; i < producers; ++i) {
    sources.push_back(system.Spawn<Producer>("producer-" + std::to_string(i), sink).value());
  }

  while (state.KeepRunningBatch(producers * burst)) {
    finish.Expect(producers * burst);
    for (const auto& source : sources) source.Tell(Burst{burst});
    finish.Wait();
  }
  state.SetItemsProcessed(state.iterations());
}

void FromThread(benchmark::State& state, int64_t burst) {
  System system(TwoWorkers());
  Finish finish;
  auto sink = system.Spawn<Sink>("sink", &finish).value();

  while (state.KeepRunningBatch(burst)) {
    finish.Expect(burst);
    for (int64_t i = 0; i < burst; ++i) sink.Tell(Drop{i});
    finish.Wait();
  }
  state.SetItemsProcessed(state.iterations());
}

}  // namespace

void RegisterTellBenchmarks() {
  benchmark::RegisterBenchmark("tell/ping-pong 1 pair", PingPong, 1, 1'000'000)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
  benchmark::RegisterBenchmark("tell/ping-pong 1000 pairs", PingPong, 1000, 1000)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
  benchmark::RegisterBenchmark("tell/fan-in 1 producer", FanIn, 1, 200'000)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
  benchmark::RegisterBenchmark("tell/fan-in 8 producers", FanIn, 8, 25'000)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
  benchmark::RegisterBenchmark("tell/from a thread", FromThread, 200'000)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
}

}  // namespace quern::bench
