// The futex system call on a 32-bit atomic word, private to this process.

#ifndef QUERN_RUNTIME_SRC_SCHEDULER_FUTEX_H_
#define QUERN_RUNTIME_SRC_SCHEDULER_FUTEX_H_

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <optional>

#include "quern/runtime/clock.h"

namespace quern::internal {

// Sleeps while `word` holds `value`. May return early.
inline void FutexWait(std::atomic<uint32_t>& word, uint32_t value,
                      std::optional<Duration> timeout) {
  timespec relative{};
  if (timeout.has_value()) {
    const auto left = timeout->count() > 0 ? timeout->count() : 0;
    relative.tv_sec = static_cast<time_t>(left / 1'000'000'000);
    relative.tv_nsec = static_cast<long>(left % 1'000'000'000);
  }
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAIT_PRIVATE, value,
          timeout.has_value() ? &relative : nullptr, nullptr, 0);
}

// Wakes one sleeper. The word may be gone already: the kernel only compares addresses.
inline void FutexWake(std::atomic<uint32_t>* word) {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(word), FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

inline void FutexWakeAll(std::atomic<uint32_t>* word) {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(word), FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr,
          nullptr, 0);
}

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SCHEDULER_FUTEX_H_
