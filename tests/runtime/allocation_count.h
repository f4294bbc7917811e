// How often this program has called the general allocator: malloc and its kin are replaced in the
// program that links allocation_count.cc, and operator new is built upon them.
//
//   AllocationCount::Begin();
//   ...                                  // any threads
//   const int64_t calls = AllocationCount::End();
//   if (calls != 0) AllocationCount::PrintFirst();   // where the first of them came from
//
// Thread-safe, for one count at a time.

#ifndef QUERN_TESTS_RUNTIME_ALLOCATION_COUNT_H_
#define QUERN_TESTS_RUNTIME_ALLOCATION_COUNT_H_

#include <cstddef>
#include <cstdint>

namespace quern {

class AllocationCount {
 public:
  static void Begin();
  // Calls since Begin() that asked for memory.
  static int64_t End();
  // Its stack, to standard error; `addr2line -Cfe PROGRAM` reads it.
  static void PrintFirst();

  // Bytes asked for and not given back, of the whole program.
  static int64_t LiveBytes();
  // Of this process, in memory.
  static int64_t ResidentBytes();
};

}  // namespace quern

#endif  // QUERN_TESTS_RUNTIME_ALLOCATION_COUNT_H_
