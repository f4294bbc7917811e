#include "allocation_count.h"

#include <execinfo.h>
#include <malloc.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <fstream>

// glibc's own, under the names that it keeps for programs which replace the others.
extern "C" {
void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* memory, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);
void __libc_free(void* memory);
}

namespace quern {
namespace {

constexpr int kFramesMax = 32;

std::atomic<bool> counting{false};
std::atomic<int64_t> calls{0};
std::atomic<int64_t> live_bytes{0};
void* first_stack[kFramesMax];
std::atomic<int> first_frames{0};

void* Note(void* memory) {
  if (memory != nullptr) {
    live_bytes.fetch_add(static_cast<int64_t>(malloc_usable_size(memory)),
                         std::memory_order_relaxed);
  }
  if (counting.load(std::memory_order_relaxed) && calls.fetch_add(1) == 0) {
    first_frames.store(backtrace(first_stack, kFramesMax));
  }
  return memory;
}

void NoteGone(void* memory) {
  if (memory == nullptr) return;
  live_bytes.fetch_sub(static_cast<int64_t>(malloc_usable_size(memory)), std::memory_order_relaxed);
}

}  // namespace

void AllocationCount::Begin() {
  backtrace(first_stack, kFramesMax);  // the first one loads libgcc
  first_frames.store(0);
  calls.store(0);
  counting.store(true);
}

int64_t AllocationCount::End() {
  counting.store(false);
  return calls.load();
}

void AllocationCount::PrintFirst() { backtrace_symbols_fd(first_stack, first_frames.load(), 2); }

int64_t AllocationCount::LiveBytes() { return live_bytes.load(); }

int64_t AllocationCount::ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  int64_t total = 0;
  int64_t resident = 0;
  file >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace quern

extern "C" {

void* malloc(size_t bytes) { return quern::Note(__libc_malloc(bytes)); }

void* calloc(size_t count, size_t bytes) { return quern::Note(__libc_calloc(count, bytes)); }

void* realloc(void* memory, size_t bytes) {
  quern::NoteGone(memory);
  void* moved = __libc_realloc(memory, bytes);
  if (moved == nullptr && bytes != 0) return quern::Note(memory) == nullptr ? nullptr : moved;
  return quern::Note(moved);
}

void* memalign(size_t alignment, size_t bytes) {
  return quern::Note(__libc_memalign(alignment, bytes));
}

void* aligned_alloc(size_t alignment, size_t bytes) {
  return quern::Note(__libc_memalign(alignment, bytes));
}

int posix_memalign(void** memory, size_t alignment, size_t bytes) {
  void* found = quern::Note(__libc_memalign(alignment, bytes));
  if (found == nullptr) return ENOMEM;
  *memory = found;
  return 0;
}

void free(void* memory) {
  quern::NoteGone(memory);
  __libc_free(memory);
}

}  // extern "C"
