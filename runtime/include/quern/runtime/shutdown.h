// What a program wants done while its system stops, in phases:
//
//   kBeforeStop        everything still runs: leave the load balancer, stop taking requests
//     .. grains are deactivated; from here on nothing new is spawned
//   kBeforeActorsStop  actors still run and answer: flush what they hold
//     .. actors stop, children before their parents
//   kAfterActorsStop   nothing runs any more: close files and connections
//     .. the workers end
//
//   system.shutdown().On(quern::ShutdownPhase::kBeforeActorsStop, "flush",
//                        [ledger] { return ledger.Ask(Flush{}); },
//                        {.retries = 3, .on_failure = quern::HookFailure::kSkip});
//
// Hooks run one after another, in the order of their registration, on the thread that calls
// System::Stop(), and may ask. One that throws has failed with UNKNOWN. A failed hook never keeps
// the system from stopping: it ends or does not end the chain of hooks, is logged, and
// StopWithin() returns it.
// Thread-safe.

#ifndef QUERN_RUNTIME_SHUTDOWN_H_
#define QUERN_RUNTIME_SHUTDOWN_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "quern/runtime/clock.h"
#include "quern/runtime/status.h"

namespace quern {

namespace internal {
class SystemCore;
class ShutdownHooks;
}  // namespace internal

enum class ShutdownPhase : uint8_t { kBeforeStop, kBeforeActorsStop, kAfterActorsStop };

enum class HookFailure : uint8_t {
  kFail,  // no further hook runs, in this phase or a later one
  kSkip,  // the next one runs
};

struct HookPolicy {
  int retries = 0;  // after the first try
  Duration retry_every = std::chrono::seconds(1);
  HookFailure on_failure = HookFailure::kFail;
};

class Shutdown {
 public:
  using Hook = std::function<Status()>;

  // For the runtime itself.
  explicit Shutdown(internal::SystemCore* core);
  ~Shutdown();
  Shutdown(const Shutdown&) = delete;
  Shutdown& operator=(const Shutdown&) = delete;

  // Adds a hook. `name` stands in the log and in what StopWithin() returns. INVALID_ARGUMENT no
  // name, no hook or a negative retry; RESOURCE_EXHAUSTED kShutdownHooksMax are there already;
  // UNAVAILABLE the phase has begun. Thread-safe.
  Status On(ShutdownPhase phase, std::string_view name, Hook hook, HookPolicy policy = {});

  // For the runtime itself: runs the hooks of a phase, retries until `deadline`. Blocks the thread.
  void Run(ShutdownPhase phase, Time deadline);
  // What failed so far: the code of the first one, the text of all.
  Status status() const;

 private:
  const std::unique_ptr<internal::ShutdownHooks> hooks_;
};

// "before_stop", "before_actors_stop", "after_actors_stop".
std::string_view ShutdownPhaseName(ShutdownPhase phase);

}  // namespace quern

#endif  // QUERN_RUNTIME_SHUTDOWN_H_
