// How a message becomes bytes. Whatever can cross a node needs a Codec: protobuf messages have one
// by themselves, so do bool, integers, floating point, std::string and void replies; any other
// struct gets one by specialisation.
//
//   template <> struct quern::Codec<Point> {
//     static constexpr std::string_view kName = "shop.Point";   // stable, unique within a system
//     static void Encode(const Point& p, std::string* out);     // appends
//     static quern::Status Decode(std::string_view bytes, Point* p);  // INVALID_ARGUMENT or
//     DATA_LOSS
//   };
//
// Encode and Decode are called from any worker; they must not suspend.

#ifndef QUERN_RUNTIME_CODEC_H_
#define QUERN_RUNTIME_CODEC_H_

#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "quern/runtime/status.h"

namespace quern {

template <typename M>
struct Codec;

// True for every type that can cross a node.
template <typename M>
concept HasCodec = requires(const M& m, M* out, std::string* bytes) {
  { Codec<M>::kName } -> std::convertible_to<std::string_view>;
  Codec<M>::Encode(m, bytes);
  { Codec<M>::Decode(std::string_view(), out) } -> std::same_as<Status>;
} || std::is_void_v<M>;

// A protobuf message, recognised by its shape so that no protobuf header is needed here.
template <typename M>
concept ProtobufMessage =
    requires(const M& m, M& out, std::string* bytes, const void* data, int size) {
      { m.AppendToString(bytes) } -> std::same_as<bool>;
      { out.ParseFromArray(data, size) } -> std::same_as<bool>;
      { M::descriptor()->full_name() } -> std::convertible_to<std::string>;
    };

template <ProtobufMessage M>
struct Codec<M> {
  static inline const std::string kName = M::descriptor()->full_name();
  static void Encode(const M& m, std::string* out) { m.AppendToString(out); }
  static Status Decode(std::string_view bytes, M* m) {
    if (m->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return absl::OkStatus();
    return absl::DataLossError("malformed " + kName);
  }
};

template <>
struct Codec<std::string> {
  static constexpr std::string_view kName = "string";
  static void Encode(const std::string& s, std::string* out) { out->append(s); }
  static Status Decode(std::string_view bytes, std::string* s) {
    s->assign(bytes);
    return absl::OkStatus();
  }
};

// Numbers and bool: eight bytes, little endian (bit pattern of a double for floating point).
template <typename N>
  requires std::is_arithmetic_v<N>
struct Codec<N> {
  static constexpr std::string_view kName = std::is_floating_point_v<N> ? "double" : "int64";
  using Wide = std::conditional_t<std::is_floating_point_v<N>, double, int64_t>;
  static void Encode(const N& n, std::string* out) {
    const Wide wide = static_cast<Wide>(n);
    char bytes[sizeof wide];
    std::memcpy(bytes, &wide, sizeof wide);
    out->append(bytes, sizeof wide);
  }
  static Status Decode(std::string_view bytes, N* n) {
    Wide wide;
    if (bytes.size() != sizeof wide) return absl::DataLossError("a number is eight bytes");
    std::memcpy(&wide, bytes.data(), sizeof wide);
    *n = static_cast<N>(wide);
    return absl::OkStatus();
  }
};

}  // namespace quern

#endif  // QUERN_RUNTIME_CODEC_H_
