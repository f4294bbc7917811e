#include "asio/socket.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>

#include "quern/remoting/limits.h"

namespace quern::remoting {
namespace {

std::string ErrorText(int error) { return std::generic_category().message(error); }

Status NotAnAddress(std::string_view text) {
  return absl::InvalidArgumentError("\"" + std::string(text) +
                                    "\" is not an address: write 127.0.0.1:PORT or [::1]:PORT");
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

bool SocketAddress::IsLoopback() const {
  if (storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
    return (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
  return storage.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

std::string SocketAddress::ToString() const {
  char text[INET6_ADDRSTRLEN] = "?";
  if (storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
    ::inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    return std::string(text) + ":" + std::to_string(ntohs(v4->sin_port));
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
  ::inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
  return "[" + std::string(text) + "]:" + std::to_string(ntohs(v6->sin6_port));
}

StatusOr<SocketAddress> ParseAddress(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return NotAnAddress(text);
  std::string host(text.substr(0, colon));
  const std::string_view port_text = text.substr(colon + 1);
  uint16_t port = 0;
  const auto [end, error] =
      std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error != std::errc() || end != port_text.data() + port_text.size()) {
    return NotAnAddress(text);
  }
  SocketAddress address;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address.bytes = sizeof *v6;
    host = host.substr(1, host.size() - 2);
    if (::inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) != 1) return NotAnAddress(text);
    return address;
  }
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  v4->sin_family = AF_INET;
  v4->sin_port = htons(port);
  address.bytes = sizeof *v4;
  if (host == "localhost") host = "127.0.0.1";
  if (::inet_pton(AF_INET, host.c_str(), &v4->sin_addr) != 1) return NotAnAddress(text);
  return address;
}

StatusOr<Fd> NewSocket(const SocketAddress& address) {
  const int fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0) return Fd(fd);
  return absl::ResourceExhaustedError("no socket for " + address.ToString() + ": " +
                                      ErrorText(errno));
}

StatusOr<Fd> ListenOn(const SocketAddress& address) {
  const std::string what = "listen on " + address.ToString() + ": ";
  if (!address.IsLoopback()) {
    return absl::FailedPreconditionError(
        what +
        "connections are neither encrypted nor authenticated yet, so only loopback addresses are "
        "served; use 127.0.0.1:PORT");
  }
  StatusOr<Fd> fd = NewSocket(address);
  if (!fd.ok()) return fd.status();
  // With SO_REUSEADDR a restarted node gets its port back while old connections linger in
  // TIME_WAIT. On Linux it shares nothing with a listener that lives (SO_REUSEPORT would): listen()
  // fails then.
  const int on = 1;
  ::setsockopt(fd->get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd->get(), address.get(), address.bytes) != 0 ||
      ::listen(fd->get(), limits::kListenBacklog) != 0) {
    const int error = errno;
    return absl::UnavailableError(
        what + (error == EADDRINUSE
                    ? "the port is taken by another process; choose another, or :0 for a free one"
                    : ErrorText(error)));
  }
  return fd;
}

SocketAddress LocalAddress(int fd) {
  SocketAddress address;
  if (::getsockname(fd, address.get(), &address.bytes) != 0) return {};
  return address;
}

SocketAddress PeerAddressOf(int fd) {
  SocketAddress address;
  if (::getpeername(fd, address.get(), &address.bytes) != 0) return {};
  return address;
}

bool IsConnectedToItself(int fd) {
  const SocketAddress local = LocalAddress(fd);
  const SocketAddress peer = PeerAddressOf(fd);
  return local.bytes == peer.bytes && local.ToString() == peer.ToString();
}

void SetNoDelay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Status ConnectError(const std::string& address, int error) {
  const std::string what = "connect to " + address + ": " + ErrorText(error);
  switch (error) {
    case ECONNREFUSED:
      return absl::UnavailableError(what);
    case EADDRNOTAVAIL:
    case EAGAIN:
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
      return absl::ResourceExhaustedError(what);
    default:
      return absl::DeadlineExceededError(what);
  }
}

}  // namespace quern::remoting
