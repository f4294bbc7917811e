// What Become<State>() switches to: the static handlers of a state, as one flat table in the order
// of the actor's own, with a gap where the state leaves a message to the actor.
//
//   struct Open {
//     static void On(Door& self, const Knock& m);          // as a member, with self in front
//   };
//   const HandlerTable& table = kStateTable<Actor<DoorApi>, Open>;
//
// Thunks expect the address of the actor's Actor<..> base.

#ifndef QUERN_RUNTIME_INTERNAL_STATE_TABLE_H_
#define QUERN_RUNTIME_INTERNAL_STATE_TABLE_H_

#include <type_traits>
#include <utility>

#include "quern/runtime/internal/handler_table.h"

namespace quern::internal {

template <typename Ret, typename C, Pass kPassBy, typename... Rest>
struct StateForm : HandlerForm<Ret, kPassBy, Rest...> {
  using Self = C;  // const or not
};

template <typename M>
struct StateForms {
  template <typename Ret, typename C, typename... Rest>
  static StateForm<Ret, C, Pass::kConstRef, Rest...> Of(Ret (*)(C&, const M&, Rest...));
  template <typename Ret, typename C, typename... Rest>
  static StateForm<Ret, C, Pass::kMove, Rest...> Of(Ret (*)(C&, M&&, Rest...));
  template <typename Ret, typename C, typename... Rest>
  static StateForm<Ret, C, Pass::kValue, Rest...> Of(Ret (*)(C&, M, Rest...));
};

template <typename State, typename M>
decltype(StateForms<M>::Of(&State::On)) DetectStateForm(int);
template <typename State, typename M>
void DetectStateForm(...);

template <typename State, typename S>
using StateFormFor = decltype(DetectStateForm<State, typename SignatureParts<S>::Message>(0));
template <typename State, typename S>
inline constexpr bool kInState = IsHandlerForm<StateFormFor<State, S>>();

// Becomes whatever a handler may take, except a message of the Api (or, in the other case, that one
// message alone): a call with it finds the handlers that the table leaves out.
template <typename Handled>
struct AnyForeign {
  template <typename T>
    requires(!Accepts<Handled, T>)
  operator T&&() const;
  template <typename T>
    requires(!Accepts<Handled, T>)
  operator const T&() const;
};
struct AnySelf {
  template <typename T>
  operator T&() const;
};
struct AnyDeferred {
  template <typename R>
  operator Deferred<R>() const;
};

struct NoHandlerFits {};
template <typename State>
struct StateProbe : State {
  using State::On;
  static NoHandlerFits On(...);
};

// Calls the state with `M` for a message: false when one of its handlers, or more, would take it.
template <typename State, typename M, typename... Rest>
constexpr bool NoneTakes() {
  if constexpr (requires { StateProbe<State>::On(AnySelf(), std::declval<M>(), Rest()()...); }) {
    return std::is_same_v<
        decltype(StateProbe<State>::On(AnySelf(), std::declval<M>(), Rest()()...)), NoHandlerFits>;
  } else {
    return false;
  }
}
struct ProbeContext {
  Context& operator()() const;
};
struct ProbeDeferred {
  AnyDeferred operator()() const;
};

template <typename State, typename M>
constexpr bool NoneTakesInAnyForm() {
  return NoneTakes<State, M>() && NoneTakes<State, M, ProbeContext>() &&
         NoneTakes<State, M, ProbeDeferred>() && NoneTakes<State, M, ProbeContext, ProbeDeferred>();
}

// A message that anything converts to (std::any) would be taken for a foreign one.
template <typename Handled, typename... S>
constexpr bool CanProbe(const SignatureList<S...>*) {
  return (!std::is_convertible_v<AnyForeign<Handled>, typename SignatureParts<S>::Message> && ...);
}

template <typename ActorBase, typename State>
constexpr bool HasForeignHandler() {
  using Handled = typename ActorBase::Handled;
  if constexpr (!std::is_final_v<State> &&
                CanProbe<Handled>(static_cast<const SignaturesOf<Handled>*>(nullptr))) {
    return !NoneTakesInAnyForm<State, AnyForeign<Handled>>();
  } else {
    return false;
  }
}

template <typename ActorBase, typename State, typename S>
constexpr bool StateHandlerFits() {
  if constexpr (kInState<State, S>) {
    using Form = StateFormFor<State, S>;
    return std::is_base_of_v<ActorBase, std::remove_const_t<typename Form::Self>> &&
           FormFits<Form, typename SignatureParts<S>::Reply>();
  } else {
    return true;
  }
}

template <typename ActorBase, typename State, typename... S>
constexpr bool StateFits(const SignatureList<S...>*) {
  return (kInState<State, S> || ...) && (StateHandlerFits<ActorBase, State, S>() && ...) &&
         !HasForeignHandler<ActorBase, State>();
}

// One fitting handler or none for each message, one at least, and no other.
template <typename ActorBase, typename State>
inline constexpr bool kIsState = StateFits<ActorBase, State>(
    static_cast<const SignaturesOf<typename ActorBase::Handled>*>(nullptr));

// The sentences that the compiler prints: what a deleted function appears to return.
template <typename State, typename Actor>
struct this_state_has_no_handler_for_any_message_of_this_actor;
template <typename State, typename Actor>
struct this_state_has_a_handler_for_a_message_that_this_actor_is_never_sent;
template <typename State, typename Message, typename Self>
struct this_handler_of_the_state_belongs_to_another_actor;
template <typename State, typename Message, typename Expected>
struct this_handler_of_the_state_must_return_the_reply_that_the_Api_declares;

template <typename ActorBase, typename State>
auto FirstStateMistake(const SignatureList<>*) {
  return TypeTag<
      this_state_has_a_handler_for_a_message_that_this_actor_is_never_sent<State, ActorBase>>();
}
template <typename ActorBase, typename State, typename S, typename... More>
auto FirstStateMistake(const SignatureList<S, More...>*) {
  if constexpr (StateHandlerFits<ActorBase, State, S>()) {
    return FirstStateMistake<ActorBase, State>(static_cast<const SignatureList<More...>*>(nullptr));
  } else {
    using M = typename SignatureParts<S>::Message;
    using Form = StateFormFor<State, S>;
    using Self = std::remove_const_t<typename Form::Self>;
    if constexpr (!std::is_base_of_v<ActorBase, Self>) {
      return TypeTag<this_handler_of_the_state_belongs_to_another_actor<State, M, Self>>();
    } else {
      return TypeTag<this_handler_of_the_state_must_return_the_reply_that_the_Api_declares<
          State, M, typename SignatureParts<S>::Reply>>();
    }
  }
}
template <typename ActorBase, typename State, typename... S>
auto StateMistakeIn(const SignatureList<S...>* list) {
  if constexpr ((kInState<State, S> || ...)) {
    return FirstStateMistake<ActorBase, State>(list);
  } else {
    return TypeTag<this_state_has_no_handler_for_any_message_of_this_actor<State, ActorBase>>();
  }
}
template <typename ActorBase, typename State>
using StateMistake = typename decltype(StateMistakeIn<ActorBase, State>(
    static_cast<const SignaturesOf<typename ActorBase::Handled>*>(nullptr)))::Type;

// A state's handler as CallHandler() and RunHandler() see it: an object with a member On.
template <typename ActorBase, typename State, typename Self>
struct StateCaller {
  Self& self;

