// One worker thread: a Boost.Fiber scheduler of its own, a pool of runner fibers, a run queue of
// cells, a timer wheel and an inbox (ARCHITECTURE.md, D1 and D2).
//
// A runner pops a cell, runs one turn, goes on. A turn that suspends takes its runner with it; an
// idle runner takes over the queue, and there is always a spare one (up to kRunnersMax). Fibers
// never leave their worker; cells do between turns.
//
// Post() and Notify() are thread-safe; the rest belongs to the worker's thread.

#ifndef QUERN_RUNTIME_SRC_SCHEDULER_WORKER_H_
#define QUERN_RUNTIME_SRC_SCHEDULER_WORKER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include <boost/fiber/context.hpp>
#include <boost/fiber/properties.hpp>

#include "mailbox/magazine.h"
#include "metrics/class_metrics.h"
#include "metrics/worker_counts.h"
#include "quern/runtime/clock.h"
#include "quern/runtime/poller.h"
#include "scheduler/held_tells.h"
#include "scheduler/recent_clock.h"
#include "scheduler/run_queue.h"
#include "scheduler/theft_pause.h"
#include "scheduler/waiter.h"
#include "timer/timer_wheel.h"

namespace quern::internal {

class Scheduler;
class StepDriver;
class TurnSample;
class Worker;
class WorkerAlgorithm;
struct Turn;

// The Itanium ABI's __cxa_eh_globals, which is per thread and must follow the fiber.
struct ExceptionState {
  void* caught = nullptr;
  unsigned uncaught = 0;
};

// What a runner fiber carries; reached through its context, deleted with it.
struct Runner : boost::fibers::fiber_properties {
  Runner(boost::fibers::context* own, Worker* its)
      : fiber_properties(own), context(own), worker(its) {}

  boost::fibers::context* const context;
  Worker* const worker;
  Runner* next_idle = nullptr;
  Turn* turn = nullptr;
  ExceptionState exceptions;
  const void* stack_top = nullptr;
  Waiter* waiter = nullptr;      // while it is parked
  TurnSample* sample = nullptr;  // while its turn is measured
  Runner* previous = nullptr;
  Runner* next = nullptr;  // in the worker's list of all
};

class Worker {
 public:
  Worker(Scheduler* scheduler, int index, std::unique_ptr<Poller> poller);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // The worker whose thread this is, or null. The runtime's only thread_local.
  static Worker* Current() { return current_; }

  // The thread's body: returns after Stop(), when the last runner has gone.
  void Run();

  // Thread-safe. After it no cell is scheduled any more; handlers have ended before.
  void Stop();

  // Thread-safe: runs `item` on this thread soon.
  void Post(InboxItem* item);
  // Thread-safe: makes a sleeping worker look around. True if it slept.
  bool Notify();
  // Thread-safe: the clock has been moved by hand.
  void NotifyTime();

  // A ready cell to run, for one that is open. False: it is not any more. Thread-safe.
  bool Hand(MailboxCell* cell);
  // Spins, and runs the one cell that it is handed. Thread-safe.
  bool open() const { return handed_.load(std::memory_order_seq_cst) == kOpen; }

  // A cell became ready on this thread: it runs next here, or elsewhere when others are idle.
  void Schedule(MailboxCell* cell);  // schedule.h
  // The same for its first turn.
  void ScheduleNewborn(MailboxCell* cell);
  // From inside a turn that may go on for long: the cell that would be next runs elsewhere, if
  // somebody is idle.
  void PassOnCell();
  // Its budget is used up: behind all others.
  void Requeue(MailboxCell* cell) { queue_.PushBack(cell); }

  // For a deadline so far from now: never before the present, and when it is far, a little after.
  Time NowForTimeout(Duration timeout);
  // Fresh from the clock. A handler reads it only where others may go first (StepDriver).
  Time ReadClock();
  // As of the last reading: at most a few turns old.
  Time now() const { return now_; }

  // Runs `body` on a fiber of its own, as a part of `turn`, which outlives it. The worker waits for
  // it like for a runner; whoever starts it joins it (FiberGroup).
  void StartFiber(Turn* turn, std::function<void()> body);

  // As now(), but never behind a clock that was moved by hand.
  Time FreshNow() { return time_moved_.load(std::memory_order_acquire) ? ReadClock() : now_; }

