// The floor of this machine. `quern_floor --list` names its rows; see quern/bench/workload.h.

#include "floor.h"

int main(int argc, char** argv) {
  using namespace quern::bench;  // NOLINT: a list of names
  std::vector<Workload> all = LoopWorkloads();
  all.insert(all.end(), {{"queue-one-thread", 20'000'000, &QueueOneThread},
                         {"queue-across", 5'000'000, &QueueAcross},
                         {"queue-two-producers", 5'000'000, &QueueTwoProducers},
                         {"allocate-at-once", 50'000'000, &AllocateAtOnce},
                         {"allocate-batch", 20'000'000, &AllocateBatch},
                         {"allocate-across", 5'000'000, &AllocateAcross},
                         {"virtual-call", 200'000'000, &VirtualCall},
                         {"clock-read", 10'000'000, &ClockRead},
                         {"clock-pauses", 1'000, &ClockPauses},
                         {"fetch-add", 100'000'000, &FetchAdd},
                         {"futex-round-trip", 20'000, &FutexRoundTrip},
                         {"spin-round-trip", 1'000'000, &SpinRoundTrip},
                         {"context-switch", 50'000'000, &ContextSwitch},
                         {"fiber-switch", 5'000'000, &FiberSwitch}});
  return RunProgram(argc, argv, "floor", all);
}
