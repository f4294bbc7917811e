#include "scheduler/biased_lock.h"

#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace quern::internal {
namespace {

constexpr int kTries = 1000;  // looks at an owner who may have lost its core

}  // namespace

bool BiasedLock::Available() {
  static const bool available =
      syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
  return available;
}

bool BiasedLock::TryLockOther() {
  if (!Available() || wanted_.exchange(true, std::memory_order_acq_rel)) return false;
  // Afterwards the owner either sees that we want it, or we see that it is inside.
  if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0) {
    for (int i = 0; i < kTries; ++i) {
      if (!busy_.load(std::memory_order_acquire)) return true;
    }
  }
  UnlockOther();
  return false;
}

void BiasedLock::LetOther() {
  do {
    busy_.store(false, std::memory_order_release);
    for (int i = 0; wanted_.load(std::memory_order_acquire); ++i) {
      if (i >= kTries) sched_yield();
    }
    busy_.store(true, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  } while (wanted_.load(std::memory_order_acquire));
}

}  // namespace quern::internal
