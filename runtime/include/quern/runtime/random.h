// Chance as a parameter: one seeded stream a component, so that a change in one does not shift the
// others.
//
//   std::unique_ptr<Random> jitter = random.Fork("lease.jitter");
//   uint64_t nonce = jitter->Next();
//
// Next() is thread-safe on the production form; a forked or seeded stream belongs to one owner. Not
// for keys: `remoting` takes those from OpenSSL.

#ifndef QUERN_RUNTIME_RANDOM_H_
#define QUERN_RUNTIME_RANDOM_H_

#include <cstdint>
#include <memory>
#include <string_view>

namespace quern {

class Random {
 public:
  virtual ~Random() = default;

  // 64 uniform bits.
  virtual uint64_t Next() = 0;

  // A stream of its own, determined by this stream's seed and `name`.
  virtual std::unique_ptr<Random> Fork(std::string_view name) const = 0;

  // Uniform in [0, bound); bound > 0.
  uint64_t Below(uint64_t bound) { return Next() % bound; }
};

// SplitMix64 from `seed` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators",
// 2014).
std::unique_ptr<Random> SeededRandom(uint64_t seed);

// Seeded from the kernel; thread-safe; lives for the whole program.
Random& SystemRandom();

}  // namespace quern

#endif  // QUERN_RUNTIME_RANDOM_H_
