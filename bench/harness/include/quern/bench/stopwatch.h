// Wall time, and the CPU time of all threads of the process, from its construction on.

#ifndef QUERN_BENCH_STOPWATCH_H_
#define QUERN_BENCH_STOPWATCH_H_

#include <cstdint>

namespace quern::bench {

// CLOCK_MONOTONIC.
int64_t Nanoseconds();

struct Took {
  double seconds = 0;
  double cpu_seconds = 0;
};

class Stopwatch {
 public:
  Stopwatch();
  Took Stop() const;

 private:
  const int64_t wall_;
  const int64_t cpu_;
};

}  // namespace quern::bench

#endif  // QUERN_BENCH_STOPWATCH_H_
