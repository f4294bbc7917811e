// Where protocol logic runs: a serial queue of closures with timers. Everything posted to one
// Executor runs one at a time, in order of posting (timers in order of their due time, then of
// arming). The production form is the I/O thread of `remoting`; the simulated one runs a thousand
// nodes in one thread and virtual time.
//
//   executor.Post([this] { Tick(); });
//   TimerId id = executor.PostAfter(2s, [this] { RenewLease(); });
//   executor.Cancel(id);
//
// Post, PostAfter and Cancel are thread-safe. A closure must not block.

#ifndef QUERN_RUNTIME_EXECUTOR_H_
#define QUERN_RUNTIME_EXECUTOR_H_

#include <cstdint>
#include <functional>

#include "quern/runtime/clock.h"

namespace quern {

class Executor {
 public:
  using Closure = std::function<void()>;
  using TimerId = uint64_t;  // never 0, never reused

  virtual ~Executor() = default;

  // Thread-safe. After the executor has stopped the closure is destroyed unrun.
  virtual void Post(Closure closure) = 0;

  // Runs `closure` once, no earlier than `delay` from now. Thread-safe.
  virtual TimerId PostAfter(Duration delay, Closure closure) = 0;

  // True: the closure will not run. False: it ran, runs or is unknown. Thread-safe.
  virtual bool Cancel(TimerId id) = 0;
};

}  // namespace quern

#endif  // QUERN_RUNTIME_EXECUTOR_H_
