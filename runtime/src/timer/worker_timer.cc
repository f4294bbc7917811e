#include "timer/worker_timer.h"

#include <utility>

#include "scheduler/scheduler.h"
#include "scheduler/worker.h"
#include "system/system_core.h"

namespace quern::internal {

WorkerTimer::WorkerTimer(Worker& worker, Time when, std::function<void()> call)
    : worker_(worker), when_(when), call_(std::move(call)) {}

WorkerTimer* WorkerTimer::Arm(SystemCore& core, Time when, std::function<void()> call) {
  Worker* here = Worker::Current();
  const bool own = here != nullptr && &here->scheduler() == &core.scheduler();
  // Any will do: spread by time, for want of anything that tells callers apart.
  const auto workers = core.scheduler().workers().first(core.scheduler().worker_count());
  const auto time = static_cast<uint64_t>(when.time_since_epoch().count());
  Worker& worker = own ? *here : *workers[time % workers.size()];
  auto* timer = new WorkerTimer(worker, when, std::move(call));
  if (own) {
    timer->state_.store(State::kArmed, std::memory_order_relaxed);
    worker.timers().Arm(timer, when, &WorkerTimer::OnFire);
  } else {
    timer->run = &WorkerTimer::OnArm;
    worker.Post(timer);
  }
  return timer;
}

void WorkerTimer::Retire() {
  // One that is still on its way is freed by its arrival.
  if (state_.exchange(State::kRetired, std::memory_order_acq_rel) == State::kOnItsWay) return;
  if (Worker::Current() == &worker_) return OnRetire(worker_, this);
  run = &WorkerTimer::OnRetire;
  worker_.Post(this);
}

void WorkerTimer::OnArm(Worker& worker, InboxItem* item) {
  auto* timer = static_cast<WorkerTimer*>(item);
  State expected = State::kOnItsWay;
  if (!timer->state_.compare_exchange_strong(expected, State::kArmed, std::memory_order_acq_rel)) {
    delete timer;
    return;
  }
  worker.timers().Arm(timer, timer->when_, &WorkerTimer::OnFire);
}

void WorkerTimer::OnRetire(Worker& worker, InboxItem* item) {
  auto* timer = static_cast<WorkerTimer*>(item);
  worker.timers().Cancel(timer);
  delete timer;
}

// The function may lead to Retire(), here or elsewhere: it is copied out of harm's way.
void WorkerTimer::OnFire(TimerNode* node) {
  const std::function<void()> call = static_cast<WorkerTimer*>(node)->call_;
  call();
}

}  // namespace quern::internal
