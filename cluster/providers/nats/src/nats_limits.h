// Named bounds of the NATS provider.

#ifndef QUERN_CLUSTER_SRC_NATS_LIMITS_H_
#define QUERN_CLUSTER_SRC_NATS_LIMITS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "quern/runtime/clock.h"

namespace quern::cluster {

// Requests that were sent and not answered; more wait their turn. Servers from 2.11 refuse what
// exceeds 10,000 unstored messages a stream.
inline constexpr size_t kNatsInFlightMax = 4096;

// Requests that wait for a place in flight; more are refused unsent.
inline constexpr size_t kNatsBacklogMax = 65'536;

// Between two tries of the client library to reach a server.
inline constexpr int64_t kNatsReconnectWaitMs = 50;
inline constexpr int64_t kNatsReconnectJitterMs = 50;

// A connection that answers no ping for so long is given up.
inline constexpr int64_t kNatsPingIntervalMs = 2000;
inline constexpr int kNatsPingsOutMax = 2;

// A socket that takes no bytes for so long is given up.
inline constexpr int64_t kNatsWriteDeadlineMs = 2000;
inline constexpr int64_t kNatsDialTimeoutMs = 2000;

// One try at creating or reading a stream's setup.
inline constexpr int64_t kNatsSetupTryMs = 1000;
inline constexpr Duration kNatsSetupPause = std::chrono::milliseconds(100);

// One reading of all records that a watch is about, and the pause before the next when it failed.
inline constexpr Duration kNatsWatchReadTimeout = std::chrono::seconds(2);
inline constexpr Duration kNatsWatchRetryPause = std::chrono::milliseconds(100);

// The thread woke this much later than it asked to: the process was paused. Answers that came
// meanwhile are taken before anything is called late.
inline constexpr Duration kNatsPauseSuspected = std::chrono::milliseconds(400);
inline constexpr Duration kNatsPauseGrace = std::chrono::milliseconds(250);

// The lease bucket forgets after this many lease lengths.
inline constexpr int kNatsLeaseAges = 10;

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_SRC_NATS_LIMITS_H_
