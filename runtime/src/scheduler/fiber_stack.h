// Stacks of runner fibers: fixed size, a guard page below. Under AddressSanitizer a new stack may
// lie where an ended fiber's last frames have left their marks, which are wiped here.

#ifndef QUERN_RUNTIME_SRC_SCHEDULER_FIBER_STACK_H_
#define QUERN_RUNTIME_SRC_SCHEDULER_FIBER_STACK_H_

#include <boost/fiber/protected_fixedsize_stack.hpp>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

#include <cstddef>

#include "quern/runtime/limits.h"

namespace quern::internal {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr size_t kFiberStackBytes = kSanitizedRunnerStackBytes;
#else
inline constexpr size_t kFiberStackBytes = kRunnerStackBytes;
#endif

// A StackAllocator of Boost.Context.
class FiberStack {
 public:
  boost::context::stack_context allocate() {
    boost::context::stack_context stack = pages_.allocate();
#if defined(__SANITIZE_ADDRESS__)
    ASAN_UNPOISON_MEMORY_REGION(static_cast<char*>(stack.sp) - kFiberStackBytes, kFiberStackBytes);
#endif
    return stack;
  }
  void deallocate(boost::context::stack_context& stack) noexcept { pages_.deallocate(stack); }

 private:
  boost::fibers::protected_fixedsize_stack pages_{kFiberStackBytes};
};

// Runners that each of `workers` may have when the kernel lets a process have `mappings_max`
// mappings (vm.max_map_count): a stack and its guard page are two, and half stay for everything
// else. At most kRunnersMax. Beyond them further handlers wait for one to end.
constexpr size_t RunnersWithin(size_t mappings_max, size_t workers) {
  const size_t share = mappings_max / 4 / workers;
  return share < kRunnersIdleMax ? kRunnersIdleMax : share < kRunnersMax ? share : kRunnersMax;
}

// Of this machine; the kernel's own default where it does not say.
size_t MappingsMax();

// Bytes of a runner's stack that have been written since it was made or wiped, as far as something
// other than zero is left; the page above its guard page is not looked at. `top` is an address in
// the first frame. On that stack.
size_t StackBytesUsed(const void* top);
// The same, and forgets what frames that have ended have left there.
size_t WipeStack(const void* top);

// Tells the sanitizer that what runs now stands on the stack whose first frame is at `top` (null:
// the thread's own), so that it can clean up after an exception there. Nothing in other builds.
void NoteStack(const void* top);

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SCHEDULER_FIBER_STACK_H_
