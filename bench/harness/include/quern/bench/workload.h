// A whole workload: a program's worth of actors, one figure, and a check of its own result. It has
// worked only if every message was counted where it was received and the result is right.
//
//   Outcome PingPong(const Setup& setup) {
//     ...
//     Stopwatch watch;
//     first.Tell(Ball{setup.size});
//     finish.Wait();
//     Outcome outcome{.messages = setup.size, .took = watch.Stop()};
//     outcome.Check("messages handled", handled, setup.size);
//     return outcome;
//   }
//   int main(int argc, char** argv) {
//     return RunProgram(argc, argv, "quern", {{"ping-pong", 5'000'000, &PingPong}});
//   }
//
//   $ PROGRAM ping-pong --workers 2
//   {"system":"quern","workload":"ping-pong","workers":2,"size":5000000,"messages":5000000,
//    "seconds":0.1,"cpu_seconds":0.12,"rss_bytes":5242880,"ok":true}
//
// One line of JSON a run, to standard output; so do the peers' programs, with the same options.
// Exit codes: 0, 1 a result was wrong (the line has "ok":false and "wrong"), 2 wrong usage.

#ifndef QUERN_BENCH_WORKLOAD_H_
#define QUERN_BENCH_WORKLOAD_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "quern/bench/stopwatch.h"

namespace quern::bench {

struct Setup {
  int workers = 2;
  int64_t size = 0;  // what it counts is the workload's: messages, hops, actors
};

struct Outcome {
  int64_t messages = 0;  // or actors, timers: what `seconds` is divided by
  Took took = {};
  std::string wrong = {};  // "": the result is what it should be
  // Further figures by name ("p50_ns", "bytes_each"), printed as they are.
  std::vector<std::pair<std::string, double>> figures = {};

  // Keeps the first difference.
  void Check(const char* what, double found, double wanted);
};

struct Workload {
  const char* name;
  int64_t size;  // the usual
  Outcome (*run)(const Setup& setup);
  bool warm_up = true;  // a run of a tenth before; not where a fresh heap is what is measured
};

// --list prints the names and usual sizes. Options: --size N, --workers N, --warm-up N (runs of a
// tenth of the size; default 1), --runs N.
int RunProgram(int argc, char** argv, const char* system, const std::vector<Workload>& workloads);

}  // namespace quern::bench

#endif  // QUERN_BENCH_WORKLOAD_H_
