#include "quern/runtime/clock.h"

#include <ctime>

namespace quern {
namespace {

class BootClock : public Clock {
 public:
  Time Now() const override {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return Time(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
  }

  WallTime WallNow() const override { return std::chrono::system_clock::now(); }
};

}  // namespace

Clock& SystemClock() {
  static BootClock clock;
  return clock;
}

}  // namespace quern
