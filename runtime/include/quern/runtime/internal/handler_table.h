// Which member of a class handles which message, found at compile time and kept as one flat table a
// class, keyed by signature with the index in the Api as a hint.
//
//   const HandlerTable& table = kHandlerTable<Counter, CounterApi>;
//   if (Thunk thunk = table.Find(*envelope)) thunk(&counter, envelope, context);
//
// A handler is exactly one of On(const M&), On(M&&), On(M), const or not, noexcept or not,
// inherited or not, with an optional trailing Context&. It returns R or StatusOr<R>; for void: void
// or Status.

#ifndef QUERN_RUNTIME_INTERNAL_HANDLER_TABLE_H_
#define QUERN_RUNTIME_INTERNAL_HANDLER_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

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
};

enum class Pass : uint8_t { kConstRef, kMove, kValue };

template <typename Ret, Pass kPassBy, bool kWithContext>
struct HandlerForm {
  using Return = Ret;
  static constexpr Pass kPass = kPassBy;
  static constexpr bool kContext = kWithContext;
};

// Deduced from the member's address, so that no conversion can hijack a message: exactly one of
// these overloads fits a well-formed handler.
template <typename M, typename Ret, typename C>
HandlerForm<Ret, Pass::kConstRef, false> FormOf(Ret (C::*)(const M&));
template <typename M, typename Ret, typename C>
HandlerForm<Ret, Pass::kConstRef, false> FormOf(Ret (C::*)(const M&) const);
template <typename M, typename Ret, typename C>
HandlerForm<Ret, Pass::kConstRef, true> FormOf(Ret (C::*)(const M&, Context&));
template <typename M, typename Ret, typename C>
HandlerForm<Ret, Pass::kConstRef, true> FormOf(Ret (C::*)(const M&, Context&) const);
template <typename M, typename Ret, typename C>
HandlerForm<Ret, Pass::kMove, false> FormOf(Ret (C::*)(M&&));
template <typename M, typename Ret, typename C>
HandlerForm<Ret, Pass::kMove, false> FormOf(Ret (C::*)(M&&) const);
template <typename M, typename Ret, typename C>
HandlerForm<Ret, Pass::kMove, true> FormOf(Ret (C::*)(M&&, Context&));
template <typename M, typename Ret, typename C>
HandlerForm<Ret, Pass::kMove, true> FormOf(Ret (C::*)(M&&, Context&) const);
template <typename M, typename Ret, typename C>
HandlerForm<Ret, Pass::kValue, false> FormOf(Ret (C::*)(M));
template <typename M, typename Ret, typename C>
HandlerForm<Ret, Pass::kValue, false> FormOf(Ret (C::*)(M) const);
template <typename M, typename Ret, typename C>
HandlerForm<Ret, Pass::kValue, true> FormOf(Ret (C::*)(M, Context&));
template <typename M, typename Ret, typename C>
HandlerForm<Ret, Pass::kValue, true> FormOf(Ret (C::*)(M, Context&) const);

// Classic SFINAE: g++ 12's requires-expressions ignore access here.
template <typename A, typename M>
decltype(FormOf<M>(&A::On)) DetectHandler(int);
template <typename A, typename M>
void DetectHandler(...);

template <typename A, typename S>
using FormFor = decltype(DetectHandler<A, typename SignatureParts<S>::Message>(0));

template <typename R, typename Ret>
inline constexpr bool kReturnFits = std::is_same_v<Ret, R> || std::is_same_v<Ret, ReplySlot<R>>;

template <typename A, typename S>
inline constexpr bool kHasHandler = !std::is_void_v<FormFor<A, S>>;

template <typename A, typename S>
constexpr bool HandlerReturnFits() {
  if constexpr (kHasHandler<A, S>) {
    return kReturnFits<typename SignatureParts<S>::Reply, typename FormFor<A, S>::Return>;
  } else {
    return true;
  }
}

template <typename A, typename... S>
constexpr bool HandlesAll(const SignatureList<S...>*) {
  return ((kHasHandler<A, S> && HandlerReturnFits<A, S>()) && ...);
}

