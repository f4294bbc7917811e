// The order of two activations of one grain. Every message, reply, lock token and state write of an
// activation carries its epoch; a receiver that has seen a higher one refuses it. A value type,
// compared field by field in this order.

#ifndef QUERN_RUNTIME_EPOCH_H_
#define QUERN_RUNTIME_EPOCH_H_

#include <compare>
#include <cstdint>
#include <ostream>
#include <string>

namespace quern {

struct Epoch {
  uint64_t home_term = 0;     // 0 for datacenter scope, else the term of the home claim
  uint64_t incarnation = 0;   // of the control plane; rises when its store is rebuilt
  uint64_t view_version = 0;  // under which the partition's owner minted it
  uint64_t counter = 0;       // minted by the partition's owner

  // No activation: lower than every minted epoch.
  bool IsZero() const { return *this == Epoch{}; }

  // "home_term.incarnation.view_version.counter"
  std::string ToString() const;

  auto operator<=>(const Epoch&) const = default;
};

inline std::ostream& operator<<(std::ostream& out, const Epoch& epoch) {
  return out << epoch.ToString();
}

}  // namespace quern

#endif  // QUERN_RUNTIME_EPOCH_H_
