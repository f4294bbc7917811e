// Asks, one at a time for each asker: the time of an iteration is that of one ask and its reply.

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "quern/quern.h"
#include "suite.h"

namespace quern::bench {
namespace {

constexpr Duration kPatience = std::chrono::minutes(1);

struct Query {
  int64_t value;
};
struct EchoApi : Protocol<int64_t(Query)> {};
struct Echo : Actor<EchoApi> {
  int64_t On(const Query& m) { return m.value; }
};

struct AskOften {
  int64_t count;
};
struct AskerApi : Protocol<void(AskOften)> {};
struct Asker : Actor<AskerApi> {
  Asker(Ref<EchoApi> echo, Finish* finish) : echo_(std::move(echo)), finish_(finish) {}

  Status On(const AskOften& m) {
    Status status;
    for (int64_t i = 0; i < m.count && status.ok(); ++i) status = echo_.Ask(Query{i}).status();
    finish_->One();
    return status;
  }

  Ref<EchoApi> echo_;
  Finish* finish_;
};

void FromActors(benchmark::State& state, int askers, int64_t asks) {
  System system(TwoWorkers());
  Finish finish;
  std::vector<Ref<AskerApi>> asking;
  for (int i = 0; i < askers; ++i) {
    auto echo = system.Spawn<Echo>("echo-" + std::to_string(i)).value();
    asking.push_back(system.Spawn<Asker>("asker-" + std::to_string(i), echo, &finish).value());
  }

  while (state.KeepRunningBatch(askers * asks)) {
    finish.Expect(askers);
    for (const auto& asker : asking) asker.Tell(AskOften{asks});
    finish.Wait();
  }
  state.SetItemsProcessed(state.iterations());
}

void FromThread(benchmark::State& state) {
  System system(TwoWorkers());
  auto echo = system.Spawn<Echo>("echo").value();

  for (auto _ : state) {
    auto reply = echo.Ask(Query{1}, kPatience);
    if (!reply.ok()) state.SkipWithError(reply.status().ToString().c_str());
  }
  state.SetItemsProcessed(state.iterations());
}

}  // namespace

void RegisterAskBenchmarks() {
  benchmark::RegisterBenchmark("ask/actor to actor", FromActors, 1, 200'000)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
  benchmark::RegisterBenchmark("ask/1000 askers", FromActors, 1000, 200)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
  benchmark::RegisterBenchmark("ask/from a thread", FromThread)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
}

}  // namespace quern::bench
