#include <cstdlib>

#include <gtest/gtest.h>

#include "quern/testing/sim_chaos.h"

namespace quern::testing {
namespace {

// QUERN_SIM_SEEDS runs more; quern_simulation_run as many as one likes.
uint64_t Seeds() {
  const char* more = std::getenv("QUERN_SIM_SEEDS");
  return more == nullptr ? 40 : std::strtoull(more, nullptr, 10);
}

TEST(ChaosTest, NoSeedBreaksAPromise) {
  uint64_t effects = 0;
  for (uint64_t seed = 1; seed <= Seeds(); ++seed) {
    const ChaosResult result = RunChaos(seed);

    EXPECT_EQ(result.violations, "") << "seed " << seed;
    effects += result.effects;
  }

  EXPECT_GT(effects, Seeds() * 100) << "the storm lets almost nothing through";
}

TEST(ChaosTest, TheSameSeedLeavesTheSameTrace) {
  for (const uint64_t seed : {3u, 11u, 29u}) {
    EXPECT_EQ(RunChaos(seed).trace_hash, RunChaos(seed).trace_hash) << "seed " << seed;
  }
}

}  // namespace
}  // namespace quern::testing
