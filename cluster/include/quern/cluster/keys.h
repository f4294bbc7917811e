// How the records of a cluster are named. Every key carries the id of the store's incarnation, so
// that a store rebuilt from nothing is a different place and a writer of the old one hits nothing;
// state keys lack it, because state outlives the control plane that guarded it.
//
//   KeySpace keys("flights", incarnation.id);
//   keys.Key("lease", "node-1") == "flights.9f2c4a6b8d0e1f23.lease.node-1"
//   StateKey("flights", GrainId("airport", "ORD")) == "flights.state.airport.ORD"
//
// Thread-safe: values and pure functions.

#ifndef QUERN_CLUSTER_KEYS_H_
#define QUERN_CLUSTER_KEYS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "quern/runtime/grain_id.h"
#include "quern/runtime/status.h"

namespace quern::cluster {

class KeySpace {
 public:
  // `cluster` is escaped; `incarnation_id` is that of the StoreIncarnation record.
  KeySpace(std::string_view cluster, uint64_t incarnation_id);

  // <cluster>.<incarnation id>.<type>.<escaped id>. `type` is [a-z_]+.
  std::string Key(std::string_view type, std::string_view id) const;

  // The prefix of all keys of a type, for List and Watch.
  std::string Prefix(std::string_view type) const;

  // INVALID_ARGUMENT unless Key(type, ..) made `key`; else the id, unescaped.
  StatusOr<std::string> IdOf(std::string_view type, std::string_view key) const;

 private:
  const std::string root_;
};

// <cluster>.state.<escaped kind>.<escaped key>
std::string StateKey(std::string_view cluster, const GrainId& id);

// <cluster>.incarnation: the one record outside an incarnation.
std::string StoreIncarnationKey(std::string_view cluster);

// INVALID_ARGUMENT unless `key` is 1-kControlPlaneKeyBytesMax bytes of non-empty tokens in
// [A-Za-z0-9_=-], joined by dots. Providers refuse other keys.
Status ValidateKey(std::string_view key);

// True when `key` is `prefix` or begins with it at a token's end. An empty prefix matches all; a
// trailing dot is ignored.
bool KeyHasPrefix(std::string_view key, std::string_view prefix);

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_KEYS_H_
