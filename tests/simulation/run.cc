// Runs storms over simulated clusters: quern_simulation_run [FIRST_SEED [COUNT [BUG]]]. Prints what
// every seed broke, and the sum. Exit 1 if any did. BUG is the number of a planted bug
// (cluster/src/sabotage.h): then the storms should break something.

#include <cstdint>
#include <cstdlib>
#include <iostream>

#include "quern/testing/sim_chaos.h"
#include "sabotage.h"

int main(int argc, char** argv) {
  const uint64_t first = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
  const uint64_t count = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1000;
  if (argc > 3) {
    quern::cluster::internal::planted =
        static_cast<quern::cluster::internal::Sabotage>(std::strtoul(argv[3], nullptr, 10));
  }
  uint64_t broken = 0;
  uint64_t effects = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    const quern::testing::ChaosResult result = quern::testing::RunChaos(seed);
    effects += result.effects;
    if (result.violations.empty()) continue;
    ++broken;
    std::cout << "seed " << seed << ":\n" << result.violations << std::flush;
  }
  std::cout << count << " seeds, " << effects << " effects, " << broken << " broken\n";
  return broken == 0 ? 0 : 1;
}
