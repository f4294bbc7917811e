// Notices a handler that holds its worker: what is parked there and the timers stand still until it
// returns. A thread of its own looks at each worker's beat (it changes with every turn and every
// switch of fibers) and, once it has stood still for the limit on the system's clock, logs and
// publishes who holds the worker, with the stack. Once an occurrence. While all of them are held it
// has spare ones take over what waits in their queues. The same thread gives memory back to the
// kernel after a burst of messages: that takes a while, and here nobody waits for it.

#ifndef QUERN_RUNTIME_SRC_SCHEDULER_WATCHDOG_H_
#define QUERN_RUNTIME_SRC_SCHEDULER_WATCHDOG_H_

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "quern/runtime/clock.h"

namespace quern::internal {

class SystemCore;
struct ThreadStack;
class Waiter;
class Worker;

class Watchdog {
 public:
  // `threads`: of the workers of `core`, in their order; valid until Stop().
  Watchdog(SystemCore* core, Duration limit, std::vector<std::thread>* threads);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // Blocks the thread until a look that is under way has ended. Idempotent.
  void Stop();

  // How often it has looked at all workers. For tests. Thread-safe.
  uint64_t looks() const { return looks_.load(std::memory_order_acquire); }

 private:
  struct Seen {
    uint32_t beat = 0;
    Time since;
    int looks = 0;
    int unanswered = 0;
    bool reported = false;
    bool held = false;  // by a handler
  };

  void Body();
  // False: Stop() has been called.
  bool SleepUntil(Time due);
  void Look();
  // Of a worker that has stood still for the limit.
  void AskWhatItDoes(Worker& worker, Seen* seen, Time now);
  void Report(const Worker& worker, const ThreadStack& stack, Duration held);

  SystemCore* const core_;
  const Duration limit_;
  std::vector<std::thread>* const threads_;
  std::vector<Seen> seen_;  // of the watchdog's thread
  absl::Mutex mutex_;
  Waiter* sleeping_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::atomic<uint64_t> looks_{0};
  std::thread thread_;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SCHEDULER_WATCHDOG_H_
