#include "asio/asio_stream.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include <boost/asio/post.hpp>

#include "quern/remoting/limits.h"

namespace quern::remoting {
namespace {

using boost::asio::posix::descriptor_base;
using boost::system::error_code;

StreamEnd EndOf(int error) {
  return error == ETIMEDOUT || error == EHOSTUNREACH || error == ENETUNREACH ? StreamEnd::kTimeout
                                                                             : StreamEnd::kReset;
}

}  // namespace

AsioSocket::AsioSocket(boost::asio::io_context& io, Fd fd, std::span<char> read_buffer)
    : descriptor_(io),
      linger_(io),
      read_buffer_(read_buffer),
      peer_address_(PeerAddressOf(fd.get()).ToString()) {
  SetNoDelay(fd.get());
  error_code error;
  descriptor_.assign(fd.get(), error);
  if (!error) fd.release();
}

void AsioSocket::Start(StreamEvents* events) {
  if (!closing_) events_ = events;
  if (!descriptor_.is_open()) return EndSoon(ECONNRESET);
  ArmRead();
}

void AsioSocket::ArmRead() {
  descriptor_.async_wait(descriptor_base::wait_read,
                         [self = shared_from_this()](const error_code& error) {
                           if (!error) self->OnReadable();
                         });
}

void AsioSocket::OnReadable() {
  if (!descriptor_.is_open()) return;
  const ssize_t got =
      ::recv(descriptor_.native_handle(), read_buffer_.data(), read_buffer_.size(), 0);
  if (got < 0 && errno != EAGAIN && errno != EINTR) return End(EndOf(errno));
  if (got == 0) return End(StreamEnd::kFin);
  if (got > 0 && events_ != nullptr) {
    events_->OnBytes({read_buffer_.data(), static_cast<size_t>(got)});
  }
  if (descriptor_.is_open()) ArmRead();
}

void AsioSocket::Write(std::string bytes) {
  if (closing_ || !descriptor_.is_open() || bytes.empty()) return;
  size_t sent = 0;
  if (queue_.empty()) {
    const ssize_t n = ::send(descriptor_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) return EndSoon(errno);
    sent = n > 0 ? static_cast<size_t>(n) : 0;
    if (sent == bytes.size()) return;
    queue_at_ = sent;
  }
  unsent_ += bytes.size() - sent;
  queue_.push_back(std::move(bytes));
  ArmWrite();
}

void AsioSocket::ArmWrite() {
  if (std::exchange(write_armed_, true)) return;
  descriptor_.async_wait(descriptor_base::wait_write,
                         [self = shared_from_this()](const error_code& error) {
                           self->write_armed_ = false;
                           if (!error) self->OnWritable();
                         });
}

void AsioSocket::OnWritable() {
  if (!descriptor_.is_open() || !SendQueued()) return;
  if (!queue_.empty()) return ArmWrite();
  if (closing_) return Linger();
  if (events_ != nullptr) events_->OnWritable();
}

// False when the stream came to its end.
bool AsioSocket::SendQueued() {
  while (!queue_.empty()) {
    const std::string& first = queue_.front();
    const ssize_t n = ::send(descriptor_.native_handle(), first.data() + queue_at_,
                             first.size() - queue_at_, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EAGAIN || errno == EINTR) return true;
      End(EndOf(errno));
      return false;
    }
    queue_at_ += static_cast<size_t>(n);
    unsent_ -= static_cast<size_t>(n);
    if (queue_at_ == first.size()) {
      queue_.pop_front();
      queue_at_ = 0;
    }
  }
  return true;
}

void AsioSocket::Close() {
  if (std::exchange(closing_, true)) return;
  events_ = nullptr;
  if (!descriptor_.is_open()) return;
  linger_.expires_after(limits::kCloseLinger);
  linger_.async_wait([self = shared_from_this()](const error_code& error) {
    if (!error) self->Drop();
  });
  if (queue_.empty()) Linger();
}

void AsioSocket::Linger() { ::shutdown(descriptor_.native_handle(), SHUT_WR); }

void AsioSocket::Drop() {
  events_ = nullptr;
  closing_ = true;
  linger_.cancel();
  error_code ignored;
  descriptor_.close(ignored);
}

void AsioSocket::End(StreamEnd how) {
  StreamEvents* events = std::exchange(events_, nullptr);
  Drop();
  if (events != nullptr) events->OnEnd(how);
}

// Not from inside a call of the owner's.
void AsioSocket::EndSoon(int error) {
  boost::asio::post(descriptor_.get_executor(),
                    [self = shared_from_this(), error] { self->End(EndOf(error)); });
}

}  // namespace quern::remoting
