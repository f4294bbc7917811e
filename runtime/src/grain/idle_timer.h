// Watches one activation for idleness, wherever its turns run: when it fires it looks at the
// activation's last activity and either waits on or tells it.
//
//   IdleTimer* timer = new IdleTimer(worker, activation, 2min);   // on that worker
//   timer->Retire();                                              // anywhere; frees it

#ifndef QUERN_RUNTIME_SRC_GRAIN_IDLE_TIMER_H_
#define QUERN_RUNTIME_SRC_GRAIN_IDLE_TIMER_H_

#include "quern/runtime/clock.h"
#include "timer/cell_timer.h"

namespace quern::internal {

class Activation;
class Worker;

class IdleTimer final : public CellTimer {
 public:
  // On `worker`'s thread. The timeout is not Duration::max().
  IdleTimer(Worker& worker, Activation* activation, Duration idle_timeout);

 private:
  ~IdleTimer() override = default;
  void Fire() override;

  Activation* const activation_;  // held by the base
  const Duration idle_timeout_;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_GRAIN_IDLE_TIMER_H_
