// Which member of a class handles which message, found at compile time and kept as one flat table a
// class, keyed by signature with the index in the Api as a hint.
//
//   const HandlerTable& table = kHandlerTable<Counter, CounterApi>;
//   if (Thunk thunk = table.Find(*envelope)) thunk(&counter, envelope, context);
//
// A handler is exactly one of On(const M&), On(M&&), On(M), const or not, noexcept or not,
// inherited or not, with an optional trailing Context&. It returns R or StatusOr<R>; for void: void
// or Status. Or it returns void and takes, as its last parameter, a Deferred<R> to answer later.

#ifndef QUERN_RUNTIME_INTERNAL_HANDLER_TABLE_H_
#define QUERN_RUNTIME_INTERNAL_HANDLER_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include "quern/runtime/deferred.h"
#include "quern/runtime/internal/envelope.h"
#include "quern/runtime/internal/signature.h"
#include "quern/runtime/protocol.h"
#include "quern/runtime/status.h"

namespace quern {
class Context;
}

namespace quern::internal {

// Runs the handler and answers an ask. Does not end the envelope. May suspend; may throw what the
// handler throws, the ask then unanswered.
using Thunk = void (*)(void* actor, Envelope* envelope, Context& context);

struct HandlerTable {
  const Signature* const* signatures;
  const Thunk* thunks;
  uint16_t count;
  // Whether the handler leaves the message as it found it, so that it can be run on it again. Null:
  // none does.
  const bool* keeps_message = nullptr;

  // Null when the class has no handler for it.
  Thunk Find(const Envelope& e) const {
    if (e.index_hint < count && signatures[e.index_hint] == e.signature) [[likely]] {
      return thunks[e.index_hint];
    }
    for (uint16_t i = 0; i < count; ++i) {
      if (signatures[i] == e.signature) return thunks[i];
    }
    return nullptr;
  }

