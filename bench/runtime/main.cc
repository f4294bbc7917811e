// Local actors and grains on two workers, beside the floor of the machine.

#include "quern/bench/target.h"
#include "suite.h"

int main(int argc, char** argv) {
  namespace bench = quern::bench;
  bench::RegisterMemoryBenchmarks();
  bench::RegisterTimerMemoryBenchmarks();
  bench::RegisterFloorBenchmarks();
  bench::RegisterTellBenchmarks();
  bench::RegisterAskBenchmarks();
  bench::RegisterSpawnBenchmarks();
  bench::RegisterGrainBenchmarks();
  bench::RegisterTimerBenchmarks();
  return bench::Run(
      argc, argv,
      {{.benchmark = "tell/ping-pong 1 pair",
        .at_least = 10e6,
        .unit = "messages/s",
        .floor = "floor/bare loop"},
       {.benchmark = "tell/ping-pong 1000 pairs",
        .at_least = 10e6,
        .unit = "messages/s",
        .floor = "floor/bare loop"},
       {.benchmark = "tell/fan-in 8 producers",
        .at_least = 10e6,
        .unit = "messages/s",
        .floor = "floor/queue across threads"},
       {.benchmark = "ask/actor to actor",
        .at_most = 250,
        .unit = "ns",
        .floor = "floor/bare loop"},
       {.benchmark = "ask/1000 askers", .at_most = 250, .unit = "ns", .floor = "floor/bare loop"},
       {.benchmark = "memory/idle actor", .at_most = 200, .unit = "bytes", .floor = ""}});
}
