// Virtual time for tests and simulations: one clock, any number of executors, one thread.
//
//   VirtualTime time;
//   std::unique_ptr<VirtualExecutor> node = time.NewExecutor();
//   node->PostAfter(2s, [&] { renewed = true; });
//   time.RunFor(3s);                        // runs everything that falls due, in order
//
// A frozen executor (Freeze: SIGSTOP) runs nothing until Thaw; what fell due meanwhile then runs in
// order, at the time of the thaw. Single-threaded: everything is called from the test's own thread.

#ifndef QUERN_TESTING_VIRTUAL_TIME_H_
#define QUERN_TESTING_VIRTUAL_TIME_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>

#include "quern/runtime/clock.h"
#include "quern/runtime/executor.h"

namespace quern::testing {

class VirtualExecutor;

class VirtualTime : public Clock {
 public:
  VirtualTime() = default;
  VirtualTime(const VirtualTime&) = delete;
  VirtualTime& operator=(const VirtualTime&) = delete;

  Time Now() const override { return now_; }
  WallTime WallNow() const override { return WallTime(now_.time_since_epoch()); }

  // The executor must not outlive this object.
  std::unique_ptr<VirtualExecutor> NewExecutor();

  // Runs the next closure, moving the clock to its due time. False when nothing is scheduled.
  bool Step();

  // Runs all that falls due within `duration`; the clock then stands at its end.
  void RunFor(Duration duration);

  // Steps until `done()`; false when `limit` of virtual time went by or nothing is left to run.
  bool RunUntil(const std::function<bool()>& done, Duration limit);

 private:
  friend class VirtualExecutor;
  using Key = std::pair<Time, uint64_t>;
  struct Event {
    VirtualExecutor* owner;
    Executor::Closure closure;
  };

  uint64_t Schedule(VirtualExecutor* owner, Time due, Executor::Closure closure);
  bool Cancel(uint64_t id);

  Time now_{std::chrono::seconds(1)};
  uint64_t last_id_ = 0;
  std::map<Key, Event> events_;
  std::unordered_map<uint64_t, Time> due_;
};

class VirtualExecutor : public Executor {
 public:
  ~VirtualExecutor() override;

  void Post(Closure closure) override;
  TimerId PostAfter(Duration delay, Closure closure) override;
  bool Cancel(TimerId id) override;

  void Freeze() { frozen_ = true; }
  void Thaw();
  bool frozen() const { return frozen_; }

 private:
  friend class VirtualTime;
  explicit VirtualExecutor(VirtualTime* time) : time_(time) {}

  VirtualTime* const time_;
  bool frozen_ = false;
  std::map<uint64_t, Closure> held_;  // fell due while frozen, by order of arming
};

}  // namespace quern::testing

#endif  // QUERN_TESTING_VIRTUAL_TIME_H_
