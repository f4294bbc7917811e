// A storm over a simulated cluster, all of it from one seed: crashes, pauses, partitions, loss,
// late and repeated messages, a control plane that stalls, lies about the past, goes deaf or loses
// answers, nodes that leave, grains that passivate, while every node asks for grains all the time.
// Then everything heals, and the cluster must become quiet and right.
//
//   ChaosResult result = RunChaos(17);
//   EXPECT_EQ(result.violations, "") << "seed 17";

#ifndef QUERN_TESTING_SIM_CHAOS_H_
#define QUERN_TESTING_SIM_CHAOS_H_

#include <cstdint>
#include <string>

#include "quern/testing/sim_cluster.h"

namespace quern::testing {

struct ChaosOptions {
  Duration storm = std::chrono::seconds(12);
  Duration ask_every = std::chrono::milliseconds(7);
  Duration fault_every_max = std::chrono::milliseconds(700);
  uint64_t grains = 24;
  bool blind_saves = false;
};

struct ChaosResult {
  std::string violations;
  uint64_t trace_hash = 0;
  uint64_t effects = 0;
  uint64_t activations = 0;
  uint64_t asks = 0;
  uint64_t answered = 0;
  uint64_t faults = 0;
  uint64_t views = 0;
};

ChaosResult RunChaos(uint64_t seed, const ChaosOptions& options = {});

}  // namespace quern::testing

#endif  // QUERN_TESTING_SIM_CHAOS_H_
