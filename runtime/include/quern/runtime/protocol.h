// The contract of an actor or grain: which messages it accepts and what each one answers.
//
//   struct CounterApi : quern::Protocol<int64_t(Get), void(Add)> {
//     static constexpr std::string_view kKind = "counter";   // grains, and actors spawned by kind
//   };
//   static_assert(quern::Accepts<CounterApi, Add>);
//   static_assert(std::same_as<quern::ReplyOf<CounterApi, Get>, int64_t>);
//
// Callers include the Api alone, never the actor behind it. A message may be an incomplete type
// here. Each message stands once in an Api, and is a value: no pointer, no reference.

#ifndef QUERN_RUNTIME_PROTOCOL_H_
#define QUERN_RUNTIME_PROTOCOL_H_

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace quern {

template <typename... Signatures>
struct Protocol;

template <typename Api>
class Ref;

namespace internal {

template <typename T>
struct TypeTag {
  using Type = T;
};

template <typename Signature>
struct SignatureTag {};

template <typename Signature>
struct SignatureParts;
template <typename R, typename M>
struct SignatureParts<R(M)> {
  using Reply = R;
  using Message = M;
};

template <typename... Signatures>
struct SignatureList : SignatureTag<Signatures>... {
  static constexpr size_t kCount = sizeof...(Signatures);
};

template <typename... Signatures>
SignatureList<Signatures...> ListOf(const Protocol<Signatures...>*);

// The SignatureList of an Api (a struct derived from Protocol, or a Protocol itself).
template <typename Api>
using SignaturesOf = decltype(ListOf(static_cast<const Api*>(nullptr)));

// Overload resolution over the bases finds a message's signature; nothing is walked.
template <typename M, typename R>
TypeTag<R(M)> FindSignature(const SignatureTag<R(M)>*);
template <typename M>
TypeTag<void> FindSignature(...);

template <typename Api, typename M>
using SignatureFor =
    typename decltype(FindSignature<M>(static_cast<const SignaturesOf<Api>*>(nullptr)))::Type;

template <typename Signature, typename... Signatures>
constexpr uint16_t IndexIn(const SignatureList<Signatures...>*) {
  uint16_t index = 0;
  (void)((std::is_same_v<Signature, Signatures> || (++index, false)) || ...);
  return index;
}

// What an entry of a Protocol must be.
template <typename Signature>
inline constexpr bool kIsSignature = false;
template <typename R, typename M>
inline constexpr bool kIsSignature<R(M)> = std::is_object_v<M> && !std::is_pointer_v<M>;

template <typename M, typename... Messages>
inline constexpr int kTimes = (int{__is_same(M, Messages)} + ...);
template <typename... Messages>
inline constexpr bool kDiffer = ((kTimes<Messages, Messages...> == 1) && ...);

template <typename... Signatures>
constexpr bool MessagesDiffer() {
  return kDiffer<typename SignatureParts<Signatures>::Message...>;
}

// An Api and the messages that only its actor itself can send.
template <typename Api, typename List, typename... Private>
struct JoinedProtocol;
template <typename Api, typename... Signatures, typename... Private>
struct JoinedProtocol<Api, SignatureList<Signatures...>, Private...>
    : Protocol<Signatures..., Private...> {};
template <typename Api, typename... Private>
struct WithPrivateOf {
  using Type = JoinedProtocol<Api, SignaturesOf<Api>, Private...>;
};
template <typename Api>
struct WithPrivateOf<Api> {
  using Type = Api;
};
template <typename Api, typename... Private>
using WithPrivate = typename WithPrivateOf<Api, Private...>::Type;

template <typename Narrow, typename... Signatures>
constexpr bool CoveredBy(const SignatureList<Signatures...>*) {
  return (std::is_base_of_v<SignatureTag<Signatures>, Narrow> && ...);
}

}  // namespace internal

template <typename... Signatures>
struct Protocol {
  static constexpr bool kWellFormed = (internal::kIsSignature<Signatures> && ...);
  static_assert(kWellFormed, "a Protocol lists Reply(Message), each message a value");
  static_assert(
      [] {
        if constexpr (kWellFormed) return internal::MessagesDiffer<Signatures...>();
        return true;
      }(),
      "each message stands once in a Protocol");
};

// True when Api has a signature for the message type M.
template <typename Api, typename M>
concept Accepts = !std::is_void_v<internal::SignatureFor<Api, std::remove_cvref_t<M>>>;

// What `Api` answers to `M`.
template <typename Api, typename M>
using ReplyOf =
    typename internal::SignatureParts<internal::SignatureFor<Api, std::remove_cvref_t<M>>>::Reply;

// True when every message of Narrow is one of Wide with the same reply.
template <typename Wide, typename Narrow>
concept Covers = internal::CoveredBy<internal::SignaturesOf<Wide>>(
    static_cast<const internal::SignaturesOf<Narrow>*>(nullptr));

}  // namespace quern

#endif  // QUERN_RUNTIME_PROTOCOL_H_
