// Asks for a cache line before it is needed. Any address will do: one that is not there is ignored.

#ifndef QUERN_RUNTIME_SRC_MAILBOX_PREFETCH_H_
#define QUERN_RUNTIME_SRC_MAILBOX_PREFETCH_H_

namespace quern::internal {

// Not the builtin: GCC takes a function that does nothing else for one without effect, and drops
// it.
inline void PrefetchToRead(const void* address) {
#if defined(__x86_64__)
  asm volatile("prefetcht0 %0" : : "m"(*static_cast<const char*>(address)));
#else
  __builtin_prefetch(address, /*rw=*/0);
#endif
}

// The line becomes this core's own, which a read alone would not make it. Processors that do not
// know the instruction do nothing.
inline void PrefetchToWrite(const void* address) {
#if defined(__x86_64__)
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(address)));
#else
  __builtin_prefetch(address, /*rw=*/1);
#endif
}

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_MAILBOX_PREFETCH_H_
