// The base of an actor class. Handlers are ordinary members named On: On(const M&), On(M&&) or
// On(M), with an optional trailing Context&, returning R or StatusOr<R> (for void: void or Status);
// or returning void with a trailing Deferred<R>, to answer later. Exactly one a message.
//
//   struct Tick {};
//   struct Counter : quern::Actor<CounterApi, void(Tick)> {
//     int64_t On(const Get&) { return total_; }
//     void On(const Add& m) { total_ += m.amount; }
//     void On(const Tick&) { ++total_; }
//     quern::TimerId tick_ = Every(1s, Tick{});
//     int64_t total_ = 0;
//   };
//
// Become<State>() changes what messages do, from the next one on:
//
//   struct Closed {
//     static void On(Door& self, const Knock&) { self.Become<Open>(); }
//   };
//
// A state is a class of static handlers, written like members with the actor in front (its own
// class or a base of it). What a state lacks the actor itself handles.
//
// Signatures behind the Api are private: Self(), After() and Every() accept them, and nobody else
// can send them, for Spawn() gives a Ref<CounterApi>. Self() may be handed on as a Ref<CounterApi>.
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
#include "quern/runtime/internal/state_table.h"
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

template <typename Message>
void this_message_is_sent_more_than_once_and_must_be_copyable() = delete;
template <typename M>
constexpr void MustCopy() {
  if constexpr (!std::is_copy_constructible_v<M>) {
    this_message_is_sent_more_than_once_and_must_be_copyable<M>();
  }
}

// The cell whose actor is being constructed on this thread, or null.
Cell* TakeConstructingCell();

// On the actor's own turn. `period` zero: once. 0 when the cell is null, stopping, or has
// kTimersPerActorMax timers.
TimerId StartTimer(Cell* cell, Duration delay, Duration period, std::unique_ptr<TickSource> tick);
bool CancelTimer(Cell* cell, TimerId id);

// On the actor's own turn; anywhere else they do nothing. `self`: what the state's thunks expect.
void BecomeState(Cell* cell, const HandlerTable& state, void* self);
// False: kStatesStackedMax are stacked already.
bool StackState(Cell* cell, const HandlerTable& state, void* self);
// False: there was none.
bool EndState(Cell* cell);

}  // namespace internal

template <typename ApiType, typename... Private>
class Actor {
 public:
  using Api = ApiType;
  // The Api and the private messages.
  using Handled = internal::WithPrivate<ApiType, Private...>;

 protected:
  Actor() : cell_(internal::TakeConstructingCell()) {}
  Actor(const Actor&) : cell_(nullptr) {}
  Actor& operator=(const Actor&) { return *this; }
  ~Actor() = default;

  // This actor; empty outside a System.
  Ref<Handled> Self() const {
    return Ref<Handled>::FromCell(internal::CellPtr<internal::Cell>::Share(cell_));
  }

  // Tells this actor `message` once, `delay` from now on the system's clock. The timer belongs to
  // the actor: it is gone after a stop or a restart.
  template <typename M>
    requires Accepts<Handled, M>
  TimerId After(Duration delay, M&& message) {
    return Start(delay, Duration::zero(), std::forward<M>(message));
  }

  // Tells this actor a copy of `message` every `period`, first after one. A tick that is due while
  // the last one is still queued is left out.
  template <typename M>
    requires Accepts<Handled, M>
  TimerId Every(Duration period, M&& message) {
    internal::MustCopy<std::remove_cvref_t<M>>();
    return Start(period, period, std::forward<M>(message));
  }

  // True: it will not tick any more (a tick already queued is still handled).
  bool Cancel(TimerId id) { return internal::CancelTimer(cell_, id); }

  // From the next message on, `State` handles what it has handlers for. It replaces the state that
  // this actor is in, if any. A restart ends every state.
  template <typename State>
    requires internal::kIsState<Actor, State>
  void Become() {
    internal::BecomeState(cell_, internal::kStateTable<Actor, State>, this);
  }

  // The same, and Unbecome() returns to the state of now. False: kStatesStackedMax are stacked
  // already, and nothing has changed.
  template <typename State>
    requires internal::kIsState<Actor, State>
  bool BecomeStacked() {
    return internal::StackState(cell_, internal::kStateTable<Actor, State>, this);
  }

  // Ends the state, from the next message on: the one below it counts again, at last the actor's
  // own handlers. False: there was none.
  bool Unbecome() { return internal::EndState(cell_); }

  template <typename State>
    requires(!internal::kIsState<Actor, State>)
  internal::StateMistake<Actor, State> Become() = delete;
  template <typename State>
    requires(!internal::kIsState<Actor, State>)
  internal::StateMistake<Actor, State> BecomeStacked() = delete;

 private:
  template <typename M>
  TimerId Start(Duration delay, Duration period, M&& message) {
    using Told = std::remove_cvref_t<M>;
    using Signature = internal::SignatureFor<Handled, Told>;
    constexpr uint16_t kIndex =
        internal::IndexIn<Signature>(static_cast<const internal::SignaturesOf<Handled>*>(nullptr));
    if (cell_ == nullptr) return 0;
    return internal::StartTimer(cell_, delay, period,
                                std::make_unique<internal::TickOf<Signature, Told>>(
                                    kIndex, period == Duration::zero(), std::forward<M>(message)));
  }

  internal::Cell* const cell_;  // outlives the actor
};

}  // namespace quern

#endif  // QUERN_RUNTIME_ACTOR_H_
