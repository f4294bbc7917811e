// The threads behind quern::Offload: made when a function finds none idle, up to a bound, and gone
// after kOffloadIdleMax without work on the system's clock. Thread-safe.

#ifndef QUERN_RUNTIME_SRC_SCHEDULER_OFFLOAD_POOL_H_
#define QUERN_RUNTIME_SRC_SCHEDULER_OFFLOAD_POOL_H_

#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <list>
#include <thread>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "quern/runtime/status.h"
#include "scheduler/waiter.h"

namespace quern::internal {

class OffloadPool {
 public:
  OffloadPool(SystemCore* core, int threads_max, size_t queue_max);
  ~OffloadPool();
  OffloadPool(const OffloadPool&) = delete;
  OffloadPool& operator=(const OffloadPool&) = delete;

  // RunOffloaded() of a fiber of this system. Suspends.
  Status Run(const std::function<void()>& body);

  // Every actor has ended, so nothing runs or waits any more. Blocks the thread.
  void Stop();

  int threads() const;

 private:
  // On the stack of the fiber that waits for it.
  struct Task {
    const std::function<void()>* body;
    std::exception_ptr thrown;
    Waiter done;
  };
  // A thread without work, on its own stack.
  struct Idle {
    explicit Idle(SystemCore* core) : waiter(core) {}
    Waiter waiter;
    Task* task = nullptr;  // handed over; null when woken: the pool stops
  };
  using Threads = std::list<std::thread>;

  Status Submit(Task* task);
  bool TakeBack(Task* task);
  void ThreadBody(Threads::iterator self, Task* first);
  Task* NextTask();
  static void RunTask(Task* task);
  void JoinEnded();

  SystemCore* const core_;
  const size_t threads_max_;
  const size_t queue_max_;
  mutable absl::Mutex mutex_;
  std::deque<Task*> queue_ ABSL_GUARDED_BY(mutex_);
  std::vector<Idle*> idle_ ABSL_GUARDED_BY(mutex_);  // the warmest last
  Threads threads_ ABSL_GUARDED_BY(mutex_);
  Threads ended_ ABSL_GUARDED_BY(mutex_);  // to be joined
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SCHEDULER_OFFLOAD_POOL_H_
