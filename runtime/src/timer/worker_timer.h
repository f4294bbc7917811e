// A timer that any thread may arm and end, for what has no cell: an ask with a callback, a router's
// next attempt. It lives on the wheel of some worker and fires there.
//
//   WorkerTimer* timer = WorkerTimer::Arm(core, when, [] { .. });   // once; never while Arm() runs
//   timer->Retire();                                              // once, on any thread; frees it
//
// The function may still run while Retire() does, or shortly after on another thread: it must hold
// what it touches. It runs outside of any fiber and must not suspend.

#ifndef QUERN_RUNTIME_SRC_TIMER_WORKER_TIMER_H_
#define QUERN_RUNTIME_SRC_TIMER_WORKER_TIMER_H_

#include <atomic>
#include <cstdint>
#include <functional>

#include "quern/runtime/clock.h"
#include "scheduler/waiter.h"
#include "timer/timer_wheel.h"

namespace quern::internal {

class SystemCore;
class Worker;

class WorkerTimer : private TimerNode, private InboxItem {
 public:
  WorkerTimer(const WorkerTimer&) = delete;
  WorkerTimer& operator=(const WorkerTimer&) = delete;

  // On the calling worker, if it belongs to `core`, else on one of its workers. `core` has not
  // stopped.
  static WorkerTimer* Arm(SystemCore& core, Time when, std::function<void()> call);

  void Retire();

 private:
  enum class State : uint8_t { kOnItsWay, kArmed, kRetired };

  WorkerTimer(Worker& worker, Time when, std::function<void()> call);
  ~WorkerTimer() = default;

  static void OnFire(TimerNode* node);
  static void OnArm(Worker& worker, InboxItem* item);
  static void OnRetire(Worker& worker, InboxItem* item);

  Worker& worker_;
  const Time when_;
  const std::function<void()> call_;
  std::atomic<State> state_{State::kOnItsWay};
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_TIMER_WORKER_TIMER_H_