// True when A has a fitting handler for every message of Api.
template <typename A, typename Api>
inline constexpr bool kHandles = HandlesAll<A>(static_cast<const SignaturesOf<Api>*>(nullptr));

// The sentences that the compiler prints: what a deleted function appears to return, so that the
// first error line names the mistake at the call that made it.
template <typename Actor, typename Message>
struct this_actor_has_no_handler_On_for_this_message_of_its_Api;
template <typename Actor, typename Message, typename Expected>
struct this_handler_On_must_return_the_reply_that_the_Api_declares_or_StatusOr_of_it;

// Called only when there is one, so that recursion costs a right program nothing.
template <typename A, typename S, typename... More>
auto FirstHandlerMistake(const SignatureList<S, More...>*) {
  using M = typename SignatureParts<S>::Message;
  using R = typename SignatureParts<S>::Reply;
  if constexpr (!kHasHandler<A, S>) {
    return TypeTag<this_actor_has_no_handler_On_for_this_message_of_its_Api<A, M>>();
  } else if constexpr (!HandlerReturnFits<A, S>()) {
    return TypeTag<
        this_handler_On_must_return_the_reply_that_the_Api_declares_or_StatusOr_of_it<A, M, R>>();
  } else {
    return FirstHandlerMistake<A>(static_cast<const SignatureList<More...>*>(nullptr));
  }
}
template <typename A>
auto HandlerMistakeOf() {
  if constexpr (kHandles<A, typename A::Api>) {
    return TypeTag<void>();
  } else {
    return FirstHandlerMistake<A>(static_cast<const SignaturesOf<typename A::Api>*>(nullptr));
  }
}
template <typename A>
using HandlerMistake = typename decltype(HandlerMistakeOf<A>())::Type;

template <typename A, typename S>
decltype(auto) CallHandler(A& actor, typename SignatureParts<S>::Message& message,
                           Context& context) {
  using M = typename SignatureParts<S>::Message;
  using Form = FormFor<A, S>;
  if constexpr (Form::kPass == Pass::kConstRef) {
    if constexpr (Form::kContext) {
      return actor.On(std::as_const(message), context);
    } else {
      return actor.On(std::as_const(message));
    }
  } else {
    if constexpr (Form::kContext) {
      return actor.On(static_cast<M&&>(message), context);
    } else {
      return actor.On(static_cast<M&&>(message));
    }
  }
}

// Told when a handler answered a tell with an error: counted and logged, for nobody waits.
void ReportFailedTell(const Envelope& envelope, const Status& status);

template <typename A, typename S>
void RunHandler(void* actor_ptr, Envelope* e, Context& context) {
  using M = typename SignatureParts<S>::Message;
  using R = typename SignatureParts<S>::Reply;
  using Return = typename FormFor<A, S>::Return;
  A& actor = *static_cast<A*>(actor_ptr);
  M& message = *static_cast<M*>(e->message());
  if constexpr (std::is_void_v<Return>) {
    CallHandler<A, S>(actor, message, context);
    if (e->is_ask() && ClaimReply(e)) {
      std::construct_at(static_cast<Status*>(e->ask().slot));
      FinishReply(e);
    }
  } else {
    Return reply = CallHandler<A, S>(actor, message, context);
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
}

template <typename A, typename List>
struct HandlerTableOf;
template <typename A, typename... S>
struct HandlerTableOf<A, SignatureList<S...>> {
  static constexpr const Signature* kSignatures[sizeof...(S) + 1] = {&kSignature<S>..., nullptr};
  static constexpr Thunk kThunks[sizeof...(S) + 1] = {&RunHandler<A, S>..., nullptr};
  static constexpr HandlerTable kTable = {kSignatures, kThunks, sizeof...(S)};
};

// Instantiate only when kHandles<A, Api>.
template <typename A, typename Api>
inline constexpr const HandlerTable& kHandlerTable = HandlerTableOf<A, SignaturesOf<Api>>::kTable;

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_INTERNAL_HANDLER_TABLE_H_