  // Of the running fiber; null: none.
  Turn* turn() const { return turn_; }
  void SetTurn(Turn* turn) { turn_ = runner_->turn = turn; }
  Runner* runner() const { return runner_; }
  // On a fiber that may suspend (not in the idle loop).
  bool InFiber() const;
  TimerWheel& timers() { return timers_; }
  BlockCache& blocks() { return blocks_; }
  HeldTells& tells() { return tells_; }
  Scheduler& scheduler() const { return *scheduler_; }
  int index() const { return index_; }
  // A turn reads the clock after a message whose number has none of these bits.
  int clock_mask() const { return clock_mask_; }

  // For tests that wait until everything has settled: parked, and how often it has been.
  bool parked() const { return parked_.load(std::memory_order_seq_cst); }
  bool HasMail() const {
    return inbox_.load(std::memory_order_seq_cst) != nullptr ||
           IsCell(handed_.load(std::memory_order_seq_cst)) ||
           time_moved_.load(std::memory_order_seq_cst);
  }
  // Looks for work or sleeps: no handler runs, though the thread may be waiting for a core. Leaving
  // it comes with a beat. Thread-safe.
  bool idle() const { return idling_.load(std::memory_order_relaxed); }
  // Changes with every turn and every switch of fibers. Thread-safe.
  uint32_t beat() const { return beat_.load(std::memory_order_relaxed); }
  // One of the worker's own writes: no locked instruction.
  void Beat() { beat_.store(beat() + 1, std::memory_order_relaxed); }

  // For metrics. Thread-safe.
  uint64_t turns() const { return turns_.load(std::memory_order_relaxed); }
  size_t runner_count() const { return runners_.load(std::memory_order_relaxed); }
  const ClassMetrics& class_metrics() const { return class_metrics_; }

  // Owner only: whether the next turn is one of those that are measured.
  bool SampleDue() const { return (turns() & (kMetricSampleEvery - 1)) == 0; }
  // And whether the next message to its actor is, too.
  bool WaitSampleDue() const { return (turns() & (kWaitSampleEvery - 1)) == 0; }
  // Owner only; its seen() is thread-safe.
  WorkerCounts& counts() { return counts_; }
  void PublishCounts();
  // Thread-safe; of a worker that is stepped, by its thread.
  WorkerCounts::Seen SeenCounts();
  ClassMetrics& class_metrics() { return class_metrics_; }
  // A spare one, while no worker is held: it ends what it has begun and takes nothing new. Set by
  // the watchdog. Thread-safe.
  bool on_duty() const { return on_duty_.load(std::memory_order_relaxed); }
  void SetOnDuty(bool on);

  // Every fiber of this worker.
  Runner* runners_list() const { return runners_list_; }

  uint64_t parks() const { return parks_.load(std::memory_order_seq_cst); }
  // Cells taken from other workers.
  uint64_t stolen() const { return stolen_.load(std::memory_order_relaxed); }
  // Times that a cell waited because every runner was suspended.
  uint64_t stalls() const { return stalls_.load(std::memory_order_relaxed); }

 private:
  friend class StepDriver;
  friend class WorkerAlgorithm;
  friend class Waiter;

