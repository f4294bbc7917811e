// Time as a parameter. Safety rules use Now() alone, which also counts while the machine is
// suspended and never jumps; WallNow() is for people and logs.
//
//   Time deadline = clock.Now() + 5s;
//
// Thread-safe. Nothing outside the implementations of Clock reads another clock (tests/tidy refuses
// it).

#ifndef QUERN_RUNTIME_CLOCK_H_
#define QUERN_RUNTIME_CLOCK_H_

#include <chrono>

namespace quern {

using Duration = std::chrono::nanoseconds;

// Tag of the monotonic time line; has no now() on purpose.
struct MonotonicTag {
  using rep = Duration::rep;
  using period = Duration::period;
  using duration = Duration;
};
using Time = std::chrono::time_point<MonotonicTag, Duration>;
using WallTime = std::chrono::sys_time<Duration>;

inline constexpr Time kNever = Time::max();

class Clock {
 public:
  virtual ~Clock() = default;

  // CLOCK_BOOTTIME in production. Thread-safe, never suspends.
  virtual Time Now() const = 0;

  virtual WallTime WallNow() const = 0;
};

// The production clock. Lives for the whole program.
Clock& SystemClock();

}  // namespace quern

#endif  // QUERN_RUNTIME_CLOCK_H_
