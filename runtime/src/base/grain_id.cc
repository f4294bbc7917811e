#include "quern/runtime/grain_id.h"

#include <algorithm>
#include <array>

#include <xxhash.h>

#include "quern/runtime/epoch.h"

namespace quern {
namespace {

constexpr size_t kKindBytesMax = 64;
constexpr size_t kKeyBytesMax = 255;

bool IsKindByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

// RFC 3629: well-formed UTF-8, no overlong forms, no surrogates.
bool IsUtf8(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t length = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if ((lead >= 0x80 && lead < 0xC2) || lead > 0xF4 || i + length > text.size()) return false;
    uint32_t code = length == 1 ? lead : lead & (0x7Fu >> length);
    for (size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xC0) != 0x80) return false;
      code = (code << 6) | (next & 0x3Fu);
    }
    constexpr std::array<uint32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
    if (code < kLeast[length] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
      return false;
    i += length;
  }
  return true;
}

// Writes the length, eight bytes little endian, then the bytes; returns the end.
char* PutPart(std::string_view part, char* out) {
  for (int shift = 0; shift < 64; shift += 8) {
    *out++ = static_cast<char>(static_cast<uint64_t>(part.size()) >> shift);
  }
  return std::ranges::copy(part, out).out;
}

}  // namespace

Status GrainId::Validate() const {
  if (kind.empty() || kind.size() > kKindBytesMax || !std::ranges::all_of(kind, IsKindByte)) {
    return absl::InvalidArgumentError("grain kind \"" + kind +
                                      "\": a kind is 1-64 of a-z 0-9 . _ -");
  }
  if (key.empty() || key.size() > kKeyBytesMax) {
    return absl::InvalidArgumentError("grain key of " + std::to_string(key.size()) +
                                      " bytes: a key has 1-255");
  }
  const bool has_control = std::ranges::any_of(
      key, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
  if (has_control || !IsUtf8(key)) {
    return absl::InvalidArgumentError("grain key of kind " + kind +
                                      ": a key is UTF-8 without control characters");
  }
  return absl::OkStatus();
}

uint64_t StableHash(const GrainId& id, uint64_t seed) {
  const size_t size = 2 * sizeof(uint64_t) + id.kind.size() + id.key.size();
  // A valid id always fits: every call of a grain hashes, none of them allocates.
  std::array<char, 2 * sizeof(uint64_t) + kKindBytesMax + kKeyBytesMax> inlined;
  std::string allocated;
  char* bytes = inlined.data();
  if (size > inlined.size()) {
    allocated.resize(size);
    bytes = allocated.data();
  }
  PutPart(id.key, PutPart(id.kind, bytes));
  return XXH3_64bits_withSeed(bytes, size, seed);
}

std::string Epoch::ToString() const {
  return std::to_string(home_term) + "." + std::to_string(incarnation) + "." +
         std::to_string(view_version) + "." + std::to_string(counter);
}

}  // namespace quern
