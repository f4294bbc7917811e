// The one way to wait in the runtime: a one-shot that a fiber parks on (or a plain thread blocks
// on) until another fiber or thread calls Wake().
//
//   Waiter waiter;                                  // on the waiter's own stack
//   list.push_back(&waiter);                        // hand it to whoever will wake it
//   if (waiter.Wait(deadline) != Waiter::Outcome::kWoken) {
//     if (!list.TryRemove(&waiter)) waiter.Wait();  // Wake() is on its way: it must be awaited
//   }
//
// The contract: Wake() is called at most once, from any thread, and touches nothing of the waiter
// once the wait has ended by it. A waiter that timed out or was cancelled must make sure that
// Wake() will never be called, or Wait() again until it is: the Waiter lives on the waiter's stack.
// No lock is held across Wait(). Everything but Wake() belongs to the waiter's own fiber.

#ifndef QUERN_RUNTIME_SRC_SCHEDULER_WAITER_H_
#define QUERN_RUNTIME_SRC_SCHEDULER_WAITER_H_

#include <atomic>
#include <cstdint>

#include "quern/runtime/clock.h"
#include "timer/timer_wheel.h"

namespace boost::fibers {
class context;
}

namespace quern::internal {

struct AnswerWait;
class StepDriver;
class SystemCore;
class TurnSample;
class Worker;
struct Turn;

// Something a worker is told to do by another thread: an intrusive node of its inbox.
struct InboxItem {
  InboxItem* next = nullptr;
  void (*run)(Worker& worker, InboxItem* item) = nullptr;  // on the worker's thread
};

class Waiter : private InboxItem, private TimerNode {
 public:
  enum class Outcome : uint8_t { kWoken, kTimedOut, kCancelled };

  // Called on the fiber or thread that will wait. `core` is needed only for a deadline on a plain
  // thread; fibers know theirs.
  explicit Waiter(SystemCore* core = nullptr);
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  // Suspends (a plain thread: blocks) until Wake(), the deadline on the system's clock, or, if
  // `cancellable`, until the actor whose turn this is has been asked to stop. A Wake() that came
  // first returns at once. Never call it in a catch block or in a destructor that may run during
  // unwinding.
  Outcome Wait(Time deadline = kNever, bool cancellable = false);

  // Thread-safe.
  void Wake();

  // On a plain thread: Wake() has been called.
  bool woken_thread() const;

  // For a FiberGroup and a limit, on the turn's worker: the turn is cancelled, and what it waits
  // for too.
  static void CancelTurn(Turn& turn);
  // For dumps: the answer that is waited for, else null.
  void NoteAsk(const AnswerWait* answer) { answer_ = answer; }
  const AnswerWait* answer() const { return answer_; }
  // For dumps: when the wait for something else began.
  Time since() const { return since_; }

 private:
  friend class Worker;
  friend class ThreadWaits;

  friend class MailboxCell;

  bool BeginCancellable(Turn& turn);
  void EndCancellable(Turn& turn);
  Outcome WaitOnThread(Time deadline);
  Outcome WaitStepping(StepDriver& driver, Time deadline);
  void LookAgain();
  static void OnInbox(Worker& worker, InboxItem* item);
  static void OnTimer(TimerNode* node);
  void Resume(Outcome outcome);
  void SuspendMeasured(TurnSample& sample);

  Worker* const worker_;  // null: a plain thread
  SystemCore* const core_;
  boost::fibers::context* parked_ = nullptr;
  bool woken_ = false;
  Outcome outcome_ = Outcome::kWoken;
  const AnswerWait* answer_ = nullptr;
  Time since_{};                   // fibers, while parked
  std::atomic<uint32_t> word_{0};  // plain threads: bits of waiter.cc
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SCHEDULER_WAITER_H_
