// A clock that stands still until a test moves it, for systems with real worker threads.
//
//   FakeClock clock;
//   quern::System system({.name = "test", .clock = &clock});
//   clock.AdvanceBy(50ms);           // every timer that is due now fires, on the workers
//   system.WaitUntilQuiet();         // .. and has been handled
//
// Thread-safe. Outlives the systems that use it. (For code without threads there is VirtualTime.)

#ifndef QUERN_TESTING_FAKE_CLOCK_H_
#define QUERN_TESTING_FAKE_CLOCK_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "quern/runtime/clock.h"

namespace quern::testing {

class FakeClock : public Clock {
 public:
  FakeClock() = default;
  FakeClock(const FakeClock&) = delete;
  FakeClock& operator=(const FakeClock&) = delete;

  Time Now() const override { return Time(Duration(now_.load(std::memory_order_seq_cst))); }
  // The epoch plus Now(), until it is set.
  WallTime WallNow() const override {
    return WallTime(Now().time_since_epoch() +
                    Duration(wall_ahead_.load(std::memory_order_seq_cst)));
  }

  // Moves the clock, then tells everyone who sleeps by it. Returns without waiting for them.
  void AdvanceBy(Duration duration);

  // Sets the wall clock alone, as an administrator may: nobody is told.
  void SetWallTime(WallTime now);

  uint64_t AddListener(std::function<void()> moved) override;
  void RemoveListener(uint64_t id) override;

 private:
  std::atomic<int64_t> now_{1'000'000'000};
  std::atomic<int64_t> wall_ahead_{0};
  absl::Mutex mutex_;
  uint64_t last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, std::function<void()>> listeners_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quern::testing

#endif  // QUERN_TESTING_FAKE_CLOCK_H_
