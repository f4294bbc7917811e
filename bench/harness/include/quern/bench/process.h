// What the kernel says of this process.

#ifndef QUERN_BENCH_PROCESS_H_
#define QUERN_BENCH_PROCESS_H_

#include <cstdint>

namespace quern::bench {

// In pages.
int64_t ResidentBytes();
// The most that it ever was.
int64_t ResidentBytesMax();

}  // namespace quern::bench

#endif  // QUERN_BENCH_PROCESS_H_
