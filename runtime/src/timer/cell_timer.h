// A timer on the wheel of the worker that armed it, whose owner may run anywhere: Retire() finds
// the way back.
//
//   CellTimer* timer = CellTimer::Arm(worker, due, CellPtr<MailboxCell>::Share(cell), signal);
//   timer->Retire();                       // frees it; fires no more, but for a signal under way
//
// Arm on the worker's thread; Retire once, on any thread. A fired one-shot still needs Retire().

#ifndef QUERN_RUNTIME_SRC_TIMER_CELL_TIMER_H_
#define QUERN_RUNTIME_SRC_TIMER_CELL_TIMER_H_

#include <memory>

#include "actor/mailbox_cell.h"
#include "quern/runtime/clock.h"
#include "quern/runtime/internal/cell.h"
#include "scheduler/waiter.h"
#include "timer/timer_wheel.h"

namespace quern::internal {

class Worker;

class CellTimer : private TimerNode, private InboxItem {
 public:
  CellTimer(const CellTimer&) = delete;
  CellTimer& operator=(const CellTimer&) = delete;

  // Signals `cell` with `signal` at `due`.
  static CellTimer* Arm(Worker& worker, Time due, CellPtr<MailboxCell> cell, uint32_t signal);

  // On `worker`'s thread: it fires at `when` instead, or again. False: it belongs to another
  // worker.
  bool Move(Worker& worker, Time when);

  void Retire();

 protected:
  CellTimer(Worker& worker, CellPtr<MailboxCell> cell, uint32_t signal);
  virtual ~CellTimer() = default;

  // On the worker's thread. The base signals the cell; others may ArmAt() again.
  virtual void Fire();
  void ArmAt(Time when);

  Worker& worker_;
  const CellPtr<MailboxCell> cell_;

 private:
  static void OnFire(TimerNode* node);
  static void OnRetire(Worker& worker, InboxItem* item);

  const uint32_t signal_;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_TIMER_CELL_TIMER_H_
