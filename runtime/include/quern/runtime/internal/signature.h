// One entry of a Protocol with its types erased: how to destroy a message, how to put an error or
// nothing where the asker expects a reply. The address of kSignature<R(M)> is the key by which an
// actor finds its handler.

#ifndef QUERN_RUNTIME_INTERNAL_SIGNATURE_H_
#define QUERN_RUNTIME_INTERNAL_SIGNATURE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
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

struct Signature {
  std::string_view message_name;
  uint32_t message_bytes;
  uint32_t reply_slot_bytes;
  void (*destroy_message)(void* message);  // null when there is nothing to do
  void (*construct_error)(void* slot, Status status);
  void (*destroy_slot)(void* slot);
};

template <typename S>
constexpr Signature MakeSignature() {
  using M = typename SignatureParts<S>::Message;
  using R = typename SignatureParts<S>::Reply;
  static_assert(std::is_object_v<M> && !std::is_pointer_v<M> && std::is_move_constructible_v<M>,
                "a message is a movable value: no pointer, no reference, no view");
  static_assert(sizeof(M) <= kMessageBytesMax, "a message over 4 KiB: box it");
  static_assert(alignof(M) <= kMessageAlignmentMax, "a message aligned over 16 bytes: box it");
  static_assert(!std::is_reference_v<R> && !std::is_pointer_v<R>,
                "a reply is a value: no pointer, no reference, no view");
  if constexpr (!std::is_void_v<R>) static_assert(sizeof(R) <= kMessageBytesMax, "box the reply");
  Signature s{};
  s.message_name = TypeName<M>();
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
