// An Executor with a thread of its own, for tests that run against real processes. Destroying it
// drops what is queued.

#ifndef QUERN_TESTS_CLUSTER_THREAD_EXECUTOR_H_
#define QUERN_TESTS_CLUSTER_THREAD_EXECUTOR_H_

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "quern/runtime/executor.h"

namespace quern::testing {

class ThreadExecutor : public Executor {
 public:
  ThreadExecutor() : thread_([this] { Run(); }) {}
  ~ThreadExecutor() override {
    {
      std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  void Post(Closure closure) override { Arm(Duration::zero(), std::move(closure)); }
  TimerId PostAfter(Duration delay, Closure closure) override {
    return Arm(delay, std::move(closure));
  }
  bool Cancel(TimerId id) override {
    std::lock_guard lock(mutex_);
    return std::erase_if(due_, [id](const auto& entry) { return entry.first.second == id; }) > 0;
  }

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;

  TimerId Arm(Duration delay, Closure closure) {
    const SteadyTime at = std::chrono::steady_clock::now() + std::max(delay, Duration::zero());
    TimerId id = 0;
    {
      std::lock_guard lock(mutex_);
      id = ++last_id_;
      due_.emplace(std::pair(at, id), std::move(closure));
    }
    changed_.notify_all();
    return id;
  }

  void Run() {
    std::unique_lock lock(mutex_);
    while (!stopped_) {
      if (due_.empty()) {
        changed_.wait(lock);
        continue;
      }
      const SteadyTime at = due_.begin()->first.first;
      if (at > std::chrono::steady_clock::now()) {
        changed_.wait_until(lock, at);
        continue;
      }
      auto node = due_.extract(due_.begin());
      lock.unlock();
      node.mapped()();
      node.mapped() = nullptr;
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::pair<SteadyTime, TimerId>, Closure> due_;
  TimerId last_id_ = 0;
  bool stopped_ = false;
  std::thread thread_;  // last: it uses all above
};

}  // namespace quern::testing

#endif  // QUERN_TESTS_CLUSTER_THREAD_EXECUTOR_H_
