// A connected socket as a Stream. Writes at once what the kernel takes, queues the rest; reads into
// one buffer that all streams of the thread share. I/O thread only.

#ifndef QUERN_REMOTING_SRC_ASIO_ASIO_STREAM_H_
#define QUERN_REMOTING_SRC_ASIO_ASIO_STREAM_H_

#include <deque>
#include <memory>
#include <span>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "asio/socket.h"
#include "quern/remoting/transport.h"

namespace quern::remoting {

// Lives as long as an operation of Asio refers to it, which may be longer than its Stream: what was
// written before a Close still goes out.
class AsioSocket : public std::enable_shared_from_this<AsioSocket> {
 public:
  AsioSocket(boost::asio::io_context& io, Fd fd, std::span<char> read_buffer);

  // From now on the owner hears what comes.
  void Start(StreamEvents* events);

  void Write(std::string bytes);
  size_t unsent_bytes() const { return unsent_; }
  const std::string& peer_address() const { return peer_address_; }

  // Drains, sends FIN, reads until the peer's FIN so that no RST overtakes the last bytes; all that
  // within limits::kCloseLinger.
  void Close();

  // At once.
  void Drop();

 private:
  void ArmRead();
  void OnReadable();
  void ArmWrite();
  void OnWritable();
  bool SendQueued();
  void Linger();
  void End(StreamEnd how);
  void EndSoon(int error);

  boost::asio::posix::stream_descriptor descriptor_;
  boost::asio::steady_timer linger_;
  const std::span<char> read_buffer_;
  const std::string peer_address_;
  StreamEvents* events_ = nullptr;
  bool closing_ = false;  // Close was called
  std::deque<std::string> queue_;
  size_t queue_at_ = 0;  // sent of the first
  size_t unsent_ = 0;
  bool write_armed_ = false;
};

class AsioStream final : public Stream {
 public:
  explicit AsioStream(std::shared_ptr<AsioSocket> socket) : socket_(std::move(socket)) {}
  ~AsioStream() override {
    if (!closed_) socket_->Drop();
  }

  void Write(std::string bytes) override { socket_->Write(std::move(bytes)); }
  size_t unsent_bytes() const override { return socket_->unsent_bytes(); }
  void Close() override {
    closed_ = true;
    socket_->Close();
  }
  std::string peer_address() const override { return socket_->peer_address(); }

 private:
  const std::shared_ptr<AsioSocket> socket_;
  bool closed_ = false;
};

}  // namespace quern::remoting

#endif  // QUERN_REMOTING_SRC_ASIO_ASIO_STREAM_H_
