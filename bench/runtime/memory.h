// Bytes that a million of something keep resident.

#ifndef QUERN_BENCH_RUNTIME_MEMORY_H_
#define QUERN_BENCH_RUNTIME_MEMORY_H_

#include <benchmark/benchmark.h>

namespace quern::bench {

// Runs `measure` in a process of its own, since a used heap would hide what is allocated, and puts
// what it returns into the counter "bytes".
void BytesOf(benchmark::State& state, double (*measure)());

}  // namespace quern::bench

#endif  // QUERN_BENCH_RUNTIME_MEMORY_H_
