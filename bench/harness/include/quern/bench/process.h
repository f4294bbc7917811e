// What the kernel and malloc say of this process.

#ifndef QUERN_BENCH_PROCESS_H_
#define QUERN_BENCH_PROCESS_H_

#include <cstdint>

namespace quern::bench {

// In pages.
int64_t ResidentBytes();
// The most that it ever was.
int64_t ResidentBytesMax();
// What malloc has handed out and not got back. Takes the lock of each of its arenas in turn.
int64_t HeapBytes();

}  // namespace quern::bench

#endif  // QUERN_BENCH_PROCESS_H_
