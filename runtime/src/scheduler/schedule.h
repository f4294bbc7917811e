// Where a cell that was made ready runs: after every first message there is.

#ifndef QUERN_RUNTIME_SRC_SCHEDULER_SCHEDULE_H_
#define QUERN_RUNTIME_SRC_SCHEDULER_SCHEDULE_H_

#include "scheduler/scheduler.h"
#include "scheduler/worker.h"

namespace quern::internal {

[[gnu::always_inline]] inline void Worker::Schedule(MailboxCell* cell) {
  constexpr size_t kSpillAbove = 4;  // cells wait here before an idle worker is given some
  if (!scheduler_->HasIdleWorker()) return queue_.PushNext(cell);
  if (queue_.waiting() >= kSpillAbove) return scheduler_->Inject(cell);
  queue_.PushNext(cell);
  if (scheduler_->watch_.load(std::memory_order_seq_cst) == Scheduler::Watch::kNobody) {
    AskForWatch();
  }
}

inline void Worker::ScheduleNewborn(MailboxCell* cell) {
  constexpr size_t kSpillAbove = 64;              // below, who is idle comes for them itself
  if (driver_ != nullptr) return Schedule(cell);  // every order is the driver's
  if (!scheduler_->HasIdleWorker()) return queue_.PushNewborn(cell);
  if (queue_.size() >= kSpillAbove) return scheduler_->Inject(queue_.SwapNewborn(cell));
  queue_.PushNewborn(cell);
  if (scheduler_->watch_.load(std::memory_order_seq_cst) == Scheduler::Watch::kNobody) {
    AskForWatch();
  }
}

inline void Scheduler::ScheduleNewborn(MailboxCell* cell) {
  Worker* worker = Worker::Current();
  if (worker != nullptr && &worker->scheduler() == this) {
    worker->ScheduleNewborn(cell);
  } else {
    Inject(cell);
  }
}

[[gnu::always_inline]] inline void Scheduler::Schedule(MailboxCell* cell) {
  Worker* worker = Worker::Current();
  if (worker != nullptr && &worker->scheduler() == this) {
    worker->Schedule(cell);
  } else {
    Inject(cell);
  }
}

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SCHEDULER_SCHEDULE_H_
