// The bounds of remoting: every queue, table, retry and frame has its number here, and a test that
// reaches it.
//
//   if (header.bytes > limits::kFrameBytesMax) return CloseReason::kFrameTooLarge;
//
// Constants only.

#ifndef QUERN_REMOTING_LIMITS_H_
#define QUERN_REMOTING_LIMITS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "quern/runtime/clock.h"

namespace quern::remoting::limits {

// Handshake: before it has ended nothing above this is ever held for a stranger.
inline constexpr uint32_t kHelloBytesMax = 4096;      // whole frame
inline constexpr size_t kPendingHandshakesMax = 256;  // accepted connections that said no Hello
inline constexpr size_t kHelloNameBytesMax = 255;     // cluster, datacenter, node id, address
inline constexpr size_t kConnectionsMax = 4096;       // of one Network, both directions
inline constexpr size_t kPeersMax = 65536;            // addresses that were ever sent to
inline constexpr size_t kClosedProcessesMax = 4096;   // remembered by ClosePeer, oldest go first
inline constexpr size_t kCloseDetailBytesMax = 256;

// Frames.
inline constexpr uint32_t kMessageBytesMax = 4u << 20;  // encoded body of one message
inline constexpr uint32_t kFrameBytesMax = kMessageBytesMax + (64u << 10);  // and its envelope
inline constexpr size_t kBatchBytesSoft = 64u << 10;  // a batch above this starts a new frame
inline constexpr Duration kFrameRatePatience = std::chrono::seconds(2);
inline constexpr size_t kFrameRateBytesMin = 1024;  // a second, once patience has run out

// Envelope.
inline constexpr size_t kTypeNameBytesMax = 255;
inline constexpr uint32_t kTypesMax = 4096;        // declared a connection and direction
inline constexpr size_t kActorPathBytesMax = 512;  // also of each asker in a call chain
inline constexpr size_t kCallChainMax = 64;
inline constexpr size_t kStatusMessageBytesMax = 4096;            // longer ones are cut
inline constexpr Duration kDeadlineMax = std::chrono::hours(24);  // longer ones are clamped

// Queues and tables.
inline constexpr size_t kQueuedMessagesMax = 1u << 17;       // a peer, accepted and not yet written
inline constexpr size_t kQueuedBytesMax = 64u << 20;         // a peer, accepted and not yet written
inline constexpr size_t kRequestsOutstandingMax = 1u << 20;  // of one Network, all peers
inline constexpr size_t kUnsentBytesHigh = 1u << 20;     // a stream above this gets nothing more
inline constexpr uint32_t kRequestsInFlightMax = 65536;  // a connection and direction

// Repeats OnHigherViewVersion for a version that the node still has not got.
inline constexpr Duration kViewVersionRepeat = std::chrono::seconds(1);

// Dialling.
inline constexpr Duration kTickPeriod = std::chrono::milliseconds(500);  // of timeouts and pings
inline constexpr Duration kRedialMin = std::chrono::milliseconds(20);
inline constexpr Duration kRedialMax = std::chrono::seconds(1);
inline constexpr Duration kCloseLinger = std::chrono::seconds(1);  // for the last bytes to leave
inline constexpr int kListenBacklog = 1024;
inline constexpr size_t kReadBytes = 256u << 10;  // at most this a read

}  // namespace quern::remoting::limits

#endif  // QUERN_REMOTING_LIMITS_H_
