// The pipes of one actor: functions on fibers of their own whose results become messages. A fiber
// stays on the worker that started it, while the actor may run anywhere: the table is locked, and
// the actor cancels by way of the fiber's worker. The worker joins the fibers.

#ifndef QUERN_RUNTIME_SRC_ACTOR_PIPES_H_
#define QUERN_RUNTIME_SRC_ACTOR_PIPES_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <unordered_set>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "actor/mailbox_cell.h"
#include "actor/turn.h"
#include "quern/runtime/pipe.h"
#include "timer/timer_wheel.h"

namespace quern::internal {

class Pipe;

class Pipes {
 public:
  Pipes() = default;
  Pipes(const Pipes&) = delete;
  Pipes& operator=(const Pipes&) = delete;

  // False: there are kPipesPerActorMax. Thread-safe.
  bool Add(std::shared_ptr<Pipe> pipe);
  void Remove(const std::shared_ptr<Pipe>& pipe);

  // Cancels what each waits for; nothing arrives from them any more. Thread-safe, never suspends.
  void CancelAll();

 private:
  absl::Mutex mutex_;
  std::unordered_set<std::shared_ptr<Pipe>> pipes_ ABSL_GUARDED_BY(mutex_);
};

// Everything but Cancel() belongs to the worker that it was made on.
class Pipe : public std::enable_shared_from_this<Pipe>, private TimerNode {
 public:
  Pipe(std::shared_ptr<Pipes> owner, const Turn& starter, CellPtr<Cell> to,
       std::unique_ptr<PipeWork> work, Time deadline, std::shared_ptr<CircuitBreaker> breaker);

  // Starts the fiber.
  void Start();
  // Thread-safe.
  void Cancel();

 private:
  void Run();
  Status RunWork();
  Status AskBreakerAndRun();
  void Deliver(const Status& status);
  static void OnTimer(TimerNode* node);

  const std::shared_ptr<Pipes> owner_;
  const CellPtr<MailboxCell> cell_;
  const CellPtr<Cell> to_;
  const std::shared_ptr<CircuitBreaker> breaker_;  // may be null
  std::unique_ptr<PipeWork> work_;
  Turn turn_;
  bool done_ = false;
  bool timed_out_ = false;
  std::atomic<bool> cancelled_{false};
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_PIPES_H_
