// Local actors and grains on two workers, call by call; whole workloads are in bench/workloads.

#include "quern/bench/target.h"
#include "suite.h"

int main(int argc, char** argv) {
  namespace bench = quern::bench;
  bench::RegisterTellBenchmarks();
  bench::RegisterAskBenchmarks();
  bench::RegisterSpawnBenchmarks();
  bench::RegisterGrainBenchmarks();
  bench::RegisterTimerBenchmarks();
  return bench::Run(
      argc, argv,
      {{.benchmark = "tell/ping-pong 1 pair", .at_least = 10e6, .unit = "messages/s"},
       {.benchmark = "tell/ping-pong 1000 pairs", .at_least = 10e6, .unit = "messages/s"},
       {.benchmark = "tell/fan-in 8 producers", .at_least = 10e6, .unit = "messages/s"},
       {.benchmark = "ask/actor to actor", .at_most = 250, .unit = "ns"},
       {.benchmark = "ask/1000 askers", .at_most = 250, .unit = "ns"}});
}
