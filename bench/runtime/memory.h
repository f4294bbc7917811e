// Bytes that a million of something keep resident.

#ifndef QUERN_BENCH_RUNTIME_MEMORY_H_
#define QUERN_BENCH_RUNTIME_MEMORY_H_

#include <benchmark/benchmark.h>

#include <cstdint>

namespace quern::bench {

// Of this process, in pages.
int64_t ResidentBytes();

// Runs `measure` in a process of its own, since a used heap would hide what is allocated, and puts
// what it returns into the counter "bytes".
void BytesOf(benchmark::State& state, double (*measure)());

}  // namespace quern::bench

#endif  // QUERN_BENCH_RUNTIME_MEMORY_H_
