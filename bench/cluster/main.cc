// Grains on a member of a cluster of one: what the directory, the lease and the epochs cost those
// calls that stay on their node.

#include "quern/bench/target.h"

namespace quern::bench {
void RegisterGrainBenchmarks();
}  // namespace quern::bench

int main(int argc, char** argv) {
  quern::bench::RegisterGrainBenchmarks();
  return quern::bench::Run(argc, argv, {});
}
