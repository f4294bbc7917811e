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
  if (scheduler_->watch_.load(std::memory_order_relaxed) == Scheduler::Watch::kNobody) {
    AskForWatch();
  }
}

// The others get what is too many for here; else an idle worker may take the oldest, which lead to
// the most, and leave the youngest.
inline void Worker::ScheduleNewborn(MailboxCell* cell) {
  if (driver_ != nullptr) return Schedule(cell);  // every order is the driver's
  if (!scheduler_->HasIdleWorker()) return queue_.PushNewborn(cell);
  if (queue_.size() >= Newborn::kMax) return scheduler_->Inject(cell);
  queue_.PushNewborn(cell);
  if (scheduler_->watch_.load(std::memory_order_relaxed) == Scheduler::Watch::kNobody) {
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
