#include "scheduler/thread_spin.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

namespace quern::internal {
namespace {

constexpr Duration kShortWait =
    std::chrono::microseconds(50);  // two sleepers and little work; another node takes longer

int SpinningThreadsMax() {
  static const int half = std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / 2);
  return half;
}

}  // namespace

ThreadSpin::ThreadSpin(Scheduler& scheduler) : scheduler_(scheduler) {
  if (scheduler.step_driver() != nullptr) return;
  const int pauses = scheduler.thread_spin_pauses_.load(std::memory_order_relaxed);
  if (pauses == 0) return;
  std::atomic<int>& spinning = scheduler.spinning_threads_;
  int others = spinning.load(std::memory_order_relaxed);
  while (others < SpinningThreadsMax()) {
    if (!spinning.compare_exchange_weak(others, others + 1, std::memory_order_seq_cst)) continue;
    spinning_ = true;
    pauses_ = pauses;
    return;
  }
}

void ThreadSpin::Found() {
  Leave();
  std::atomic<int>& pauses = scheduler_.thread_spin_pauses_;
  if (pauses.load(std::memory_order_relaxed) < kThreadSpinPauses) {
    pauses.store(std::min(kThreadSpinPauses, pauses_ * 2), std::memory_order_relaxed);
  }
}

void ThreadSpin::Missed() {
  if (!spinning_) return;
  Leave();
  scheduler_.thread_spin_pauses_.store(pauses_ / 2, std::memory_order_relaxed);
}

void ThreadSpin::Waited(Duration wait) {
  if (wait > kShortWait) return;
  scheduler_.thread_spin_pauses_.store(kThreadSpinPauses, std::memory_order_relaxed);
}

// What was put into the shared queue while it spun may have woken nobody.
void ThreadSpin::Leave() {
  if (!spinning_) return;
  spinning_ = false;
  scheduler_.spinning_threads_.fetch_sub(1, std::memory_order_seq_cst);
  scheduler_.WakeForWaiting();
}

}  // namespace quern::internal
