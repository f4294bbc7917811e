// TCP sockets of the kernel, made the one way that Quern uses them: non-blocking, CLOEXEC,
// TCP_NODELAY. Thread-safe; nothing here blocks.

#ifndef QUERN_REMOTING_SRC_ASIO_SOCKET_H_
#define QUERN_REMOTING_SRC_ASIO_SOCKET_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <string_view>
#include <utility>

#include "quern/runtime/status.h"

namespace quern::remoting {

// Owns a descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd();

  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t bytes = sizeof(sockaddr_storage);

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  bool IsLoopback() const;
  std::string ToString() const;  // "127.0.0.1:7001", "[::1]:7001"
};

// "127.0.0.1:7001", "localhost:7001" or "[::1]:7001"; no name is looked up. INVALID_ARGUMENT.
StatusOr<SocketAddress> ParseAddress(std::string_view text);

// RESOURCE_EXHAUSTED when there is no descriptor left.
StatusOr<Fd> NewSocket(const SocketAddress& address);

// Bound, listening, and nobody else's. UNAVAILABLE: taken; FAILED_PRECONDITION: not loopback.
StatusOr<Fd> ListenOn(const SocketAddress& address);

SocketAddress LocalAddress(int fd);
SocketAddress PeerAddressOf(int fd);

// A dead ephemeral port that was dialled may be given to the dialling socket itself: TCP then
// connects it to itself (simultaneous open, RFC 793).
bool IsConnectedToItself(int fd);

void SetNoDelay(int fd);

// What a failed connect means; see Transport::Connect.
Status ConnectError(const std::string& address, int error);

}  // namespace quern::remoting

#endif  // QUERN_REMOTING_SRC_ASIO_SOCKET_H_
