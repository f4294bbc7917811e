#include "scheduler/fiber_stack.h"

#include <fstream>

#if defined(__SANITIZE_ADDRESS__)
#include <pthread.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace quern::internal {

size_t MappingsMax() {
  constexpr size_t kKernelDefault = 65530;
  size_t count = 0;
  std::ifstream file("/proc/sys/vm/max_map_count");
  return file >> count ? count : kKernelDefault;
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
