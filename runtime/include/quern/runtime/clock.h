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
#include <cstdint>
#include <functional>

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

  // A clock that moves only by hand (a test's) calls `moved` after every move, from the thread that
  // moves it, so that sleepers look again; it returns an id that is not 0. A clock that runs by
  // itself returns 0 and calls nobody. Thread-safe.
  virtual uint64_t AddListener(std::function<void()> moved) {
    (void)moved;
    return 0;
  }
  // The listener does not run once this has returned. Thread-safe.
  virtual void RemoveListener(uint64_t id) { (void)id; }
};

// The production clock. Lives for the whole program.
Clock& SystemClock();

}  // namespace quern

#endif  // QUERN_RUNTIME_CLOCK_H_
