// From one stack to another, by Boost.Context alone and through the scheduler of Boost.Fiber.

#include <boost/context/fiber.hpp>
#include <boost/fiber/fiber.hpp>
#include <boost/fiber/operations.hpp>
#include <cstdint>
#include <utility>

#include "floor.h"

namespace quern::bench {

Outcome ContextSwitch(const Setup& setup) {
  int64_t visits = 0;
  bool stop = false;
  boost::context::fiber other([&](boost::context::fiber&& back) {
    for (; !stop; ++visits) back = std::move(back).resume();
    return std::move(back);
  });
  const int64_t trips = std::max<int64_t>(1, setup.size / 2);
  Stopwatch watch;
  for (int64_t i = 0; i < trips; ++i) other = std::move(other).resume();
  Outcome outcome{.messages = 2 * trips, .took = watch.Stop()};
  stop = true;
  other = std::move(other).resume();
  outcome.Check("visits", static_cast<double>(visits), static_cast<double>(trips));
  return outcome;
}

Outcome FiberSwitch(const Setup& setup) {
  bool stop = false;
  boost::fibers::fiber other([&] {
    while (!stop) boost::this_fiber::yield();
  });
  const int64_t trips = std::max<int64_t>(1, setup.size / 2);
  Stopwatch watch;
  for (int64_t i = 0; i < trips; ++i) boost::this_fiber::yield();
  const Outcome outcome{.messages = 2 * trips, .took = watch.Stop()};
  stop = true;
  other.join();
  return outcome;
}

}  // namespace quern::bench
