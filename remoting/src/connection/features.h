// Bits of Hello.features. A bit that the other side does not set is not used with it.

#ifndef QUERN_REMOTING_SRC_CONNECTION_FEATURES_H_
#define QUERN_REMOTING_SRC_CONNECTION_FEATURES_H_

#include <cstdint>

namespace quern::remoting {

inline constexpr uint32_t kMagic = 0x4E525551;  // "QURN" in the order of the bytes on the wire
inline constexpr uint32_t kProtocolMin = 0;
inline constexpr uint32_t kProtocolMax = 0;

// None yet: compression, chunks, credits and gap reports get theirs when they come.
inline constexpr uint64_t kFeatures = 0;

}  // namespace quern::remoting

#endif  // QUERN_REMOTING_SRC_CONNECTION_FEATURES_H_
