#include "quern/bench/stopwatch.h"

#include <time.h>

namespace quern::bench {
namespace {

int64_t Read(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

int64_t Nanoseconds() { return Read(CLOCK_MONOTONIC); }

Stopwatch::Stopwatch() : wall_(Nanoseconds()), cpu_(Read(CLOCK_PROCESS_CPUTIME_ID)) {}

Took Stopwatch::Stop() const {
  const int64_t cpu = Read(CLOCK_PROCESS_CPUTIME_ID);
  return {.seconds = static_cast<double>(Nanoseconds() - wall_) * 1e-9,
          .cpu_seconds = static_cast<double>(cpu - cpu_) * 1e-9};
}

}  // namespace quern::bench