  bool KeepsMessage(const Envelope& e) const {
    for (uint16_t i = 0; keeps_message != nullptr && i < count; ++i) {
      if (signatures[i] == e.signature) return keeps_message[i];
    }
    return false;
  }
};

enum class Pass : uint8_t { kConstRef, kMove, kValue };

// What may stand behind the message: nothing, a Context&, a Deferred, or both in this order.
template <typename... Rest>
struct Trailing {
  static constexpr bool kValid = false;
};
template <>
struct Trailing<> {
  static constexpr bool kValid = true;
  static constexpr bool kContext = false;
  using Deferral = void;
};
template <>
struct Trailing<Context&> : Trailing<> {
  static constexpr bool kContext = true;
};
template <typename R>
struct Trailing<Deferred<R>> : Trailing<> {
  using Deferral = Deferred<R>;
};
template <typename R>
struct Trailing<Context&, Deferred<R>> : Trailing<Deferred<R>> {
  static constexpr bool kContext = true;
};

template <typename Ret, Pass kPassBy, typename... Rest>
struct HandlerForm : Trailing<Rest...> {
  using Return = Ret;
  static constexpr Pass kPass = kPassBy;
};

// Deduced from the member's address, so that no conversion can hijack a message: exactly one of
// these overloads fits a well-formed handler, and exactly one member of the class fits it. (M is
// the class's, not theirs: as a parameter of theirs it would make one overload beat another.)
template <typename M>
struct Forms {
  template <typename Ret, typename C, typename... Rest>
  static HandlerForm<Ret, Pass::kConstRef, Rest...> Of(Ret (C::*)(const M&, Rest...));
  template <typename Ret, typename C, typename... Rest>
  static HandlerForm<Ret, Pass::kConstRef, Rest...> Of(Ret (C::*)(const M&, Rest...) const);
  template <typename Ret, typename C, typename... Rest>
  static HandlerForm<Ret, Pass::kMove, Rest...> Of(Ret (C::*)(M&&, Rest...));
  template <typename Ret, typename C, typename... Rest>
  static HandlerForm<Ret, Pass::kMove, Rest...> Of(Ret (C::*)(M&&, Rest...) const);
  template <typename Ret, typename C, typename... Rest>
  static HandlerForm<Ret, Pass::kValue, Rest...> Of(Ret (C::*)(M, Rest...));
  template <typename Ret, typename C, typename... Rest>
  static HandlerForm<Ret, Pass::kValue, Rest...> Of(Ret (C::*)(M, Rest...) const);
};

// Classic SFINAE: g++ 12's requires-expressions ignore access here.
template <typename A, typename M>
decltype(Forms<M>::Of(&A::On)) DetectForm(int);
template <typename A, typename M, typename = typename A::IsFunctionActor>
decltype(Forms<M>::Of(&A::operator())) DetectForm(int);
template <typename A, typename M>
void DetectForm(...);

template <typename Form>
constexpr bool IsHandlerForm() {
  if constexpr (std::is_void_v<Form>) {
    return false;
  } else {
    return Form::kValid;
  }
}

// The slow path, for messages that the above does not settle: members looked for one exact type at
// a time. It finds handlers that are templates, and tells none from more than one.
template <typename Ret, typename C, typename... Args>
struct ExactMember {
  using Plain = Ret (C::*)(Args...);
  using Const = Ret (C::*)(Args...) const;
};
template <typename A, typename Member>
decltype((void)static_cast<Member>(&A::On), std::true_type()) HasMember(int);
template <typename A, typename Member>
std::false_type HasMember(...);

template <typename A, typename Ret, typename... Args>
constexpr int CountExact() {
  using Member = ExactMember<Ret, A, Args...>;
  return int{decltype(HasMember<A, typename Member::Plain>(0))::value} +
         int{decltype(HasMember<A, typename Member::Const>(0))::value};
}

// All forms with one kind of trailing parameters and one return type.
template <typename A, typename M, typename Ret, typename... Rest>
struct ExactForms {
  static constexpr int kConstRefs = CountExact<A, Ret, const M&, Rest...>();
  static constexpr int kMoves = CountExact<A, Ret, M&&, Rest...>();
  static constexpr int kValues = CountExact<A, Ret, M, Rest...>();
  static constexpr int kCount = kConstRefs + kMoves + kValues;
  using Type = HandlerForm<Ret,
                           kConstRefs != 0 ? Pass::kConstRef
                           : kMoves != 0   ? Pass::kMove
                                           : Pass::kValue,
                           Rest...>;
};
struct NoForms {
  static constexpr int kCount = 0;
  using Type = void;
};
template <typename... Forms>
struct FirstOf : NoForms {};
template <typename First, typename... More>
struct FirstOf<First, More...> : std::conditional_t<First::kCount != 0, First, FirstOf<More...>> {};
template <typename... Forms>
struct AllForms {
  static constexpr int kCount = (Forms::kCount + ...);
  using Type = std::conditional_t<kCount == 1, typename FirstOf<Forms...>::Type, void>;
};

template <typename A, typename M, typename R>
using SlowForms =
    AllForms<ExactForms<A, M, R>, ExactForms<A, M, R, Context&>, ExactForms<A, M, ReplySlot<R>>,
             ExactForms<A, M, ReplySlot<R>, Context&>, ExactForms<A, M, void, Deferred<R>>,
             ExactForms<A, M, void, Context&, Deferred<R>>>;

// The form of the one handler for the message of S, or void.
template <typename A, typename S>
auto FindForm() {
  using M = typename SignatureParts<S>::Message;
  using R = typename SignatureParts<S>::Reply;
  using Quick = decltype(DetectForm<A, M>(0));
  if constexpr (IsHandlerForm<Quick>()) {
    return TypeTag<Quick>();
  } else {
    return TypeTag<typename SlowForms<A, M, R>::Type>();
  }
}
template <typename A, typename S>
using FormFor = typename decltype(FindForm<A, S>())::Type;

template <typename A, typename S>
inline constexpr bool kHasHandler = !std::is_void_v<FormFor<A, S>>;

template <typename A, typename S>
inline constexpr bool kHasManyHandlers =
    !kHasHandler<A, S> &&
    (SlowForms<A, typename SignatureParts<S>::Message, typename SignatureParts<S>::Reply>::kCount >
     1);

// It returns what the Api declares, or takes the right to answer with it.
template <typename Form, typename R>
constexpr bool FormFits() {
  using Return = typename Form::Return;
  if constexpr (std::is_void_v<typename Form::Deferral>) {
    return std::is_same_v<Return, R> || std::is_same_v<Return, ReplySlot<R>>;
  } else {
    return std::is_void_v<Return> && std::is_same_v<typename Form::Deferral, Deferred<R>>;
  }
}

template <typename A, typename S>
constexpr bool HandlerFits() {
  if constexpr (kHasHandler<A, S>) {
    return FormFits<FormFor<A, S>, typename SignatureParts<S>::Reply>();
  } else {
    return false;
  }
}

template <typename A, typename... S>
constexpr bool HandlesAll(const SignatureList<S...>*) {
  return (HandlerFits<A, S>() && ...);
}

// Every message that an A is sent: its Api's, and those that only it itself sends.
template <typename A>
using HandledBy = typename A::Handled;

// True when A has one fitting handler for every message of Api.
template <typename A, typename Api>
inline constexpr bool kHandles = HandlesAll<A>(static_cast<const SignaturesOf<Api>*>(nullptr));
template <typename A>
inline constexpr bool kHandlesAll = kHandles<A, HandledBy<A>>;

// The sentences that the compiler prints: what a deleted function appears to return, so that the
// first error line names the mistake at the call that made it.
template <typename Actor, typename Message>
struct this_actor_has_no_handler_On_for_this_message_of_its_Api;
template <typename Actor, typename Message>
struct this_actor_has_more_than_one_handler_On_for_this_message;
template <typename Actor, typename Message, typename Expected>
struct this_handler_On_must_return_the_reply_that_the_Api_declares_or_StatusOr_of_it;
template <typename Actor, typename Message, typename Expected>
struct this_handler_On_must_return_void_and_take_a_Deferred_of_the_reply_that_the_Api_declares;

// Called only when there is one, so that recursion costs a right program nothing.
template <typename A, typename S, typename... More>
auto FirstHandlerMistake(const SignatureList<S, More...>*) {
  using M = typename SignatureParts<S>::Message;
  using R = typename SignatureParts<S>::Reply;
  if constexpr (kHasManyHandlers<A, S>) {
    return TypeTag<this_actor_has_more_than_one_handler_On_for_this_message<A, M>>();
  } else if constexpr (!kHasHandler<A, S>) {
    return TypeTag<this_actor_has_no_handler_On_for_this_message_of_its_Api<A, M>>();
  } else if constexpr (HandlerFits<A, S>()) {
    return FirstHandlerMistake<A>(static_cast<const SignatureList<More...>*>(nullptr));
  } else if constexpr (std::is_void_v<typename FormFor<A, S>::Deferral>) {
    return TypeTag<
        this_handler_On_must_return_the_reply_that_the_Api_declares_or_StatusOr_of_it<A, M, R>>();
  } else {
    return TypeTag<
        this_handler_On_must_return_void_and_take_a_Deferred_of_the_reply_that_the_Api_declares<
            A, M, R>>();
  }
}
template <typename A>
auto HandlerMistakeOf() {
  if constexpr (kHandlesAll<A>) {
    return TypeTag<void>();
  } else {
    return FirstHandlerMistake<A>(static_cast<const SignaturesOf<HandledBy<A>>*>(nullptr));
  }
}
template <typename A>
using HandlerMistake = typename decltype(HandlerMistakeOf<A>())::Type;

// The message as its handler wants it.
template <Pass kPass, typename M>
decltype(auto) PassMessage(M& message) {
  if constexpr (kPass == Pass::kConstRef) {
    return std::as_const(message);
  } else {
    return static_cast<M&&>(message);
  }
}

template <typename Form, typename S, typename Target>
decltype(auto) CallHandler(Target& target, Envelope* e, Context& context) {
  using M = typename SignatureParts<S>::Message;
  M& message = *static_cast<M*>(e->message());
  if constexpr (!std::is_void_v<typename Form::Deferral>) {
    typename Form::Deferral deferred(DeferredReply(e, context));
    if constexpr (Form::kContext) {
      return target.On(PassMessage<Form::kPass>(message), context, std::move(deferred));
    } else {
      return target.On(PassMessage<Form::kPass>(message), std::move(deferred));
    }
  } else if constexpr (Form::kContext) {
    return target.On(PassMessage<Form::kPass>(message), context);
  } else {
    return target.On(PassMessage<Form::kPass>(message));
  }
}

// Told when a handler answered a tell with an error: counted and logged, for nobody waits.
void ReportFailedTell(const Envelope& envelope, const Status& status);

// Answers with what the handler returned; an error that nobody waits for is reported.
template <typename R, typename Return>
void AnswerWith(Envelope* e, Return reply) {
  if (e->is_ask()) {
    if (!ClaimReply(e)) return;
    std::construct_at(static_cast<ReplySlot<R>*>(e->ask().slot), std::move(reply));
    FinishReply(e);
  } else if constexpr (!std::is_same_v<Return, R>) {
    if constexpr (std::is_void_v<R>) {
      if (!reply.ok()) ReportFailedTell(*e, reply);
    } else {
      if (!reply.ok()) ReportFailedTell(*e, reply.status());
    }
  }
}

template <typename Form, typename S, typename Target>
void RunForm(Target& target, Envelope* e, Context& context) {
  using R = typename SignatureParts<S>::Reply;
  // Only who has a Context can put a message aside.
  if constexpr (Form::kPass != Pass::kConstRef && Form::kContext) e->flags |= Envelope::kTaken;
  if constexpr (!std::is_void_v<typename Form::Deferral>) {
    CallHandler<Form, S>(target, e, context);
  } else if constexpr (std::is_void_v<typename Form::Return>) {
    CallHandler<Form, S>(target, e, context);
    if (e->is_ask()) AnswerWith<R>(e, Status());
  } else {
    AnswerWith<R, typename Form::Return>(e, CallHandler<Form, S>(target, e, context));
  }
}

// A FunctionActor's functions as RunForm() wants them.
template <typename A>
struct FunctionCaller {
  A& actor;

