#include "asio/asio_transport.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "asio/asio_stream.h"

namespace quern::remoting {
namespace {

using boost::asio::posix::descriptor_base;
using boost::system::error_code;
using ConnectDone = std::function<void(StatusOr<std::unique_ptr<Stream>>)>;

// While the process has no descriptor left, accept() would fail as fast as it is called.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);
constexpr int kAcceptsARound = 64;

// The listening socket, as long as an operation of Asio refers to it.
class Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  Acceptor(boost::asio::io_context& io, Fd fd, std::span<char> read_buffer,
           Transport::AcceptCallback on_accept)
      : io_(io),
        descriptor_(io, fd.release()),
        pause_(io),
        read_buffer_(read_buffer),
        on_accept_(std::move(on_accept)) {}

  void Arm() {
    descriptor_.async_wait(descriptor_base::wait_read,
                           [self = shared_from_this()](const error_code& error) {
                             if (!error) self->AcceptAll();
                           });
  }

  void Close() {
    on_accept_ = nullptr;
    pause_.cancel();
    error_code ignored;
    descriptor_.close(ignored);
  }

 private:
  void AcceptAll() {
    for (int i = 0; i < kAcceptsARound && on_accept_; ++i) {
      Fd fd(::accept4(descriptor_.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (fd.valid()) {
        Accept(std::move(fd));
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        return ArmLater();
      } else if (errno == EAGAIN) {
        break;
      }
    }
    if (on_accept_) Arm();
  }

  void Accept(Fd fd) {
    auto socket = std::make_shared<AsioSocket>(io_, std::move(fd), read_buffer_);
    StreamEvents* events = on_accept_(std::make_unique<AsioStream>(socket));
    if (events != nullptr) socket->Start(events);
  }

  void ArmLater() {
    pause_.expires_after(kAcceptPause);
    pause_.async_wait([self = shared_from_this()](const error_code& error) {
      if (!error && self->on_accept_) self->Arm();
    });
  }

  boost::asio::io_context& io_;
  boost::asio::posix::stream_descriptor descriptor_;
  boost::asio::steady_timer pause_;
  const std::span<char> read_buffer_;
  Transport::AcceptCallback on_accept_;  // empty: closed
};

class AsioListener final : public Listener {
 public:
  AsioListener(std::shared_ptr<Acceptor> acceptor, std::string address)
      : acceptor_(std::move(acceptor)), address_(std::move(address)) {}
  ~AsioListener() override { acceptor_->Close(); }
  std::string bound_address() const override { return address_; }

 private:
  const std::shared_ptr<Acceptor> acceptor_;
  const std::string address_;
};

// A connect under way: ends with the socket writable or with the timer.
class Connecting : public std::enable_shared_from_this<Connecting> {
 public:
  Connecting(boost::asio::io_context& io, Fd fd, std::string address, StreamEvents* events,
             std::span<char> read_buffer, ConnectDone done)
      : io_(io),
        descriptor_(io, fd.release()),
        timer_(io),
        address_(std::move(address)),
        events_(events),
        read_buffer_(read_buffer),
        done_(std::move(done)) {}

  void Start(Duration timeout) {
    timer_.expires_after(timeout);
    timer_.async_wait([self = shared_from_this()](const error_code& error) {
      if (!error)
        self->Finish(
            absl::DeadlineExceededError("connect to " + self->address_ + ": no answer in time"));
    });
    descriptor_.async_wait(descriptor_base::wait_write,
                           [self = shared_from_this()](const error_code& error) {
                             if (!error) self->OnWritable();
                           });
  }

 private:
  void OnWritable() {
    if (!done_) return;
    int error = 0;
    socklen_t bytes = sizeof error;
    ::getsockopt(descriptor_.native_handle(), SOL_SOCKET, SO_ERROR, &error, &bytes);
    if (error != 0) return Finish(ConnectError(address_, error));
    if (IsConnectedToItself(descriptor_.native_handle())) {
      return Finish(absl::UnavailableError("connect to " + address_ +
                                           ": nothing listens there, the port met itself"));
    }
    auto socket = std::make_shared<AsioSocket>(io_, Fd(descriptor_.release()), read_buffer_);
    auto done = std::exchange(done_, nullptr);
    timer_.cancel();
    std::weak_ptr<AsioSocket> kept = socket;
    done(std::make_unique<AsioStream>(std::move(socket)));
    // The callee may have dropped the stream.
    if (auto alive = kept.lock()) alive->Start(events_);
  }

  void Finish(Status status) {
    auto done = std::exchange(done_, nullptr);
    timer_.cancel();
    error_code ignored;
    descriptor_.close(ignored);
    if (done) done(std::move(status));
  }

  boost::asio::io_context& io_;
  boost::asio::posix::stream_descriptor descriptor_;
  boost::asio::steady_timer timer_;
  const std::string address_;
  StreamEvents* const events_;
  const std::span<char> read_buffer_;
  ConnectDone done_;
};

}  // namespace

StatusOr<std::unique_ptr<Listener>> AsioTransport::Listen(const std::string& address,
                                                          AcceptCallback on_accept) {
  const StatusOr<SocketAddress> parsed = ParseAddress(address);
  if (!parsed.ok()) return parsed.status();
  StatusOr<Fd> fd = ListenOn(*parsed);
  if (!fd.ok()) return fd.status();
  std::string bound = LocalAddress(fd->get()).ToString();
  auto acceptor =
      std::make_shared<Acceptor>(io_, *std::move(fd), read_buffer_, std::move(on_accept));
  acceptor->Arm();
  return std::make_unique<AsioListener>(std::move(acceptor), std::move(bound));
}

void AsioTransport::Connect(const std::string& address, Duration timeout, StreamEvents* events,
                            ConnectDone done) {
  const auto fail = [&](Status status) {
    boost::asio::post(io_, [done = std::move(done), status = std::move(status)] { done(status); });
  };
  const StatusOr<SocketAddress> parsed = ParseAddress(address);
  if (!parsed.ok()) return fail(parsed.status());
  if (!parsed->IsLoopback()) {
    return fail(absl::FailedPreconditionError("connect to " + address +
                                              ": only loopback addresses are dialled yet"));
  }
  StatusOr<Fd> fd = NewSocket(*parsed);
  if (!fd.ok()) return fail(fd.status());
  if (::connect(fd->get(), parsed->get(), parsed->bytes) != 0 && errno != EINPROGRESS) {
    return fail(ConnectError(address, errno));
  }
  std::make_shared<Connecting>(io_, *std::move(fd), address, events, read_buffer_, std::move(done))
      ->Start(timeout);
}

}  // namespace quern::remoting
