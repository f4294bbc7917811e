// Ports outside the range that the kernel gives to outgoing connections.

#ifndef QUERN_CLUSTER_SRC_FREE_PORT_H_
#define QUERN_CLUSTER_SRC_FREE_PORT_H_

#include <cstdint>
#include <string_view>

#include "quern/runtime/random.h"
#include "quern/runtime/status.h"

namespace quern::cluster {

struct PortRange {
  uint16_t first = 0;
  uint16_t last = 0;
};

// From the text of /proc/sys/net/ipv4/ip_local_port_range; {32768, 60999} when it cannot be read.
PortRange ParseEphemeralRange(std::string_view text);
PortRange EphemeralRange();

// A port on loopback that nothing listens on, at this moment. RESOURCE_EXHAUSTED: none found.
StatusOr<uint16_t> FindFreePort(const PortRange& ephemeral, Random& random);

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_SRC_FREE_PORT_H_
