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
// Signatures behind the Api are private: Self() and timers accept them, and nobody else can send
// them, for Spawn() gives a Ref<CounterApi>. Self() may be handed on as a Ref<CounterApi>.
//
// OnStart, OnStop (void or Status, optional Context&) run on the actor's own turn, as do
// construction and destruction: nothing in an actor needs a lock. After, Every, Cron and their like
// are in timer.h. An object made directly, outside a System, is plain: a unit test may call its
// handlers; Self() is empty then and timers do nothing.

#ifndef QUERN_RUNTIME_ACTOR_H_
#define QUERN_RUNTIME_ACTOR_H_

#include "quern/runtime/context.h"
#include "quern/runtime/internal/cell.h"
#include "quern/runtime/internal/envelope.h"
#include "quern/runtime/internal/state_table.h"
#include "quern/runtime/protocol.h"
#include "quern/runtime/ref.h"
#include "quern/runtime/timer.h"

namespace quern {

namespace internal {

// The cell whose actor is being constructed on this thread, or null.
Cell* TakeConstructingCell();

// On the actor's own turn; anywhere else they do nothing. `self`: what the state's thunks expect.
void BecomeState(Cell* cell, const HandlerTable& state, void* self);
// False: kStatesStackedMax are stacked already.
bool StackState(Cell* cell, const HandlerTable& state, void* self);
// False: there was none.
bool EndState(Cell* cell);

}  // namespace internal

template <typename ApiType, typename... Private>
class Actor : public internal::TimerCalls<Actor<ApiType, Private...>,
                                          internal::WithPrivate<ApiType, Private...>> {
 public:
  using Api = ApiType;
  // The Api and the private messages.
  using Handled = internal::WithPrivate<ApiType, Private...>;

 protected:
  Actor() : cell_(internal::TakeConstructingCell()) {}
  Actor(const Actor& other) : internal::TimerCalls<Actor, Handled>(other), cell_(nullptr) {}
  Actor& operator=(const Actor&) { return *this; }
  ~Actor() = default;

  // This actor; empty outside a System.
  Ref<Handled> Self() const {
    return Ref<Handled>::FromCell(internal::CellPtr<internal::Cell>::Share(cell_));
  }

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
  friend class internal::TimerCalls<Actor, Handled>;

  internal::Cell* timer_cell() const { return cell_; }

  internal::Cell* const cell_;  // outlives the actor
};

}  // namespace quern

#endif  // QUERN_RUNTIME_ACTOR_H_
