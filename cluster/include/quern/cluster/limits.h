// Every bound of the cluster protocol, by name. A test reaches each of them.

#ifndef QUERN_CLUSTER_LIMITS_H_
#define QUERN_CLUSTER_LIMITS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "quern/runtime/clock.h"

namespace quern::cluster {

// Members of one view; a join beyond it is refused.
inline constexpr size_t kMembersMax = 1024;

// Partitions of the grain directory in a view that we create; fixed for the life of the cluster.
inline constexpr uint32_t kPartitionCount = 256;

// A view that claims more was not written by us.
inline constexpr uint32_t kPartitionCountMax = 1 << 16;

// Past writes remembered in the view, so that a joiner can settle an unknown outcome although many
// others have joined since.
inline constexpr int kViewRecentWritesMax = 64;

// Renewals with unknown outcome that a lease remembers; the oldest are surely refused by then.
inline constexpr size_t kUnsettledRenewalsMax = 16;

// Lease lengths of silence after which the lease of a process outside the view is forgotten.
inline constexpr int kForgottenAfterLengths = 10;

// Attempts of one compare-and-set of the view before the change is given up as UNAVAILABLE.
inline constexpr int kViewWriteAttemptsMax = 200;

// Probes of an address after its session ended, before the evidence is dropped as inconclusive.
inline constexpr int kExitProbesMax = 10;

// Tries to take the lease of a member whose exit is proved, each with the proof renewed.
inline constexpr int kProvedEvictionsMax = 3;

// Fetches of a view that somebody has mentioned, before it is left to the next who does.
inline constexpr int kViewFetchesMax = 20;

// Epochs of ended activations that a host remembers by grain; beyond it a floor takes over.
inline constexpr size_t kEndedEpochsMax = 100'000;

// Grains being located by one caller, and locates waiting at one owner.
inline constexpr size_t kLocatesWaitingMax = 1'000'000;

// Messages of a view that is not here yet, held until it has been fetched.
inline constexpr size_t kHeldMessagesMax = 10'000;

// Activations in one report: the most that a message of four MiB surely holds.
inline constexpr size_t kReportActivationsMax = 4'000;

// Unregistrations that a host repeats until the owner has confirmed them.
inline constexpr size_t kUnregistersMax = 100'000;

// Hosts that an owner tries for one placement before it fails the callers.
inline constexpr int kPlacementAttemptsMax = 3;

// Shards of a LocationCache; a power of two.
inline constexpr size_t kLocationShards = 64;

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_LIMITS_H_
