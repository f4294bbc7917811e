// A bound on the actors of a system: above it, those that are missed least are stopped.
//
//   quern::System system({.name = "shop",
//                         .eviction = {.limit = 100'000,
//                                      .policy = quern::EvictionPolicy::kLeastRecentlyUsed,
//                                      .percentage = 5}});
//
// Looked at every `every` of the system's clock. With more than `limit` actors, so many are asked
// to stop as are too many, or `percentage` of all if that is more. A candidate has no children
// (they would go along), is neither suspended nor stopping, and has not paused its passivation; one
// with messages waiting when its turn comes is left alone this time. Each ends on its own turn,
// as by a stop, with an ActorEvicted event before the ActorStopped. Its activity is known to 100
// ms.

#ifndef QUERN_RUNTIME_EVICTION_H_
#define QUERN_RUNTIME_EVICTION_H_

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "quern/runtime/clock.h"

namespace quern {

enum class EvictionPolicy : uint8_t {
  kLeastRecentlyUsed,    // LRU
  kLeastFrequentlyUsed,  // LFU: the fewest messages handled since the start
  kMostRecentlyUsed,     // MRU
};

struct EvictionOptions {
  size_t limit = 0;  // 0: no eviction, and no actor pays for it
  EvictionPolicy policy = EvictionPolicy::kLeastRecentlyUsed;
  int percentage = 0;  // of all actors; taken as 0 to 100
  Duration every = std::chrono::seconds(1);
};

}  // namespace quern

#endif  // QUERN_RUNTIME_EVICTION_H_
