#include "scheduler/fiber_stack.h"

#include <cstdint>
#include <fstream>

#if defined(__SANITIZE_ADDRESS__)
#include <pthread.h>
#include <sanitizer/common_interface_defs.h>
#endif

// Functions that look at what no frame owns.
#define QUERN_UNCHECKED_STACK __attribute__((noinline, no_sanitize("address", "thread")))

namespace quern::internal {

size_t MappingsMax() {
  constexpr size_t kKernelDefault = 65530;
  size_t count = 0;
  std::ifstream file("/proc/sys/vm/max_map_count");
  return file >> count ? count : kKernelDefault;
}

namespace {

constexpr uintptr_t kPage = 4096;
constexpr size_t kBelowThisFrame = 64;  // words: its locals and callees, the red zone

uintptr_t TopOf(const void* in_first_frame) {
  return (reinterpret_cast<uintptr_t>(in_first_frame) + kPage - 1) & ~(kPage - 1);
}

constexpr size_t kStride = 8;  // words

// The first that is not zero, in whole strides, or `end`. Reading a page that was never touched
// costs no memory. The first frame may begin in the second page: one page is left to the guard.
QUERN_UNCHECKED_STACK uintptr_t* LowestUsed(const void* in_first_frame, const uintptr_t* end) {
  auto* word = reinterpret_cast<uintptr_t*>(TopOf(in_first_frame) - kFiberStackBytes + kPage);
  for (; word < end; word += kStride) {
    if ((word[0] | word[1] | word[2] | word[3] | word[4] | word[5] | word[6] | word[7]) != 0) break;
  }
  return word;
}

size_t BytesAbove(const uintptr_t* word, const void* in_first_frame) {
  return TopOf(in_first_frame) - reinterpret_cast<uintptr_t>(word);
}

}  // namespace

QUERN_UNCHECKED_STACK size_t StackBytesUsed(const void* top) {
  const auto* end = static_cast<const uintptr_t*>(__builtin_frame_address(0));
  return BytesAbove(LowestUsed(top, end), top);
}

QUERN_UNCHECKED_STACK size_t WipeStack(const void* top) {
  const uintptr_t* end =
      static_cast<const uintptr_t*>(__builtin_frame_address(0)) - kBelowThisFrame;
  uintptr_t* lowest = LowestUsed(top, end);
  // Volatile: no call may stand in for the loop.
  for (volatile uintptr_t* word = lowest; word < end; ++word) *word = 0;
  return BytesAbove(lowest, top);
}

#if defined(__SANITIZE_ADDRESS__)

// Both halves of the switch at once: Boost's own library is not built for the sanitizer, and the
// few frames in between throw nothing.
void NoteStack(const void* top) {
  const void* bottom = nullptr;
  size_t size = 0;
  if (top != nullptr) {
    constexpr size_t kMargin = 4096;  // the first frame is not quite at the end
    size = kFiberStackBytes - kMargin;
    bottom = static_cast<const char*>(top) + sizeof(void*) - size;
  } else {
    pthread_attr_t attributes;
    void* address = nullptr;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
    pthread_attr_getstack(&attributes, &address, &size);
    pthread_attr_destroy(&attributes);
    bottom = address;
  }
  __sanitizer_start_switch_fiber(nullptr, bottom, size);
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
}

#else

void NoteStack(const void*) {}

#endif

}  // namespace quern::internal
