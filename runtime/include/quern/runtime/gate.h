// Two problems meet when a service stops: new work must be refused, and work already begun must
// finish first. A Gate solves both. Enter it before starting work, leave it after; Close() refuses
// newcomers and waits.
//
//   Gate gate;
//   if (auto pass = gate.Enter(); pass.ok()) Serve(*std::move(pass));  // leaves when destroyed
//   gate.Close();                                                      // until the last one left
//
// Thread-safe, from fibers and plain threads. Destroying an open gate, or one with passes
// outstanding, is a bug and stops the program.

#ifndef QUERN_RUNTIME_GATE_H_
#define QUERN_RUNTIME_GATE_H_

#include <utility>

#include <absl/base/thread_annotations.h>

#include "quern/runtime/fiber_sync.h"
#include "quern/runtime/status.h"

namespace quern {

class Gate {
 public:
  // The right to be inside, until it is destroyed. Move-only; a moved-from pass holds nothing.
  class [[nodiscard]] Pass {
   public:
    Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    Pass& operator=(Pass&& other) noexcept {
      std::swap(gate_, other.gate_);
      return *this;
    }
    ~Pass() {
      if (gate_ != nullptr) gate_->Leave();
    }

   private:
    friend class Gate;
    explicit Pass(Gate* gate) : gate_(gate) {}

    Gate* gate_;
  };

  Gate() = default;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate();

  // Fails with UNAVAILABLE once Close() has begun. Never suspends.
  StatusOr<Pass> Enter();

  // Refuses newcomers, then waits for every pass. Suspends. Idempotent: whoever closes a gate that
  // is being closed waits too.
  void Close();

 private:
  void Leave();

  // Not a FiberMutex: Enter and a Pass that goes out of scope never suspend.
  internal::TinyLock lock_;
  internal::WaitList closing_ ABSL_GUARDED_BY(lock_);
  int passes_ ABSL_GUARDED_BY(lock_) = 0;
  bool closed_ ABSL_GUARDED_BY(lock_) = false;
};

}  // namespace quern

#endif  // QUERN_RUNTIME_GATE_H_
