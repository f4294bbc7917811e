// A connection of a Network: the stream, the state machine that reads it, and where its news go.
//
// Executor only. Owned by NetworkImpl, which outlives it; destroyed from a closure of its own,
// never from inside a callback.

#ifndef QUERN_REMOTING_SRC_NETWORK_CHANNEL_H_
#define QUERN_REMOTING_SRC_NETWORK_CHANNEL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "connection/connection.h"
#include "quern/remoting/transport.h"

namespace quern::remoting {

class NetworkImpl;
struct Link;
struct Process;

class Channel final : public StreamEvents, private ConnectionActions {
 public:
  // `link` is whose dial this is; nullptr for an accepted connection.
  Channel(NetworkImpl* network, uint64_t id, ConnectionOptions options, Link* link, Time now);

  void Attach(std::unique_ptr<Stream> stream);
  bool attached() const { return stream_ != nullptr; }

  // Closes the stream: what was written goes out first.
  void CloseStream();
  void DropStream() { stream_.reset(); }

  // Too much lies unsent for more to be added.
  bool congested() const;
  std::string peer_address() const;

  Connection& connection() { return connection_; }
  const Connection& connection() const { return connection_; }

  NetworkImpl& network;
  const uint64_t id;
  Link* link;                  // whose dial this is, until it has ended
  Process* process = nullptr;  // once open, unless it is a probe
  bool accepted = false;       // they dialled
  bool opened = false;         // the handshake was completed
  bool ended = false;
  bool flush_queued = false;
  uint32_t open_requests = 0;  // inbound asks that wait for our answer

 private:
  // StreamEvents
  void OnBytes(std::string_view bytes) override;
  void OnWritable() override;
  void OnEnd(StreamEnd end) override;

  // ConnectionActions
  void Send(std::string bytes) override;
  CloseReason Admit(const PeerHello& peer) override;
  void OnOpen(const PeerHello& peer) override;
  void OnClosed(CloseReason reason, bool by_peer) override;

  // BatchSink
  void OnBatch(uint64_t view_version) override;
  CloseReason OnForward() override;
  bool OnUser(uint64_t request_id, UserMessage message) override;
  bool OnReply(uint64_t request_id, UserReply reply) override;
  bool OnSystem(uint64_t request_id, SystemBody body, Time deadline) override;
  bool OnSystemReply(uint64_t request_id, StatusOr<SystemBody> reply) override;

  std::unique_ptr<Stream> stream_;
  Connection connection_;
  uint64_t frames_counted_ = 0;
};

}  // namespace quern::remoting

#endif  // QUERN_REMOTING_SRC_NETWORK_CHANNEL_H_
