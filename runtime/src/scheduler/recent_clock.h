// The time for deadlines that many set and few reach: a reading of the clock costs a fifth of an
// ask, so one serves for a while.

#ifndef QUERN_RUNTIME_SRC_SCHEDULER_RECENT_CLOCK_H_
#define QUERN_RUNTIME_SRC_SCHEDULER_RECENT_CLOCK_H_

#include <chrono>
#include <cstdint>

#include "quern/runtime/clock.h"

namespace quern::internal {

// Of one thread. How old a reading is, not what time it is, it sees by the processor's tick
// counter, whose rate need not be known: it is above 1 GHz, and one that jumps far makes a reading
// due. Only for a clock that goes as real time does.
class RecentClock {
 public:
  static constexpr Duration kAheadMax = std::chrono::microseconds(100);

  // Never behind `read()`, ahead of it by kAheadMax at most.
  template <typename Read>
  Time Now(Read read) {
#if defined(__x86_64__)
    const uint64_t ticks = __builtin_ia32_rdtsc();
    if (ticks - read_at_ >= kTicksMax) {
      now_ = read();
      read_at_ = ticks;
    }
    return now_ + kAheadMax;
#else
    return read();
#endif
  }

 private:
  static constexpr uint64_t kTicksMax = 100'000;  // kAheadMax at 1 GHz

  uint64_t read_at_ = 0;
  Time now_{};
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SCHEDULER_RECENT_CLOCK_H_
