#include "grain/idle_timer.h"

#include "grain/activation.h"
#include "scheduler/worker.h"

namespace quern::internal {

IdleTimer* IdleTimer::Start(Worker& worker, Activation* activation, Duration idle_timeout) {
  auto* timer = new IdleTimer(worker, activation, idle_timeout);
  timer->ArmAt(worker.now() + idle_timeout);
  return timer;
}

IdleTimer::IdleTimer(Worker& worker, Activation* activation, Duration idle_timeout)
    : worker_(worker),
      activation_(CellPtr<Activation>::Share(activation)),
      idle_timeout_(idle_timeout) {}

void IdleTimer::ArmAt(Time when) { worker_.timers().Arm(this, when, &IdleTimer::OnFire); }

void IdleTimer::OnFire(TimerNode* node) {
  auto* timer = static_cast<IdleTimer*>(node);
  const Time now = timer->worker_.now();
  const Time due = timer->activation_->last_active() + timer->idle_timeout_;
  if (now < due) {
    timer->ArmAt(due);
    return;
  }
  timer->activation_->NoteIdle();
  timer->ArmAt(now + timer->idle_timeout_);  // it may have been busy with one long handler
}

void IdleTimer::Retire() {
  if (Worker::Current() == &worker_) {
    OnRetire(worker_, this);
    return;
  }
  run = &IdleTimer::OnRetire;
  worker_.Post(this);
}

void IdleTimer::OnRetire(Worker& worker, InboxItem* item) {
  auto* timer = static_cast<IdleTimer*>(item);
  worker.timers().Cancel(timer);
  delete timer;
}

}  // namespace quern::internal