  void StartRunner();
  void RunnerBody();
  void SteppedRunnerBody();
  void RunnerGone();
  // The fiber that runs from now on.
  void SetRunner(Runner* runner) {
    runner_ = runner;
    turn_ = runner == nullptr ? nullptr : runner->turn;
  }
  // Of the fiber that calls it, which has none yet. `frame` is an address in its first frame.
  Runner* AdoptFiber(const void* frame);
  MailboxCell* NextCell();
  void EnsureSpare();
  void StartSpare();
  void AfterTurn();
  // Every few turns; so many have there been.
  void LookAround(uint64_t turns);
  // Takes what other threads and the clock have brought. True if anything may run now.
  bool Poll();
  bool DrainInbox();
  // By the one who watches: from one that spins and does not go on.
  void TakeHanded(Worker& from);
  bool TakeInjected();
  void AdvanceTimers();
  // Has a runner for what it takes from others.
  bool CanTake() const { return idle_ != nullptr && on_duty(); }
  // From a worker that has more than it runs now. True if anything may run now.
  bool Steal();
  Worker* StealVictim() const;
  // As the one who watches: everything from workers that have ended no turn since the last look.
  bool Rescue();
  // True: this worker watches until EndWatch(). One at a time, and only while others are busy.
  bool BeginWatch();
  void EndWatch();
  // When nobody is idle enough to do it.
  void WatchOnce();
  // Cells wait here, and the next handler may go on for long: somebody idle looks after them.
  void PassOnWatch();
  // Somebody idle looks after what the running handler, which may go on for long, keeps waiting.
  void AskForWatch();
  size_t StealFrom(Worker& victim, bool all);
  // Nothing to run: spins, then sleeps, until there is, or until `limit` (of the fiber library).
  void IdleUntil(const std::chrono::steady_clock::time_point& limit);
  void LookForWork(const std::chrono::steady_clock::time_point& limit);
  Time NextDue();
  MailboxCell* SpinForCell();
  bool MaySpin() const;
  bool Spin();
  void PassOnLeft();
  // True: it has been handed a cell before, which is in the queue now.
  bool Shut();
  void NoteSlept(Duration slept);
  void Sleep(std::optional<Duration> timeout);
  void RestOffDuty(std::optional<Duration> timeout);
  void Park(std::optional<Duration> limit);
  bool HasOutsideWork() const;

  // In handed_, where it is no cell.
  static inline MailboxCell* const kOpen = reinterpret_cast<MailboxCell*>(1);
  static bool IsCell(const MailboxCell* handed) { return handed != nullptr && handed != kOpen; }

  static constinit thread_local Worker* current_;  // else every look at it is a call

  Scheduler* const scheduler_;
  const int index_;
  StepDriver* const driver_;  // null: a thread of its own
  const std::unique_ptr<Poller> poller_;
  WorkerAlgorithm* algorithm_ = nullptr;  // owned by the fiber library
  Runner* runner_ = nullptr;              // of the running fiber; null: main or dispatcher
  Turn* turn_ = nullptr;                  // the runner's
  Runner* idle_ = nullptr;                // a stack: the warmest stack first
  size_t idle_count_ = 0;
  std::atomic<size_t> runners_{0};  // written here, read by anybody
  size_t starting_ = 0;
  RunQueue queue_;
  HeldTells tells_;
  TimerWheel timers_;
  BlockCache blocks_;
  Time now_;
  Runner* runners_list_ = nullptr;
  ClassMetrics class_metrics_;
  WorkerCounts counts_;
  std::atomic<uint64_t> turns_{0};  // written here, read by anybody
  std::atomic<uint32_t> beat_{0};
  std::atomic<bool> idling_{true};  // until its thread runs
  uint64_t poll_at_turn_ = 0;
  uint64_t dispatch_at_turn_ = 0;
  uint64_t watch_at_turn_ = 0;
  uint32_t poll_every_ = 1;  // turns
  Time polled_at_;
  RecentClock recent_clock_;
  TheftPause theft_pause_;
  int clock_mask_ = 0;
  const bool counts_ticks_;  // its clock goes as fast as the processor's counter
  int spin_limit_ = 0;
  bool spun_in_vain_ = false;       // since it last had something
  std::optional<Time> spin_began_;  // the last one, if it was long
  bool stopping_ = false;
  bool woken_ = false;  // by Notify(), and has not told the scheduler yet
  bool serving_ =
      true;  // on duty when it last looked: a wake-up meant for one that is may come here
  boost::fibers::context* main_ = nullptr;
  Waiter* stop_waiter_ = nullptr;
  MailboxCell* stepped_cell_ = nullptr;  // what the driver lets run next

  alignas(64) std::atomic<InboxItem*> inbox_{nullptr};
  // kOpen while it spins; then the one cell that it is handed, until it shuts.
  std::atomic<MailboxCell*> handed_{nullptr};
  std::atomic<bool> parked_{false};
  std::atomic<bool> time_moved_{false};
  std::atomic<bool> on_duty_{true};
  std::atomic<uint64_t> parks_{0};
  std::atomic<uint64_t> stalls_{0};
  std::atomic<uint64_t> stolen_{0};
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SCHEDULER_WORKER_H_
