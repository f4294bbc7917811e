// TCP over Asio. I/O thread only; destroyed after the thread has ended.

#ifndef QUERN_REMOTING_SRC_ASIO_ASIO_TRANSPORT_H_
#define QUERN_REMOTING_SRC_ASIO_ASIO_TRANSPORT_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "asio/socket.h"
#include "quern/remoting/limits.h"
#include "quern/remoting/transport.h"

namespace quern::remoting {

class AsioTransport final : public Transport {
 public:
  explicit AsioTransport(boost::asio::io_context& io) : io_(io), read_buffer_(limits::kReadBytes) {}

  StatusOr<std::unique_ptr<Listener>> Listen(const std::string& address,
                                             AcceptCallback on_accept) override;
  void Connect(const std::string& address, Duration timeout, StreamEvents* events,
               std::function<void(StatusOr<std::unique_ptr<Stream>>)> done) override;

 private:
  boost::asio::io_context& io_;
  std::vector<char> read_buffer_;
};

}  // namespace quern::remoting

#endif  // QUERN_REMOTING_SRC_ASIO_ASIO_TRANSPORT_H_
