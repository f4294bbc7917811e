// Named bounds of everything that talks to a control plane. Thread-safe: constants only.

#ifndef QUERN_CLUSTER_CONTROL_PLANE_LIMITS_H_
#define QUERN_CLUSTER_CONTROL_PLANE_LIMITS_H_

#include <chrono>
#include <cstddef>

#include "quern/runtime/clock.h"

namespace quern::cluster {

// A key, escaped: a grain's kind and key at their longest, every byte escaped, with room to spare.
inline constexpr size_t kControlPlaneKeyBytesMax = 2048;

// Marks that a record keeps of its past writes (views, leases).
inline constexpr int kRecentWritesMax = 16;

// Marks that a grain's state keeps of the writes that claims overwrote.
inline constexpr int kStateRecentWritesMax = 4;

// One try at the store; an operation makes several within its own timeout.
inline constexpr Duration kStoreAttemptMax = std::chrono::seconds(1);

// Between two tries while the store cannot be reached or answers from the past.
inline constexpr Duration kStoreBackoffMin = std::chrono::milliseconds(5);
inline constexpr Duration kStoreBackoffMax = std::chrono::milliseconds(200);

// An outcome in doubt is settled for at least so long, even past the caller's timeout: a process
// that was paused across it still learns what became of its write.
inline constexpr Duration kStoreSettleGrace = std::chrono::seconds(1);

// Grains whose last written record is remembered, so that a save needs no read before it.
inline constexpr size_t kStateBasesMax = 100'000;

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_CONTROL_PLANE_LIMITS_H_