  template <typename... Args>
  decltype(auto) On(Args&&... args) {
    return State::On(self, std::forward<Args>(args)...);
  }
};

template <typename ActorBase, typename State, typename S>
void RunStateHandler(void* actor_base, Envelope* e, Context& context) {
  using Form = StateFormFor<State, S>;
  StateCaller<ActorBase, State, typename Form::Self> caller{
      static_cast<typename Form::Self&>(*static_cast<ActorBase*>(actor_base))};
  RunForm<Form, S>(caller, e, context);
}

template <typename ActorBase, typename State, typename S>
constexpr Thunk StateThunk() {
  if constexpr (kInState<State, S>) {
    return &RunStateHandler<ActorBase, State, S>;
  } else {
    return nullptr;
  }
}

template <typename ActorBase, typename State, typename List>
struct StateTableOf;
template <typename ActorBase, typename State, typename... S>
struct StateTableOf<ActorBase, State, SignatureList<S...>> {
  static constexpr const Signature* kSignatures[sizeof...(S) + 1] = {&kSignature<S>..., nullptr};
  static constexpr Thunk kThunks[sizeof...(S) + 1] = {StateThunk<ActorBase, State, S>()...,
                                                      nullptr};
  static constexpr HandlerTable kTable = {kSignatures, kThunks, sizeof...(S)};
};

// Instantiate only when kIsState<ActorBase, State>.
template <typename ActorBase, typename State>
inline constexpr const HandlerTable& kStateTable =
    StateTableOf<ActorBase, State, SignaturesOf<typename ActorBase::Handled>>::kTable;

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_INTERNAL_STATE_TABLE_H_
