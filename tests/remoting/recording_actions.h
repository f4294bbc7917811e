// The owner of a Connection under test, which writes down what it is asked for and told, and frames
// made by hand.

#ifndef QUERN_TESTS_REMOTING_RECORDING_ACTIONS_H_
#define QUERN_TESTS_REMOTING_RECORDING_ACTIONS_H_

#include <string>
#include <utility>
#include <vector>

#include "connection/connection.h"
#include "connection/features.h"
#include "quern/wire/v1/wire.pb.h"

namespace quern::remoting {

struct RecordingActions final : public ConnectionActions {
  std::string sent;              // bytes not yet taken to the other side
  std::vector<std::string> log;  // "open b", "user 0 hello", "closed version", ..
  std::vector<UserMessage> users;
  CloseReason admit = CloseReason::kNone;
  CloseReason forward = CloseReason::kNone;
  Connection* connection = nullptr;
  bool close_on_user = false;

  void Send(std::string bytes) override { sent += bytes; }
  CloseReason Admit(const PeerHello&) override { return admit; }
  void OnOpen(const PeerHello& peer) override { log.push_back("open " + peer.identity.node_id); }
  void OnClosed(CloseReason reason, bool by_peer) override {
    log.push_back((by_peer ? "closed by peer " : "closed ") + std::string(CloseReasonName(reason)));
  }
  void OnBatch(uint64_t view_version) override {
    if (view_version != 0) log.push_back("view " + std::to_string(view_version));
  }
  CloseReason OnForward() override { return forward; }
  bool OnUser(uint64_t id, UserMessage message) override {
    log.push_back("user " + std::to_string(id) + " " + message.body);
    users.push_back(std::move(message));
    if (close_on_user) connection->Close(CloseReason::kRemoved);
    return !close_on_user;
  }
  bool OnReply(uint64_t id, UserReply reply) override {
    log.push_back("reply " + std::to_string(id) + " " +
                  (reply.status.ok() ? reply.body : reply.status.ToString()));
    return true;
  }
  bool OnSystem(uint64_t id, SystemBody body, Time) override {
    log.push_back("system " + std::to_string(id) + " " + body.type + " " + body.bytes);
    return true;
  }
  bool OnSystemReply(uint64_t id, StatusOr<SystemBody> reply) override {
    log.push_back("system reply " + std::to_string(id) + " " +
                  (reply.ok() ? reply->bytes : reply.status().ToString()));
    return true;
  }

  std::string TakeSent() { return std::exchange(sent, std::string()); }
  std::vector<std::string> TakeLog() { return std::exchange(log, {}); }
};

inline LocalNode TestNode(const std::string& name, uint8_t process = 0) {
  LocalNode local;
  local.identity.cluster_id = "test";
  local.identity.node_id = name;
  local.identity.process_id.fill(process != 0 ? process : static_cast<uint8_t>(name[0]));
  return local;
}

// One end, without a stream.
struct TestEnd {
  TestEnd(LocalNode local_in, bool dialler, uint16_t lane = kUserLane, uint64_t generation = 1,
          ProcessId expected = {})
      : local(std::move(local_in)),
        connection(ConnectionOptions{.local = &local,
                                     .dialler = dialler,
                                     .lane = lane,
                                     .generation = generation,
                                     .expected = expected,
                                     .nonce = "0123456789abcdef",
                                     .actions = &actions},
                   Time(std::chrono::seconds(100))) {
    actions.connection = &connection;
  }
  LocalNode local;
  RecordingActions actions;
  Connection connection;
  Time now{std::chrono::seconds(100)};

  void Hear(std::string_view bytes) { connection.OnBytes(bytes, now); }
  void TickAfter(Duration duration) {
    // As often as the owner would.
    for (Duration left = duration; left > Duration::zero(); left -= local.tick_period) {
      now += std::min(left, local.tick_period);
      connection.Tick(now);
    }
  }
};

// Carries bytes until both are silent.
inline void Exchange(TestEnd& a, TestEnd& b, size_t piece = SIZE_MAX) {
  while (!a.actions.sent.empty() || !b.actions.sent.empty()) {
    const std::string to_b = a.actions.TakeSent();
    const std::string to_a = b.actions.TakeSent();
    for (size_t at = 0; at < to_b.size(); at += std::min(piece, to_b.size())) {
      b.Hear(std::string_view(to_b).substr(at, piece));
    }
    for (size_t at = 0; at < to_a.size(); at += std::min(piece, to_a.size())) {
      a.Hear(std::string_view(to_a).substr(at, piece));
    }
  }
}

// An open pair, a the dialler.
struct OpenPair {
  explicit OpenPair(uint16_t lane = kUserLane)
      : a(TestNode("a"), true, lane), b(TestNode("b"), false) {
    a.connection.Start();
    Exchange(a, b);
    a.actions.log.clear();
    b.actions.log.clear();
  }
  TestEnd a;
  TestEnd b;
};

template <typename Body>
std::string Framed(FrameType type, uint16_t lane, const Body& body) {
  std::string out;
  const size_t begin = BeginFrame(&out);
  body.AppendToString(&out);
  EndFrame(begin, type, lane, &out);
  return out;
}

inline wire::v1::Hello GoodHello() {
  wire::v1::Hello hello;
  hello.set_magic(kMagic);
  hello.set_cluster_id("test");
  hello.set_node_id("x");
  hello.set_process_id(std::string(16, 'x'));
  hello.set_lane(kUserLane);
  hello.set_lane_generation(1);
  return hello;
}

inline std::string HelloFrame(const wire::v1::Hello& hello) {
  return Framed(FrameType::kHello, static_cast<uint16_t>(hello.lane()), hello);
}

}  // namespace quern::remoting

#endif  // QUERN_TESTS_REMOTING_RECORDING_ACTIONS_H_
