// The handshake: one Hello each way, before anything else is read or allocated. Pure functions.
//
//   dialler                             acceptor
//   Hello(lane, generation, expected) ->
//                                    <- Hello(generation), then Close(reason) if it refuses
//
// Refused before the answer, and without one: bad magic, another version's format, too large. A
// version or cluster id that does not match is answered, so that the dialler can say what is wrong.

#ifndef QUERN_REMOTING_SRC_CONNECTION_HANDSHAKE_H_
#define QUERN_REMOTING_SRC_CONNECTION_HANDSHAKE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "quern/remoting/network.h"

namespace quern::remoting {

// What a peer's Hello says.
struct PeerHello {
  NodeIdentity identity;
  uint32_t version_min = 0;
  uint32_t version_max = 0;
  uint64_t features = 0;
  uint32_t frame_bytes_max = 0;
  uint32_t requests_in_flight_max = 0;
  uint32_t lane = 0;
  uint64_t generation = 0;
  ProcessId expected{};  // zero: the peer does not care who we are
};

// What one's own Hello says beside one's identity.
struct OwnHello {
  uint16_t lane = 0;
  uint64_t generation = 0;
  ProcessId expected{};
  std::string nonce;
};

inline bool IsZero(const ProcessId& id) { return id == ProcessId{}; }

// Appends the whole frame.
void AppendHello(const NodeIdentity& self, const OwnHello& own, std::string* out);

// Parses the body and checks its form: kBadMagic, kMalformedFrame.
CloseReason ReadHello(std::string_view body, PeerHello* out);

// Whether `peer` may talk to `self`: kVersion, kClusterId, kSelfConnection, kWrongProcess.
// `expected` is whom we dialled (zero: whoever answers). A probe may be answered by the wrong
// process.
CloseReason CheckHello(const PeerHello& peer, const NodeIdentity& self, const ProcessId& expected);

}  // namespace quern::remoting

#endif  // QUERN_REMOTING_SRC_CONNECTION_HANDSHAKE_H_