  template <typename... Args>
  decltype(auto) On(Args&&... args) {
    return actor(std::forward<Args>(args)...);
  }
};

template <typename A, typename S>
void RunHandler(void* actor_ptr, Envelope* e, Context& context) {
  A& actor = *static_cast<A*>(actor_ptr);
  if constexpr (requires { typename A::IsFunctionActor; }) {
    FunctionCaller<A> caller{actor};
    RunForm<FormFor<A, S>, S>(caller, e, context);
  } else {
    RunForm<FormFor<A, S>, S>(actor, e, context);
  }
}

template <typename Form>
inline constexpr bool kKeepsMessage =
    Form::kPass == Pass::kConstRef && std::is_void_v<typename Form::Deferral>;

template <typename A, typename List>
struct HandlerTableOf;
template <typename A, typename... S>
struct HandlerTableOf<A, SignatureList<S...>> {
  static constexpr const Signature* kSignatures[sizeof...(S) + 1] = {&kSignature<S>..., nullptr};
  static constexpr Thunk kThunks[sizeof...(S) + 1] = {&RunHandler<A, S>..., nullptr};
  static constexpr bool kKeeps[sizeof...(S) + 1] = {kKeepsMessage<FormFor<A, S>>..., false};
  static constexpr HandlerTable kTable = {kSignatures, kThunks, sizeof...(S), kKeeps};
};

// Instantiate only when kHandles<A, Api>.
template <typename A, typename Api>
inline constexpr const HandlerTable& kHandlerTable = HandlerTableOf<A, SignaturesOf<Api>>::kTable;

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_INTERNAL_HANDLER_TABLE_H_
