// One number back and forth between two threads.

#include <atomic>
#include <cstdint>
#include <thread>

#include "floor.h"

namespace quern::bench {
namespace {

template <typename Wait>
Outcome RoundTrips(int64_t size, Wait wait, bool notify) {
  alignas(128) std::atomic<int64_t> turn{0};
  const auto pass = [&](int64_t to) {
    turn.store(to, std::memory_order_release);
    if (notify) turn.notify_one();
  };
  Stopwatch watch;
  std::thread other([&] {
    for (int64_t i = 0; i < size; ++i) {
      wait(turn, 2 * i + 1);
      pass(2 * i + 2);
    }
  });
  for (int64_t i = 0; i < size; ++i) {
    pass(2 * i + 1);
    wait(turn, 2 * i + 2);
  }
  Outcome outcome{.messages = size, .took = watch.Stop()};
  other.join();
  return outcome;
}

void Spin(const std::atomic<int64_t>& turn, int64_t wanted) {
  for (unsigned i = 1; turn.load(std::memory_order_acquire) != wanted; ++i) {
    if (i % 16384 == 0) std::this_thread::yield();  // somebody else has the other's core
  }
}
void Sleep(const std::atomic<int64_t>& turn, int64_t wanted) {
  for (int64_t seen = turn.load(); seen != wanted; seen = turn.load()) turn.wait(seen);
}

}  // namespace

Outcome FutexRoundTrip(const Setup& setup) { return RoundTrips(setup.size, Sleep, true); }
Outcome SpinRoundTrip(const Setup& setup) { return RoundTrips(setup.size, Spin, false); }

}  // namespace quern::bench
