// Watches one activation for idleness from the wheel of one worker, wherever its turns run: when it
// fires it looks at the activation's last activity and either arms itself again or tells it.
//
//   IdleTimer* timer = IdleTimer::Start(worker, activation, 2min);   // on that worker
//   timer->Retire();                                                 // on any worker; frees it

#ifndef QUERN_RUNTIME_SRC_GRAIN_IDLE_TIMER_H_
#define QUERN_RUNTIME_SRC_GRAIN_IDLE_TIMER_H_

#include "quern/runtime/clock.h"
#include "quern/runtime/internal/cell.h"
#include "scheduler/waiter.h"
#include "timer/timer_wheel.h"

namespace quern::internal {

class Activation;
class Worker;

class IdleTimer : private TimerNode, private InboxItem {
 public:
  // On `worker`'s thread.
  static IdleTimer* Start(Worker& worker, Activation* activation, Duration idle_timeout);

  // Nothing is told afterwards, but for what is being told now. Frees the timer. Once; thread-safe.
  void Retire();

 private:
  IdleTimer(Worker& worker, Activation* activation, Duration idle_timeout);
  ~IdleTimer() = default;

  void ArmAt(Time when);
  static void OnFire(TimerNode* node);
  static void OnRetire(Worker& worker, InboxItem* item);

  Worker& worker_;
  const CellPtr<Activation> activation_;
  const Duration idle_timeout_;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_GRAIN_IDLE_TIMER_H_
