#include "scheduler/offload_pool.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "actor/mailbox_cell.h"
#include "quern/runtime/limits.h"
#include "quern/runtime/offload.h"
#include "scheduler/scheduler.h"
#include "scheduler/worker.h"
#include "system/system_core.h"

namespace quern::internal {

Status RunOffloaded(const std::function<void()>& body) {
  Worker* worker = Worker::Current();
  if (worker != nullptr) return worker->scheduler().core().offload_pool().Run(body);
  std::exception_ptr thrown;
  try {
    body();
  } catch (...) {  // on a plain thread: no fiber is unwound here
    thrown = std::current_exception();
  }
  if (thrown == nullptr) return absl::OkStatus();
  return DescribeException(thrown, "an offloaded function");
}

OffloadPool::OffloadPool(SystemCore* core, int threads_max, size_t queue_max)
    : core_(core), threads_max_(static_cast<size_t>(threads_max)), queue_max_(queue_max) {}

OffloadPool::~OffloadPool() { Stop(); }

Status OffloadPool::Run(const std::function<void()>& body) {
  Task task{&body, nullptr, Waiter()};
  if (Status submitted = Submit(&task); !submitted.ok()) return submitted;
  if (task.done.Wait(kNever, /*cancellable=*/true) != Waiter::Outcome::kWoken) {
    if (TakeBack(&task)) {
      return WithReason(absl::CancelledError("offload: the actor is stopping; surely not run"),
                        Reason::kCancelled);
    }
    task.done.Wait();
  }
  if (task.thrown == nullptr) return absl::OkStatus();
  return DescribeException(task.thrown, "an offloaded function");
}

Status OffloadPool::Submit(Task* task) {
  JoinEnded();
  Idle* idle = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) return absl::UnavailableError("offload: the system has stopped");
    if (!idle_.empty()) {
      idle = idle_.back();
      idle_.pop_back();
      idle->task = task;
    } else if (threads_.size() < threads_max_) {
      threads_.emplace_front();
      threads_.front() =
          std::thread([this, self = threads_.begin(), task] { ThreadBody(self, task); });
    } else if (queue_.size() < queue_max_) {
      queue_.push_back(task);
    } else {
      return absl::ResourceExhaustedError(
          absl::StrCat("offload: ", threads_max_, " threads are busy and ", queue_max_,
                       " functions wait; see SystemOptions::offload_threads"));
    }
  }
  if (idle != nullptr) idle->waiter.Wake();
  return absl::OkStatus();
}

bool OffloadPool::TakeBack(Task* task) {
  absl::MutexLock lock(&mutex_);
  return std::erase(queue_, task) != 0;
}

void OffloadPool::ThreadBody(Threads::iterator self, Task* first) {
  for (Task* task = first; task != nullptr; task = NextTask()) RunTask(task);
  absl::MutexLock lock(&mutex_);
  ended_.splice(ended_.begin(), threads_, self);
}

void OffloadPool::RunTask(Task* task) {
  try {
    (*task->body)();
  } catch (...) {  // on a plain thread: no fiber is unwound here
    task->thrown = std::current_exception();
  }
  task->done.Wake();
}

// Null: the thread has been idle for long, or the pool stops.
OffloadPool::Task* OffloadPool::NextTask() {
  Idle idle(core_);
  {
    absl::MutexLock lock(&mutex_);
    if (!queue_.empty()) {
      Task* task = queue_.front();
      queue_.pop_front();
      return task;
    }
    if (stopping_) return nullptr;
    idle_.push_back(&idle);
  }
  if (idle.waiter.Wait(core_->clock().Now() + kOffloadIdleMax) != Waiter::Outcome::kWoken) {
    {
      absl::MutexLock lock(&mutex_);
      if (std::erase(idle_, &idle) != 0) return nullptr;
    }
    idle.waiter.Wait();  // chosen this very moment
  }
  return idle.task;
}

void OffloadPool::JoinEnded() {
  Threads ended;
  {
    absl::MutexLock lock(&mutex_);
    ended.swap(ended_);
  }
  for (std::thread& thread : ended) thread.join();
}

void OffloadPool::Stop() {
  std::vector<Idle*> idle;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    idle.swap(idle_);
  }
  for (Idle* one : idle) one->waiter.Wake();
  {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(+[](Threads* threads) { return threads->empty(); }, &threads_));
  }
  JoinEnded();
}

int OffloadPool::threads() const {
  absl::MutexLock lock(&mutex_);
  return static_cast<int>(threads_.size());
}

}  // namespace quern::internal
