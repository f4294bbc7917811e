// Byte streams between nodes, as a parameter. The production form is Asio over TCP
// (asio_transport.h), the simulated one (remoting/testing/sim_transport.h) delays, cuts and splits
// from a seed.
//
// A Transport belongs to one Executor: every callback runs there and every method is called there.

#ifndef QUERN_REMOTING_TRANSPORT_H_
#define QUERN_REMOTING_TRANSPORT_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "quern/runtime/clock.h"
#include "quern/runtime/status.h"

namespace quern::remoting {

// How a stream came to its end.
enum class StreamEnd {
  kFin,      // the peer closed in order
  kReset,    // the peer's process or host refused further bytes
  kLocal,    // we closed it
  kTimeout,  // the kernel gave up
};

// One byte stream. Destroying it, also from inside one of its callbacks, closes it without further
// callbacks.
class Stream {
 public:
  virtual ~Stream() = default;

  // Bytes are queued without bound; see unsent_bytes(). OnWritable is called when the queue has
  // drained.
  virtual void Write(std::string bytes) = 0;

  virtual size_t unsent_bytes() const = 0;

  // Sends what is queued, then FIN. No callback follows.
  virtual void Close() = 0;

  virtual std::string peer_address() const = 0;
};

// What a stream tells its owner.
class StreamEvents {
 public:
  virtual ~StreamEvents() = default;

  virtual void OnBytes(std::string_view bytes) = 0;
  virtual void OnWritable() = 0;
  virtual void OnEnd(StreamEnd end) = 0;  // last callback
};

class Listener {
 public:
  virtual ~Listener() = default;
  virtual std::string bound_address() const = 0;  // "127.0.0.1:40123"
};

class Transport {
 public:
  // The callee keeps the stream and returns who hears its events; nullptr refuses it.
  using AcceptCallback = std::function<StreamEvents*(std::unique_ptr<Stream>)>;

  virtual ~Transport() = default;

  // `address` is "127.0.0.1:0" for any free port. UNAVAILABLE: the port is taken (the message names
  // it); FAILED_PRECONDITION: not a loopback address.
  virtual StatusOr<std::unique_ptr<Listener>> Listen(const std::string& address,
                                                     AcceptCallback on_accept) = 0;

  // `done` is called once, never from inside this call: the stream; UNAVAILABLE when the host there
  // refuses, so nothing listens; DEADLINE_EXCEEDED when nothing was heard or the way there is
  // broken; INVALID_ARGUMENT for an address that is none. A connection to oneself (a dead ephemeral
  // port that was dialled from itself) is UNAVAILABLE. `events` hears nothing before `done`, and is
  // not touched when the stream is dropped there.
  virtual void Connect(const std::string& address, Duration timeout, StreamEvents* events,
                       std::function<void(StatusOr<std::unique_ptr<Stream>>)> done) = 0;
};

}  // namespace quern::remoting

#endif  // QUERN_REMOTING_TRANSPORT_H_
