// A node's end of all its connections: listens, dials, authenticates by handshake, keeps one user
// lane and one system lane a peer, batches what piled up, multiplexes asks, and says when a peer's
// process is gone.
//
//   auto network = Network::Start(options, transport, executor, clock, random, &handler);
//   (*network)->Tell(peer, message);
//   (*network)->Ask(peer, message, [](StatusOr<UserReply> reply) { .. });
//
// Tell, Ask, SendSystem and CallSystem are thread-safe, never block and may be called from any
// worker; what they queue is flushed by the executor in one write a lane. Everything else, and
// every callback, runs on the executor.

#ifndef QUERN_REMOTING_NETWORK_H_
#define QUERN_REMOTING_NETWORK_H_

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quern/remoting/transport.h"
#include "quern/runtime/executor.h"
#include "quern/runtime/logger.h"
#include "quern/runtime/network_port.h"
#include "quern/runtime/random.h"

namespace quern::remoting {

// 128 random bits, new at every start of a process.
using ProcessId = std::array<uint8_t, 16>;

enum class NodeRole : uint8_t { kNode, kClient };

// Who one is, as told in the handshake.
struct NodeIdentity {
  std::string cluster_id;
  std::string datacenter;  // empty outside a multi-datacenter system
  std::string node_id;
  ProcessId process_id{};
  uint64_t incarnation = 0;  // view version of the join; 0 while not a member
  NodeRole role = NodeRole::kNode;
  std::string advertised_address;  // filled in by Network::Start when empty
};

// Where a peer is, and which process is meant there. A zero process id accepts whichever process
// answers.
struct PeerAddress {
  std::string address;  // "127.0.0.1:40123"
  ProcessId process_id{};

  auto operator<=>(const PeerAddress&) const = default;
};

// A user message between nodes. `target` is a grain or the path of an actor.
struct UserMessage {
  GrainId grain{};  // kind empty: use actor_path
  std::string actor_path{};
  std::string type_name{};
  std::string body{};
  Time deadline = kNever;  // travels as remaining time
  SenderStamp sender{};
  Epoch target_epoch{};  // zero: whichever activation is there
  std::vector<std::string> call_chain{};
};

struct UserReply {
  Status status{};
  // False: no peer answered, the status was made here (UNAVAILABLE surely not sent,
  // DEADLINE_EXCEEDED unknown).
  bool from_peer = false;
  std::string body{};
  SenderStamp sender{};
};

// A protobuf message of the runtime itself, by full name.
struct SystemBody {
  std::string type{};
  std::string bytes{};
};

// Why a connection or a handshake was refused or closed; counted by reason, told to the peer in a
// Close frame.
enum class CloseReason : uint32_t {
  kNone = 0,
  kBadMagic = 1,
  kVersion = 2,
  kClusterId = 3,
  kHandshakeTooLarge = 4,
  kHandshakeTimeout = 5,
  kFrameTooLarge = 6,
  kMalformedFrame = 7,
  kUnexpectedFrame = 8,
  kSelfConnection = 9,
  kWrongProcess = 10,  // another process than expected answers at that address
  kRemoved = 11,       // that incarnation was removed from the view
  kStaleGeneration = 12,
  kShutdown = 13,
  kIdle = 14,
  kLimit = 15,  // a bound of limits.h was reached
};

std::string_view CloseReasonName(CloseReason reason);

// How a peer's liveness session (its system lane) ended.
struct SessionEnd {
  NodeIdentity peer;
  StreamEnd how = StreamEnd::kFin;
  CloseReason reason = CloseReason::kNone;  // from the peer's Close frame, if one came
};

// The owner of a Network. Callbacks run on the executor; `reply` functions are thread-safe and may
// be called later, once.
class NetworkHandler {
 public:
  using ReplyUser = std::function<void(UserReply)>;
  using ReplySystem = std::function<void(StatusOr<SystemBody>)>;

  virtual ~NetworkHandler() = default;

  // `reply` is empty for a tell.
  virtual void OnUserMessage(const NodeIdentity& from, UserMessage message, ReplyUser reply) = 0;

  // `reply` is empty for a one-way message.
  virtual void OnSystemMessage(const NodeIdentity& from, SystemBody body, ReplySystem reply) = 0;

  // The system lane to or from that peer's process stands (again).
  virtual void OnSessionUp(const NodeIdentity& peer) = 0;
  virtual void OnSessionDown(const SessionEnd& end) = 0;

  // A frame of the same cluster and datacenter carried a higher view version than SetViewVersion
  // said.
  virtual void OnHigherViewVersion(const NodeIdentity& from, uint64_t version) = 0;

