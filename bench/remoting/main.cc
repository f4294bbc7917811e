// Two nodes over loopback TCP, in one process and in two.

#include "peer.h"
#include "quern/bench/target.h"

int main(int argc, char** argv) {
  namespace bench = quern::bench;
  if (const int status = bench::ServeIfAsked(argc, argv); status >= 0) return status;
  bench::RegisterTellBenchmarks();
  bench::RegisterAskBenchmarks();
  return bench::Run(
      argc, argv,
      {{.benchmark = "tell/one process", .at_least = 1e6, .unit = "messages/s", .floor = ""},
       {.benchmark = "tell/two processes", .at_least = 1e6, .unit = "messages/s", .floor = ""},
       {.benchmark = "ask/round trip beside raw TCP", .at_most = 1, .unit = "ratio", .floor = ""}});
}
