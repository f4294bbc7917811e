// What the machine gives without an actor system. Figures are read beside these, measured in the
// same run: they differ by a factor of four from one machine to the next.

#ifndef QUERN_BENCH_FLOOR_FLOOR_H_
#define QUERN_BENCH_FLOOR_FLOOR_H_

#include <vector>

#include "quern/bench/workload.h"

namespace quern::bench {

// The bare loop (loop.h), once with each mailbox.
std::vector<Workload> LoopWorkloads();

// One Vyukov queue.
Outcome QueueOneThread(const Setup& setup);
Outcome QueueAcross(const Setup& setup);
Outcome QueueTwoProducers(const Setup& setup);

// 64 bytes of the general allocator.
Outcome AllocateAtOnce(const Setup& setup);
Outcome AllocateBatch(const Setup& setup);
Outcome AllocateAcross(const Setup& setup);

Outcome VirtualCall(const Setup& setup);
Outcome ClockRead(const Setup& setup);
Outcome FetchAdd(const Setup& setup);
// Every worker thread does nothing but look at the clock, for so many milliseconds as the size
// says.
Outcome ClockPauses(const Setup& setup);

// Round trips between two threads, that sleep or spin.
Outcome FutexRoundTrip(const Setup& setup);
Outcome SpinRoundTrip(const Setup& setup);

Outcome ContextSwitch(const Setup& setup);
Outcome FiberSwitch(const Setup& setup);

}  // namespace quern::bench

#endif  // QUERN_BENCH_FLOOR_FLOOR_H_
