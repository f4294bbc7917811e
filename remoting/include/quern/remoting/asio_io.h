// The I/O thread of a process: an Executor whose closures run on one thread, and the Transport that
// speaks TCP from there. One serves everything that a node does on the network.
//
//   auto io = AsioIo::Start({.name = "node-1-io"}).value();
//   io->Run([&] {
//     network = Network::Start(options, io->transport(), *io, SystemClock(), SystemRandom(), &h);
//   });
//   ..
//   io->Run([&] { network.reset(); });
//   io->Stop();
//
// The thread sleeps when nothing is to be done. However much is posted, it is woken once for what
// piled up. Loopback only for now: another address is FAILED_PRECONDITION. Every socket is CLOEXEC
// and has TCP_NODELAY; a listener has its port for itself.
//
// Post, PostAfter, Cancel and Run are thread-safe; transport() is used on the I/O thread alone.
// Whatever runs there is destroyed there (Run), or after Stop().

#ifndef QUERN_REMOTING_ASIO_IO_H_
#define QUERN_REMOTING_ASIO_IO_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "quern/remoting/transport.h"
#include "quern/runtime/executor.h"
#include "quern/runtime/status.h"

namespace quern::remoting {

class AsioIo final : public Executor {
 public:
  struct Options {
    std::string name = "quern-io";  // of the thread; the kernel shows 15 bytes of it
    // How long the thread looks for more before it sleeps. A wake-up across cores costs more than
    // most exchanges, so a conversation that pauses shorter than this never pays it. It learns:
    // where spinning is in vain, or others want the core, it soon sleeps at once. 0 never spins.
    Duration spin = std::chrono::microseconds(50);
  };

  // RESOURCE_EXHAUSTED: no thread or no descriptor to be had.
  static StatusOr<std::unique_ptr<AsioIo>> Start(Options options);

  ~AsioIo() override;  // stops

  void Post(Closure closure) override;
  TimerId PostAfter(Duration delay, Closure closure) override;
  bool Cancel(TimerId id) override;

  // Runs `closure` on the I/O thread and waits for its end; at once when called from there. False
  // when the thread has been stopped: it did not run. Blocks the thread: not for fibers.
  bool Run(const std::function<void()>& closure);

  bool OnIoThread() const;

  // Ends the thread after the closure that runs; what else was posted is destroyed unrun. Not from
  // the I/O thread. Idempotent. Blocks the thread.
  void Stop();

  // Lives as long as this.
  Transport& transport();

 private:
  class Impl;
  explicit AsioIo(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace quern::remoting

#endif  // QUERN_REMOTING_ASIO_IO_H_
