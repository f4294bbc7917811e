// The workers of one system, the queue through which plain threads make actors ready, and the time
// that they share.

#ifndef QUERN_RUNTIME_SRC_SCHEDULER_SCHEDULER_H_
#define QUERN_RUNTIME_SRC_SCHEDULER_SCHEDULER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "mailbox/magazine.h"
#include "quern/runtime/clock.h"
#include "quern/runtime/limits.h"
#include "scheduler/run_queue.h"

namespace quern::internal {

class StepDriver;
class SystemCore;
class Waiter;
class Watchdog;
class Worker;

// Deadlines of plain threads that wait on a clock which moves only by hand. Thread-safe.
class ThreadWaits {
 public:
  void Add(Waiter* waiter);
  void Remove(Waiter* waiter);
  // Every one of them looks at the clock again.
  void WakeAll();

 private:
  absl::Mutex mutex_;
  std::vector<Waiter*> waiters_ ABSL_GUARDED_BY(mutex_);
};

inline constexpr int kThreadSpinPauses = 2000;  // of a plain thread that asks: about 50 us

class Scheduler {
 public:
  // The CPU quota of the cgroup, rounded up, else the hardware's threads; at least 1.
  static int DefaultWorkers();

  // With a driver there are no threads: it runs the workers.
  Scheduler(SystemCore* core, int workers, Clock* clock, StepDriver* driver = nullptr);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Looks after handlers that hold their worker. Once; not for a system that is stepped.
  void StartWatchdog(Duration limit);
  const Watchdog* watchdog() const { return watchdog_.get(); }

  // By the watchdog's thread, which has seen so many workers held: as many spare ones are on duty,
  // kSpareWorkersMax at most, made when they are first needed.
  void KeepSpares(int wanted);

  // Stops the workers: every cell has ended before. Blocks the thread.
  void Stop();

  // A cell became ready: on the calling worker, or through the shared queue. Thread-safe.
  void Schedule(MailboxCell* cell);
  void ScheduleNewborn(MailboxCell* cell);  // its first turn
  // To a worker that spins, else through the shared queue. Thread-safe.
  void Inject(MailboxCell* cell);

  // Moves at most `max` cells (and no more than a fair share) to `queue`.
  size_t TakeInjected(RunQueue* queue);
  bool HasInjected() const { return injected_size_.load(std::memory_order_seq_cst) != 0; }

  // Wakes one sleeping worker unless somebody is looking for work already. Thread-safe.
  void WakeOne();
  // As WakeOne(), by one that has spun, for what was left to it and still waits for a worker.
  void WakeForWaiting();
  // Somebody who sleeps is to look after those who are busy.
  bool WatchAskedFor() const { return watch_.load(std::memory_order_seq_cst) == Watch::kAskedFor; }
  // By one that was woken, after it has looked around.
  void Awake();
  // By a worker before it shows itself as parked, and after.
  void OnParking() { quiet_.fetch_add(1, std::memory_order_seq_cst); }
  void OnParked();
  bool HasIdleWorker() const { return idle_.load(std::memory_order_relaxed) > 0; }
  bool AllIdle() const {
    return idle_.load(std::memory_order_seq_cst) >= serving_.load(std::memory_order_seq_cst);
  }

  // Blocks the thread until no worker has anything to do. For tests.
  void WaitUntilQuiet();

  SystemCore& core() const { return *core_; }
  Clock& clock() const { return *clock_; }
  bool manual_clock() const { return listener_ != 0; }
  ThreadWaits& thread_waits() { return thread_waits_; }
  MagazineDepot& depot() { return depot_; }
  // The spare ones that have been made come last. Thread-safe; may be more the next time.
  std::span<const std::unique_ptr<Worker>> workers() const {
    return {workers_.data(), made_.load(std::memory_order_acquire)};
  }
  // Without the spare ones.
  size_t worker_count() const { return worker_count_; }
  StepDriver* step_driver() const { return driver_; }
  int spin_limit() const { return spin_limit_; }
  size_t runners_max() const { return runners_max_; }  // a worker

 private:
  friend class StepDriver;
  friend class ThreadSpin;
  friend class Worker;

  void AddWorker();
  // A worker that takes a cell or looks after what is injected; else null.
  Worker* Spinner() const;
  void WakeSleeper();
  void StartThread(Worker* worker);
  void SetUpThread(int index) const;

  SystemCore* const core_;
  Clock* const clock_;
  StepDriver* const driver_;
  bool stopped_ = false;
  uint64_t listener_ = 0;  // 0: the clock runs by itself
  int spin_limit_ = 0;
  size_t runners_max_ = kRunnersMax;
  MagazineDepot depot_;
  ThreadWaits thread_waits_;
  size_t worker_count_ = 0;
  std::vector<std::unique_ptr<Worker>> workers_;  // room for the spare ones: nothing moves
  std::atomic<size_t> made_{0};
  std::atomic<int> serving_{0};  // workers on duty that know it
  std::vector<std::thread> threads_;
  std::unique_ptr<Watchdog> watchdog_;

  alignas(64) absl::Mutex mutex_;
  CellList injected_ ABSL_GUARDED_BY(mutex_);
  std::atomic<size_t> injected_size_{0};
  std::atomic<Worker*> spinner_{nullptr};  // the last that was open(): it may be still
  std::atomic<int> waking_{0};             // workers that were woken and have not looked around yet
  std::atomic<int> spinning_threads_{0};   // ThreadSpin
  std::atomic<int> thread_spin_pauses_{kThreadSpinPauses};
  alignas(64) std::atomic<int> idle_{0};  // spinning or asleep; read for every cell made ready
  std::atomic<uint32_t> quiet_{0};        // rises before a worker parks; waited on by tests
  std::atomic<int> quiet_waiters_{0};
  enum class Watch : uint8_t { kNobody, kAskedFor, kOn };
  std::atomic<Watch> watch_{Watch::kNobody};
  std::vector<uint64_t> seen_turns_;  // of each worker; of the one who watches
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SCHEDULER_SCHEDULER_H_
