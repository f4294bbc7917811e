// One entry of a Protocol with its types erased: how to destroy a message, how to put an error or
// nothing where the asker expects a reply. The address of kSignature<R(M)> is the key by which an
// actor finds its handler.

#ifndef QUERN_RUNTIME_INTERNAL_SIGNATURE_H_
#define QUERN_RUNTIME_INTERNAL_SIGNATURE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "quern/runtime/limits.h"
#include "quern/runtime/protocol.h"
#include "quern/runtime/status.h"

namespace quern::internal {

// The name as the compiler writes it: for logs and errors only, never for the wire.
template <typename T>
constexpr std::string_view TypeName() {
  constexpr std::string_view all = __PRETTY_FUNCTION__;
  constexpr size_t begin = all.find("T = ") + 4;
  return all.substr(begin, all.find_first_of(";]", begin) - begin);
}

// What stands in the asker's frame: StatusOr<R>, or Status for void.
template <typename R>
struct ReplySlotOf {
  using Type = StatusOr<R>;
};
template <>
struct ReplySlotOf<void> {
  using Type = Status;
};
template <typename R>
using ReplySlot = typename ReplySlotOf<R>::Type;

// Its address tells message types apart.
template <typename M>
inline constexpr char kMessageType = 0;

struct Signature {
  std::string_view message_name;
  const void* message_type;  // &kMessageType<M>
  uint32_t message_bytes;
  uint32_t reply_slot_bytes;
  void (*destroy_message)(void* message);  // null when there is nothing to do
  void (*construct_error)(void* slot, Status status);
  void (*destroy_slot)(void* slot);
};

template <typename T>
inline constexpr bool kIsView = false;
template <typename C, typename Traits>
inline constexpr bool kIsView<std::basic_string_view<C, Traits>> = true;
template <typename T, size_t kExtent>
inline constexpr bool kIsView<std::span<T, kExtent>> = true;

// The sentences that the compiler prints: what a deleted function appears to return.
template <typename Message>
struct this_message_cannot_be_moved_into_a_mailbox;
template <typename Message>
struct this_message_is_a_view_of_memory_that_its_sender_owns;
template <typename Message>
struct this_message_has_a_destructor_that_may_throw;
template <typename Message>
struct this_message_is_over_4_KiB_box_it;
template <typename Message>
struct this_message_is_aligned_over_16_bytes_box_it;
template <typename Message, typename Reply>
struct the_reply_to_this_message_is_a_pointer_a_reference_or_a_view;
template <typename Message, typename Reply>
struct the_reply_to_this_message_is_over_4_KiB_box_it;

template <typename M, typename R>
auto ReplyMistakeOf() {
  if constexpr (std::is_void_v<R>) {
    return TypeTag<void>();
  } else if constexpr (std::is_reference_v<R> || std::is_pointer_v<R> || kIsView<R>) {
    return TypeTag<the_reply_to_this_message_is_a_pointer_a_reference_or_a_view<M, R>>();
  } else if constexpr (sizeof(R) > kMessageBytesMax) {
    return TypeTag<the_reply_to_this_message_is_over_4_KiB_box_it<M, R>>();
  } else {
    return TypeTag<void>();
  }
}
template <typename S>
auto SignatureMistakeOf() {
  using M = typename SignatureParts<S>::Message;
  if constexpr (kIsView<M>) {
    return TypeTag<this_message_is_a_view_of_memory_that_its_sender_owns<M>>();
  } else if constexpr (!std::is_move_constructible_v<M>) {
    return TypeTag<this_message_cannot_be_moved_into_a_mailbox<M>>();
  } else if constexpr (!std::is_nothrow_destructible_v<M>) {
    return TypeTag<this_message_has_a_destructor_that_may_throw<M>>();
  } else if constexpr (sizeof(M) > kMessageBytesMax) {
    return TypeTag<this_message_is_over_4_KiB_box_it<M>>();
  } else if constexpr (alignof(M) > kMessageAlignmentMax) {
    return TypeTag<this_message_is_aligned_over_16_bytes_box_it<M>>();
  } else {
    return ReplyMistakeOf<M, typename SignatureParts<S>::Reply>();
  }
}
template <typename S>
using SignatureMistake = typename decltype(SignatureMistakeOf<S>())::Type;

template <typename S>
constexpr Signature MakeSignature() {
  using M = typename SignatureParts<S>::Message;
  using R = typename SignatureParts<S>::Reply;
  static_assert(std::is_void_v<SignatureMistake<S>>,
                "a message and its reply are values of at most 4 KiB: box larger");
  Signature s{};
  s.message_name = TypeName<M>();
  s.message_type = &kMessageType<M>;
  s.message_bytes = sizeof(M);
  s.reply_slot_bytes = sizeof(ReplySlot<R>);
  if constexpr (!std::is_trivially_destructible_v<M>) {
    s.destroy_message = [](void* message) { std::destroy_at(static_cast<M*>(message)); };
  }
  s.construct_error = [](void* slot, Status status) {
    std::construct_at(static_cast<ReplySlot<R>*>(slot), std::move(status));
  };
  s.destroy_slot = [](void* slot) { std::destroy_at(static_cast<ReplySlot<R>*>(slot)); };
  return s;
}

template <typename S>
inline constexpr Signature kSignature = MakeSignature<S>();

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_INTERNAL_SIGNATURE_H_
