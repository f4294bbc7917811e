// One ask put to several: the first that is OK becomes its answer, the last error if none is.
// Shared by its attempts; ends the asker's envelope when the last of them is gone.

#ifndef QUERN_RUNTIME_SRC_ROUTING_FIRST_ANSWER_H_
#define QUERN_RUNTIME_SRC_ROUTING_FIRST_ANSWER_H_

#include <cstddef>
#include <memory>
#include <vector>

#include <absl/base/thread_annotations.h>

#include "quern/runtime/clock.h"
#include "quern/runtime/fiber_sync.h"
#include "quern/runtime/internal/cell.h"
#include "quern/runtime/internal/envelope.h"
#include "quern/runtime/internal/routing.h"
#include "quern/runtime/status.h"

namespace quern::internal {

class WorkerTimer;

class FirstAnswer : public std::enable_shared_from_this<FirstAnswer> {
 public:
  // Takes the envelope. `targets` is not empty.
  FirstAnswer(SystemCore* core, Envelope* envelope, const RouteEntry& entry,
              std::vector<CellPtr<Cell>> targets);
  ~FirstAnswer();
  FirstAnswer(const FirstAnswer&) = delete;
  FirstAnswer& operator=(const FirstAnswer&) = delete;

  // One of these, once.
  void AskAll();
  // One target, and one more after each `interval` or error.
  void AskEvery(Duration interval);

 private:
  class Attempt;

  void AskNext();
  void Ask(size_t target);
  void ArmTimer();
  void RetireTimer();
  bool answered() const {
    return (envelope_->ask_state.load(std::memory_order_acquire) & Envelope::kClaimed) != 0;
  }
  void Succeeded(void* slot);
  void Failed(const Status& why);

  SystemCore* const core_;
  Envelope* const envelope_;
  const RouteEntry& entry_;
  const std::vector<CellPtr<Cell>> targets_;
  Duration interval_{};  // zero: all at once

  TinyLock lock_;
  size_t next_ ABSL_GUARDED_BY(lock_) = 0;
  size_t wanted_ ABSL_GUARDED_BY(lock_) = 0;    // attempts to begin
  bool asking_ ABSL_GUARDED_BY(lock_) = false;  // somebody begins them
  WorkerTimer* timer_ ABSL_GUARDED_BY(lock_) = nullptr;
  Status last_error_ ABSL_GUARDED_BY(lock_);
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ROUTING_FIRST_ANSWER_H_