  // PERMISSION_DENIED or the like refuses a handshake (CloseReason::kRemoved). Default: everyone.
  virtual Status AdmitPeer(const NodeIdentity& peer) = 0;
};

// Outcome of dialling an address without trusting it (proof of exit, ARCHITECTURE.md D13).
enum class ProbeResult : uint8_t {
  kRefused,       // nothing listens there
  kOtherProcess,  // a handshake completed with another process
  kSameProcess,   // the process in question answers
  kInconclusive,  // timeout, unreachable, garbage
};

struct NetworkStats {
  uint64_t user_messages_sent = 0;
  uint64_t user_messages_received = 0;
  uint64_t user_messages_fenced = 0;  // and answers, held back by SetSendingUntil
  uint64_t frames_sent = 0;
  uint64_t frames_received = 0;
  uint64_t bytes_sent = 0;
  uint64_t bytes_received = 0;
  std::map<CloseReason, uint64_t> closed{};  // connections closed or refused, by reason
};

class Network {
 public:
  struct Options {
    NodeIdentity identity;
    std::string listen_address = "127.0.0.1:0";  // empty: dial only (a client)
    Duration handshake_timeout = std::chrono::seconds(3);
    Duration connect_timeout = std::chrono::seconds(1);
    Duration idle_ping = std::chrono::seconds(2);      // a silent session is pinged
    Duration idle_timeout = std::chrono::seconds(10);  // and closed when it stays silent
    Logger* logger = nullptr;
  };

  // Listens before it returns. Errors of Transport::Listen. All references must outlive the
  // Network. Executor only (AsioIo::Run), as is the destructor.
  static StatusOr<std::unique_ptr<Network>> Start(Options options, Transport& transport,
                                                  Executor& executor, Clock& clock, Random& random,
                                                  NetworkHandler* handler);

  virtual ~Network() = default;

  // Accepted means queued for the peer's lane. kFull: the queue's bound is reached. kUnreachable:
  // the peer was closed by ClosePeer, the last dial failed a moment ago, or the message cannot be
  // sent at all (limits.h). Order holds for one sender and receiver within a lane generation.
  // Thread-safe.
  virtual Delivery Tell(const PeerAddress& peer, UserMessage message) = 0;

  // `done` runs once, on the executor: the reply; UNAVAILABLE when the message was surely not sent;
  // DEADLINE_EXCEEDED when the outcome is unknown (deadline, or the connection was lost after
  // sending); RESOURCE_EXHAUSTED and INVALID_ARGUMENT as Tell's kFull and "cannot be sent", neither
  // of them sent. Thread-safe.
  virtual void Ask(const PeerAddress& peer, UserMessage message,
                   std::function<void(UserReply)> done) = 0;

  virtual void SendSystem(const PeerAddress& peer, SystemBody body) = 0;

  // As Ask, on the system lane.
  virtual void CallSystem(const PeerAddress& peer, SystemBody body, Duration timeout,
                          std::function<void(StatusOr<SystemBody>)> done) = 0;

  // Keeps a system lane to that peer open (a liveness session): dials, re-dials with backoff.
  // Executor only.
  virtual void KeepSession(const PeerAddress& peer) = 0;

  // Closes all lanes of a process and refuses it from now on (it was removed from the view).
  // OnSessionDown follows from inside. Executor only.
  virtual void ClosePeer(const ProcessId& process, CloseReason reason) = 0;

  // Dials once and tells who answers. Executor only.
  virtual void Probe(const PeerAddress& peer, Duration timeout,
                     std::function<void(ProbeResult)> done) = 0;

  // Stamped on every batch from now on. Executor only.
  virtual void SetViewVersion(uint64_t version) = 0;

  // User messages and answers leave while clock.Now() < `until`: kNever, the default, or the end of
  // a lease. Afterwards a tell is kUnreachable, an ask UNAVAILABLE, both also when they were queued
  // before, and an answer is told as DEADLINE_EXCEEDED, since what was asked for did run. System
  // messages pass. Thread-safe.
  virtual void SetSendingUntil(Time until) = 0;

  // Told in handshakes from now on. Executor only.
  virtual void SetIncarnation(uint64_t incarnation) = 0;

  virtual const NodeIdentity& identity() const = 0;
  virtual NetworkStats stats() const = 0;

  // Tells every peer (kShutdown), closes, fails what is outstanding. Idempotent. Executor only.
  virtual void Stop() = 0;
};

}  // namespace quern::remoting

#endif  // QUERN_REMOTING_NETWORK_H_
