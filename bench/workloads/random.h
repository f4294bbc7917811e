// Marsaglia's xorshift64*: the same numbers in every run and on every machine.

#ifndef QUERN_BENCH_WORKLOADS_RANDOM_H_
#define QUERN_BENCH_WORKLOADS_RANDOM_H_

#include <cstdint>

namespace quern::bench {

class Xorshift {
 public:
  explicit Xorshift(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15 + 0x2545F4914F6CDD1D) {}

  uint64_t Next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1D;
  }
  uint64_t Below(uint64_t bound) { return (Next() >> 11) % bound; }
  // From 0 to just under 1.
  double Fraction() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

 private:
  uint64_t state_;  // never 0
};

}  // namespace quern::bench

#endif  // QUERN_BENCH_WORKLOADS_RANDOM_H_
