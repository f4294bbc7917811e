// What a loop that spins does between two looks.

#ifndef QUERN_RUNTIME_SRC_SCHEDULER_CPU_PAUSE_H_
#define QUERN_RUNTIME_SRC_SCHEDULER_CPU_PAUSE_H_

namespace quern::internal {

inline void CpuPause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  asm volatile("" ::: "memory");
#endif
}

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SCHEDULER_CPU_PAUSE_H_
