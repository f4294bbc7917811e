// Where a worker's thread is right now, and for whom: asked for from another thread, by a signal.

#ifndef QUERN_RUNTIME_SRC_SCHEDULER_THREAD_STACK_H_
#define QUERN_RUNTIME_SRC_SCHEDULER_THREAD_STACK_H_

#include <pthread.h>

#include <string>
#include <string_view>

#include "quern/runtime/internal/cell.h"

namespace quern::internal {

class Worker;

struct ThreadStack {
  CellPtr<Cell> cell;        // whose turn runs; null: nobody's, or the thread did not answer
  std::string_view message;  // being handled; "" in a hook
  std::string text;          // a line a frame, the innermost first; "": no answer
};

// SIGURG is borrowed for the moment: ignored by default, so that a late one harms nobody. A program
// with a handler of its own for it gets no stacks. Interrupts a system call of the thread, which
// may return EINTR. Thread-safe; waits for the thread for a moment.
ThreadStack CaptureStack(Worker& worker, pthread_t thread);

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SCHEDULER_THREAD_STACK_H_
