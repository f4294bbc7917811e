// Runs a program of benchmarks and closes with a table: what was measured beside what we hold
// ourselves to, and beside the floor that the machine set in the same run.
//
//   int main(int argc, char** argv) {
//     RegisterTellBenchmarks();
//     return quern::bench::Run(argc, argv, {{.benchmark = "tell/1 pair", .at_least = 10e6,
//                                            .unit = "messages/s", .floor = "floor/bare loop"}});
//   }
//
// Rates are "items_per_second"; other figures are a counter, or the time of one iteration when the
// unit is "ns"; the CPU time of an iteration stands beside them, for a machine that others use.
// Five repetitions unless the command line says otherwise; the table shows medians. Missing a
// target fails nothing: a timing is read by people, not by a test.

#ifndef QUERN_BENCH_TARGET_H_
#define QUERN_BENCH_TARGET_H_

#include <string>
#include <vector>

namespace quern::bench {

struct Target {
  std::string benchmark;
  double at_least = 0;  // exactly one of the two
  double at_most = 0;
  std::string unit;        // ".../s": items per second; "ns": time of an iteration; else a counter
  std::string floor = {};  // a benchmark with the same unit; empty: none
};

int Run(int argc, char** argv, std::vector<Target> targets);

}  // namespace quern::bench

#endif  // QUERN_BENCH_TARGET_H_
