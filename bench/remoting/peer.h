// What the remoting benchmarks share: a node with its own I/O thread, and a process of its own to
// talk to.

#ifndef QUERN_BENCH_REMOTING_PEER_H_
#define QUERN_BENCH_REMOTING_PEER_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "quern/remoting/asio_io.h"
#include "quern/remoting/network.h"

namespace quern::bench {

// Counts tells and answers asks on its I/O thread.
class Peer final : public remoting::NetworkHandler {
 public:
  explicit Peer(const std::string& name);
  ~Peer() override;

  remoting::PeerAddress address() const {
    return {network->identity().advertised_address, network->identity().process_id};
  }

  // An ask that is sent after everything told so far, so its answer says that all of it arrived.
  // Blocks the thread.
  void Barrier(const remoting::PeerAddress& peer);

  void OnUserMessage(const remoting::NodeIdentity&, remoting::UserMessage message,
                     ReplyUser reply) override;
  void OnSystemMessage(const remoting::NodeIdentity&, remoting::SystemBody, ReplySystem) override {}
  void OnSessionUp(const remoting::NodeIdentity&) override {}
  void OnSessionDown(const remoting::SessionEnd&) override {}
  void OnHigherViewVersion(const remoting::NodeIdentity&, uint64_t) override {}
  Status AdmitPeer(const remoting::NodeIdentity&) override { return absl::OkStatus(); }

  std::unique_ptr<remoting::AsioIo> io;
  std::unique_ptr<remoting::Network> network;
  std::atomic<uint64_t> received{0};
};

// A message of `bytes` bytes, to a grain.
remoting::UserMessage SmallMessage(size_t bytes, Time deadline = kNever);

// This program again, as a Peer that lives until this object is gone.
class PeerProcess {
 public:
  PeerProcess();
  ~PeerProcess();
  const remoting::PeerAddress& address() const { return address_; }

 private:
  pid_t pid_ = -1;
  int stdin_ = -1;
  remoting::PeerAddress address_;
};

// What PeerProcess runs; returns the exit status. -1: this is not such a process.
int ServeIfAsked(int argc, char** argv);

void RegisterTellBenchmarks();
void RegisterAskBenchmarks();

}  // namespace quern::bench

#endif  // QUERN_BENCH_REMOTING_PEER_H_
