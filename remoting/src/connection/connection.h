// One end of one connection, as a state machine: bytes and time in, bytes and news out.
//
//   Connection connection(options, &actions);
//   connection.Start(now);             // the dialler says Hello
//   connection.OnBytes(bytes, now);    // -> actions.Send, actions.OnOpen, actions.OnUser, ..
//   connection.AddUser(id, &message, now); connection.Flush();
//   connection.Tick(now);              // timeouts and pings
//
// handshake -> open -> closed; a closed one ignores everything. Knows no sockets, no clock and no
// other connections. Belongs to one owner; an action may call back into it, but must not destroy
// it.

#ifndef QUERN_REMOTING_SRC_CONNECTION_CONNECTION_H_
#define QUERN_REMOTING_SRC_CONNECTION_CONNECTION_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "connection/batch_decoder.h"
#include "connection/batch_encoder.h"
#include "connection/handshake.h"
#include "connection/lane.h"
#include "frame/frame.h"
#include "quern/remoting/network.h"

namespace quern::remoting {

// What is the same for all connections of a node, and may change. Outlives them.
struct LocalNode {
  NodeIdentity identity;
  uint64_t view_version = 0;
  Duration handshake_timeout = std::chrono::seconds(3);
  Duration idle_ping = std::chrono::seconds(2);
  Duration idle_timeout = std::chrono::seconds(10);
  Duration tick_period = limits::kTickPeriod;
};

// What a connection asks of its owner, and what it found out. BatchSink brings the messages.
class ConnectionActions : public BatchSink {
 public:
  virtual void Send(std::string bytes) = 0;

  // The peer's Hello is in order. Anything but kNone refuses it.
  virtual CloseReason Admit(const PeerHello& peer) = 0;

  // The handshake is complete.
  virtual void OnOpen(const PeerHello& peer) = 0;

  // Last action. `by_peer`: the reason came in the peer's Close frame. What was sent before should
  // still go out, then FIN.
  virtual void OnClosed(CloseReason reason, bool by_peer) = 0;
};

struct ConnectionOptions {
  const LocalNode* local = nullptr;
  bool dialler = false;
  uint16_t lane = kUserLane;  // of the acceptor: whatever the dialler says
  uint64_t generation = 0;
  ProcessId expected{};  // of the dialler: whom it means to reach; zero for whoever answers
  std::string nonce{};
  ConnectionActions* actions = nullptr;
};

class Connection final : private FrameSink {
 public:
  Connection(ConnectionOptions options, Time now);

  // The dialler's Hello. The acceptor waits.
  void Start();

  void OnBytes(std::string_view bytes, Time now);

  // The stream is writable or about to be: sends what was added, in one piece.
  void Flush();

  // To be called every LocalNode::tick_period.
  void Tick(Time now);

  // Tells the peer why, if it has said Hello, then ends.
  void Close(CloseReason reason, std::string_view detail = {});

  // Ends without a word and without an action: the stream is gone.
  void Abandon() { state_ = State::kClosed; }

  // Open only; they go out with the next Flush. See BatchEncoder for the failures.
  Status AddUser(uint64_t request_id, UserMessage* message, Time now);
  Status AddReply(uint64_t request_id, UserReply* reply);
  Status AddSystem(uint64_t request_id, SystemBody* body, Time deadline, Time now);
  Status AddSystemReply(uint64_t request_id, StatusOr<SystemBody>* reply);
  size_t unflushed_bytes() const { return encoder_.bytes(); }

  bool open() const { return state_ == State::kOpen; }
  bool closed() const { return state_ == State::kClosed; }
  bool in_handshake() const { return state_ == State::kHandshake; }
  uint16_t lane() const { return lane_; }
  uint64_t generation() const { return options_.generation; }
  const PeerHello& peer() const { return peer_; }
  uint64_t frames_received() const { return decoder_.frames(); }
  uint64_t frames_sent() const { return encoder_.frames() + control_frames_; }

 private:
  enum class State { kHandshake, kOpen, kClosed };

  CloseReason OnFrameHeader(const FrameHeader& header) override;
  CloseReason OnFrame(const FrameHeader& header, std::string_view body) override;
  CloseReason OnHello(std::string_view body);
  CloseReason OnPing(std::string_view body);
  void OnCloseFrame(std::string_view body);
  void SendHello();
  template <typename Body>
  void SendControl(FrameType type, const Body& body);
  void TickOpen(Time now);

  const ConnectionOptions options_;
  ConnectionActions& actions_;
  State state_ = State::kHandshake;
  uint16_t lane_;
  bool hello_sent_ = false;
  bool hello_received_ = false;
  PeerHello peer_;
  FrameDecoder decoder_;
  BatchDecoder batches_;
  BatchEncoder encoder_;
  uint64_t control_frames_ = 0;

  Time now_;
  const Time began_;
  Time last_tick_;
  Time last_heard_;
  bool ping_outstanding_ = false;
  uint64_t ping_token_ = 0;
  uint64_t frames_at_tick_ = 0;  // how far the decoder was when frame_began_ was noted
  Time frame_began_ = kNever;    // the frame in progress, as seen by the ticks
};

}  // namespace quern::remoting

#endif  // QUERN_REMOTING_SRC_CONNECTION_CONNECTION_H_
