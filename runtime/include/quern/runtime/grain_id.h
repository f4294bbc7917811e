// The identity of a grain: its kind and its key. A value type.
//
//   GrainId id("counter", "page/home");
//   id.ToString() == "counter/page/home"
//
// Kinds are [a-z0-9._-]{1,64}; keys are 1-255 bytes of UTF-8 without control characters, '/'
// allowed.

#ifndef QUERN_RUNTIME_GRAIN_ID_H_
#define QUERN_RUNTIME_GRAIN_ID_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>

#include "quern/runtime/status.h"

namespace quern {

struct GrainId {
  GrainId() = default;
  GrainId(std::string_view kind_in, std::string_view key_in) : kind(kind_in), key(key_in) {}

  // INVALID_ARGUMENT, naming the rule that is broken.
  Status Validate() const;

  std::string ToString() const { return kind + "/" + key; }

  auto operator<=>(const GrainId&) const = default;

  std::string kind;
  std::string key;
};

// XXH3 over the length-prefixed kind and key: the same on every node and in every version. Never
// absl::Hash for anything that two nodes must agree on.
uint64_t StableHash(const GrainId& id, uint64_t seed);

struct GrainIdHash {
  size_t operator()(const GrainId& id) const { return static_cast<size_t>(StableHash(id, 0)); }
};

inline std::ostream& operator<<(std::ostream& out, const GrainId& id) {
  return out << id.ToString();
}

}  // namespace quern

#endif  // QUERN_RUNTIME_GRAIN_ID_H_
