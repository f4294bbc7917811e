#include "free_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <fstream>
#include <sstream>
#include <string>

#include "child_process.h"

namespace quern::cluster {
namespace {

constexpr uint32_t kLowestPort = 10'000;  // below live well-known services
constexpr uint32_t kHighestPort = 65'535;
constexpr int kTriesMax = 1000;

bool IsFree(uint16_t port) {
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

PortRange ParseEphemeralRange(std::string_view text) {
  std::istringstream in{std::string(text)};
  uint32_t first = 0;
  uint32_t last = 0;
  if (!(in >> first >> last) || first == 0 || first > last || last > kHighestPort) {
    return {32768, 60999};
  }
  return {static_cast<uint16_t>(first), static_cast<uint16_t>(last)};
}

PortRange EphemeralRange() {
  std::ifstream file("/proc/sys/net/ipv4/ip_local_port_range");
  std::string line;
  std::getline(file, line);
  return ParseEphemeralRange(line);
}

StatusOr<uint16_t> FindFreePort(const PortRange& ephemeral, Random& random) {
  for (int i = 0; i < kTriesMax; ++i) {
    const auto port =
        static_cast<uint16_t>(kLowestPort + random.Below(kHighestPort - kLowestPort + 1));
    if (port >= ephemeral.first && port <= ephemeral.last) continue;
    if (IsFree(port)) return port;
  }
  return absl::ResourceExhaustedError("no free port outside " + std::to_string(ephemeral.first) +
                                      "-" + std::to_string(ephemeral.last) +
                                      ": narrow net.ipv4.ip_local_port_range");
}

}  // namespace quern::cluster
