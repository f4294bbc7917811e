// What Boost.Fiber asks when it needs the next fiber. pick_next() is the single point where fibers
// switch, so it is also where the worker learns which runner runs now and where libstdc++'s
// exception state follows the fiber (Boost.Context before 1.88 leaves it with the thread).
//
// The dispatcher, which looks after terminated and (Boost-)sleeping fibers, is kept out of the
// ready list: it runs when nothing else can, when Boost has a remote wake-up, and every
// kDispatchEvery picks. Owner only, except notify().

#ifndef QUERN_RUNTIME_SRC_SCHEDULER_WORKER_ALGORITHM_H_
#define QUERN_RUNTIME_SRC_SCHEDULER_WORKER_ALGORITHM_H_

#include <atomic>
#include <chrono>
#include <cstdint>

#include <boost/fiber/algo/algorithm.hpp>
#include <boost/fiber/context.hpp>
#include <boost/fiber/scheduler.hpp>

namespace quern::internal {

class Worker;
struct ExceptionState;
struct Runner;

// Of the calling thread, at the same place for its whole life.
ExceptionState* ThreadExceptionState();

class WorkerAlgorithm : public boost::fibers::algo::algorithm {
 public:
  using Context = boost::fibers::context;

  // On the thread that it will serve.
  explicit WorkerAlgorithm(Worker* worker);

  void awakened(Context* context) noexcept override;
  Context* pick_next() noexcept override;
  bool has_ready_fibers() const noexcept override;
  void suspend_until(const std::chrono::steady_clock::time_point& limit) noexcept override;
  void notify() noexcept override;

  bool has_woken() const { return !ready_.empty(); }
  // For a StepDriver, which takes them in another order.
  size_t woken() const { return ready_.size(); }
  Context* TakeWokenAt(size_t position);
  // Boost has something for the dispatcher, or it has not run for long.
  bool dispatch_due() const { return boost_pending_.load(std::memory_order_relaxed); }
  void RequestDispatch() { boost_pending_.store(true, std::memory_order_relaxed); }

 private:
  using ReadyQueue = boost::fibers::scheduler::ready_queue_type;

  static constexpr uint32_t kDispatchEvery = 61;
  static constexpr int kWokenStreakMax = 16;

  Context* Pick(Context* active);
  Context* TakeDispatcher();
  Context* TakeWoken(Context* active);
  Context* TakeIdleRunner(Context* active);
  void SwitchExceptionState(Context* active, Runner* next);

  Worker* const worker_;
  ExceptionState* const exceptions_;  // the thread's
  ReadyQueue ready_;
  Context* dispatcher_ = nullptr;  // null while it runs
  uint32_t picks_ = 0;
  int woken_streak_ = 0;
  std::atomic<bool> boost_pending_{false};
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SCHEDULER_WORKER_ALGORITHM_H_
