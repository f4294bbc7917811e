// How the messages of one Api cross a node: built where a Ref can be remote (a grain, a hosted
// actor, a spawn in another datacenter), which is where a missing Codec becomes a compile error.

#ifndef QUERN_RUNTIME_INTERNAL_WIRE_TABLE_H_
#define QUERN_RUNTIME_INTERNAL_WIRE_TABLE_H_

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "quern/runtime/codec.h"
#include "quern/runtime/internal/envelope.h"
#include "quern/runtime/internal/signature.h"
#include "quern/runtime/protocol.h"
#include "quern/runtime/status.h"

namespace quern::internal {

struct WireEntry {
  const Signature* signature;
  std::string_view (*type_name)();
  void (*encode)(const void* message, std::string* out);
  // Constructs the message at `message` in every case.
  Status (*decode)(std::string_view bytes, void* message);
  // Encodes a slot that holds a value; returns the error of one that does not.
  Status (*encode_reply)(const void* slot, std::string* out);
  // Constructs the slot from bytes: the value, or DATA_LOSS.
  void (*decode_reply)(std::string_view bytes, void* slot);
};

struct WireTable {
  std::string_view kind;  // Api::kKind
  const WireEntry* entries;
  uint16_t count;

  const WireEntry* FindType(std::string_view type_name) const {
    for (uint16_t i = 0; i < count; ++i) {
      if (entries[i].type_name() == type_name) return &entries[i];
    }
    return nullptr;
  }
  const WireEntry* Find(const Envelope& e) const {
    if (e.index_hint < count && entries[e.index_hint].signature == e.signature) {
      return &entries[e.index_hint];
    }
    for (uint16_t i = 0; i < count; ++i) {
      if (entries[i].signature == e.signature) return &entries[i];
    }
    return nullptr;
  }
};

template <typename S>
constexpr WireEntry MakeWireEntry() {
  using M = typename SignatureParts<S>::Message;
  using R = typename SignatureParts<S>::Reply;
  WireEntry entry{};
  entry.signature = &kSignature<S>;
  entry.type_name = []() -> std::string_view { return Codec<M>::kName; };
  entry.encode = [](const void* message, std::string* out) {
    Codec<M>::Encode(*static_cast<const M*>(message), out);
  };
  entry.decode = [](std::string_view bytes, void* message) -> Status {
    return Codec<M>::Decode(bytes, ::new (message) M());
  };
  entry.encode_reply = [](const void* slot, std::string* out) -> Status {
    if constexpr (std::is_void_v<R>) {
      (void)out;
      return *static_cast<const Status*>(slot);
    } else {
      const auto& reply = *static_cast<const StatusOr<R>*>(slot);
      if (reply.ok()) Codec<R>::Encode(*reply, out);
      return reply.status();
    }
  };
  entry.decode_reply = [](std::string_view bytes, void* slot) {
    if constexpr (std::is_void_v<R>) {
      ::new (slot) Status();
      (void)bytes;
    } else {
      R value{};
      Status status = Codec<R>::Decode(bytes, &value);
      if (status.ok()) {
        ::new (slot) StatusOr<R>(std::move(value));
      } else {
        ::new (slot) StatusOr<R>(absl::DataLossError(status.message()));
      }
    }
  };
  return entry;
}

// The sentences that the compiler prints: what a deleted function appears to return.
template <typename Target, typename Message>
struct this_message_has_no_quern_Codec_and_so_cannot_reach_a_target_that_may_be_remote;
template <typename Target, typename Reply>
struct this_reply_has_no_quern_Codec_and_so_cannot_come_from_a_target_that_may_be_remote;
template <typename Api>
struct this_Api_needs_a_static_constexpr_string_view_kKind;

template <typename Api>
concept HasKind = requires {
  { Api::kKind } -> std::convertible_to<std::string_view>;
};

template <typename... S>
constexpr bool AllHaveCodecs(const SignatureList<S...>*) {
  return ((HasCodec<typename SignatureParts<S>::Message> &&
           HasCodec<typename SignatureParts<S>::Reply>) &&
          ...);
}
template <typename Api>
inline constexpr bool kCanBeRemote =
    HasKind<Api> && AllHaveCodecs(static_cast<const SignaturesOf<Api>*>(nullptr));

// Called only when there is one.
template <typename Target, typename S, typename... More>
auto FirstCodecMistake(const SignatureList<S, More...>*) {
  using M = typename SignatureParts<S>::Message;
  using R = typename SignatureParts<S>::Reply;
  if constexpr (!HasCodec<M>) {
    return TypeTag<this_message_has_no_quern_Codec_and_so_cannot_reach_a_target_that_may_be_remote<
        Target, M>>();
  } else if constexpr (!HasCodec<R>) {
    return TypeTag<
        this_reply_has_no_quern_Codec_and_so_cannot_come_from_a_target_that_may_be_remote<Target,
                                                                                          R>>();
  } else {
    return FirstCodecMistake<Target>(static_cast<const SignatureList<More...>*>(nullptr));
  }
}
template <typename Target, typename Api>
auto WireMistakeOf() {
  if constexpr (kCanBeRemote<Api>) {
    return TypeTag<void>();
  } else if constexpr (!HasKind<Api>) {
    return TypeTag<this_Api_needs_a_static_constexpr_string_view_kKind<Api>>();
  } else {
    return FirstCodecMistake<Target>(static_cast<const SignaturesOf<Api>*>(nullptr));
  }
}

// For the deleted twin of whatever makes a Ref<Api> that may be remote; `Target` is what the error
// names (the Api, or the actor or grain class).
template <typename Target, typename Api>
using WireMistake = typename decltype(WireMistakeOf<Target, Api>())::Type;

template <typename Api, typename List>
struct WireTableOf;
template <typename Api, typename... S>
struct WireTableOf<Api, SignatureList<S...>> {
  static constexpr WireEntry kEntries[sizeof...(S) + 1] = {MakeWireEntry<S>()..., WireEntry{}};
  static constexpr WireTable kTable = {Api::kKind, kEntries, sizeof...(S)};
};

// Instantiate only when kCanBeRemote<Api>.
template <typename Api>
inline constexpr const WireTable& kWireTable = WireTableOf<Api, SignaturesOf<Api>>::kTable;

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_INTERNAL_WIRE_TABLE_H_
