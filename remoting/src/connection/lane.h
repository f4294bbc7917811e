// The lanes of a peer. Each is one connection at a time; the frame header and the Hello name it.

#ifndef QUERN_REMOTING_SRC_CONNECTION_LANE_H_
#define QUERN_REMOTING_SRC_CONNECTION_LANE_H_

#include <cstddef>
#include <cstdint>

namespace quern::remoting {

inline constexpr uint16_t kSystemLane = 0;      // the runtime's own traffic; its end is news
inline constexpr uint16_t kUserLane = 1;        // tells, asks and their replies
inline constexpr size_t kLanes = 2;             // those that carry messages
inline constexpr uint16_t kProbeLane = 0xFFFF;  // a handshake and nothing else

inline bool IsLane(uint32_t lane) { return lane < kLanes || lane == kProbeLane; }

}  // namespace quern::remoting

#endif  // QUERN_REMOTING_SRC_CONNECTION_LANE_H_
