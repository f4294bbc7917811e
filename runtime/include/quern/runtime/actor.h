// The base of an actor class. Handlers are ordinary members named On: On(const M&), On(M&&) or
// On(M), with an optional trailing Context&, returning R or StatusOr<R> (for void: void or Status).
//
//   struct Counter : quern::Actor<CounterApi> {
//     int64_t On(const Get&) { return total_; }
//     void On(const Add& m) { total_ += m.amount; }
//     quern::TimerId tick_ = Every(1s, Add{1});
//     int64_t total_ = 0;
//   };
//
// OnStart, OnStop (void or Status, optional Context&) run on the actor's own turn, as do
// construction and destruction: nothing in an actor needs a lock. An object made directly, outside
// a System, is plain: a unit test may call its handlers; Self() is empty then and timers do
// nothing.

#ifndef QUERN_RUNTIME_ACTOR_H_
#define QUERN_RUNTIME_ACTOR_H_

#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include "quern/runtime/clock.h"
#include "quern/runtime/context.h"
#include "quern/runtime/internal/cell.h"
#include "quern/runtime/internal/envelope.h"
#include "quern/runtime/protocol.h"
#include "quern/runtime/ref.h"

namespace quern {

using TimerId = uint64_t;  // 0: no timer

namespace internal {

// Makes one tick's envelope.
class TickSource {
 public:
  virtual ~TickSource() = default;
  virtual Envelope* Make() = 0;
};

template <typename S, typename M>
class TickOf final : public TickSource {
 public:
  TickOf(uint16_t index, bool once, M message)
      : index_(index), once_(once), message_(std::move(message)) {}

  Envelope* Make() override {
    if constexpr (std::is_copy_constructible_v<M>) {
      if (!once_) return MakeEnvelope<S>(index_, /*ask=*/false, std::as_const(message_));
    }
    return MakeEnvelope<S>(index_, /*ask=*/false, std::move(message_));
  }

 private:
  const uint16_t index_;
  const bool once_;
  M message_;
};

// The cell whose actor is being constructed on this thread, or null.
Cell* TakeConstructingCell();

// On the actor's own turn. `period` zero: once. 0 when the cell is null, stopping, or has
// kTimersPerActorMax timers.
TimerId StartTimer(Cell* cell, Duration delay, Duration period, std::unique_ptr<TickSource> tick);
bool CancelTimer(Cell* cell, TimerId id);

}  // namespace internal

template <typename ApiType>
class Actor {
 public:
  using Api = ApiType;

 protected:
  Actor() : cell_(internal::TakeConstructingCell()) {}
  Actor(const Actor&) : cell_(nullptr) {}
  Actor& operator=(const Actor&) { return *this; }
  ~Actor() = default;

  // This actor; empty outside a System.
  Ref<Api> Self() const {
    return Ref<Api>::FromCell(internal::CellPtr<internal::Cell>::Share(cell_));
  }

  // Tells this actor `message` once, `delay` from now on the system's clock. The timer belongs to
  // the actor: it is gone after a stop or a restart.
  template <typename M>
    requires Accepts<Api, M>
  TimerId After(Duration delay, M&& message) {
    return Start(delay, Duration::zero(), std::forward<M>(message));
  }

  // Tells this actor a copy of `message` every `period`, first after one. A tick that is due while
  // the last one is still queued is left out.
  template <typename M>
    requires Accepts<Api, M>
  TimerId Every(Duration period, M&& message) {
    static_assert(std::is_copy_constructible_v<std::remove_cvref_t<M>>,
                  "Every() sends copies: the message must be copyable");
    return Start(period, period, std::forward<M>(message));
  }

  // True: it will not tick any more (a tick already queued is still handled).
  bool Cancel(TimerId id) { return internal::CancelTimer(cell_, id); }

 private:
  template <typename M>
  TimerId Start(Duration delay, Duration period, M&& message) {
    using Told = std::remove_cvref_t<M>;
    using Signature = internal::SignatureFor<Api, Told>;
    constexpr uint16_t kIndex =
        internal::IndexIn<Signature>(static_cast<const internal::SignaturesOf<Api>*>(nullptr));
    if (cell_ == nullptr) return 0;
    return internal::StartTimer(cell_, delay, period,
                                std::make_unique<internal::TickOf<Signature, Told>>(
                                    kIndex, period == Duration::zero(), std::forward<M>(message)));
  }

  internal::Cell* const cell_;  // outlives the actor
};

}  // namespace quern

#endif  // QUERN_RUNTIME_ACTOR_H_
