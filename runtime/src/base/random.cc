#include "quern/runtime/random.h"

#include <atomic>

#include <sys/random.h>
#include <xxhash.h>

namespace quern {
namespace {

constexpr uint64_t kGolden = 0x9E3779B97F4A7C15;

uint64_t Mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

class SplitMix : public Random {
 public:
  explicit SplitMix(uint64_t seed) : seed_(seed), state_(seed) {}

  // One atomic addition: any thread may draw, each draw is distinct.
  uint64_t Next() override {
    return Mix(state_.fetch_add(kGolden, std::memory_order_relaxed) + kGolden);
  }

  std::unique_ptr<Random> Fork(std::string_view name) const override {
    return std::make_unique<SplitMix>(XXH3_64bits_withSeed(name.data(), name.size(), seed_));
  }

 private:
  const uint64_t seed_;
  std::atomic<uint64_t> state_;
};

uint64_t KernelSeed() {
  uint64_t seed = 0;
  while (getrandom(&seed, sizeof seed, 0) != sizeof seed) {
  }
  return seed;
}

}  // namespace

std::unique_ptr<Random> SeededRandom(uint64_t seed) { return std::make_unique<SplitMix>(seed); }

Random& SystemRandom() {
  static SplitMix random(KernelSeed());
  return random;
}

}  // namespace quern
