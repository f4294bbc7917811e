// Feeds bytes to a decoder and to both ends of a connection, in pieces that the input chooses. What
// a fuzzer, or a corpus, is to find: a crash, a hang, memory beyond what was received.

#include "connection_fuzz.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "connection/connection.h"

namespace quern::remoting {
namespace {

class Ignore final : public ConnectionActions {
 public:
  void Send(std::string) override {}
  CloseReason Admit(const PeerHello&) override { return CloseReason::kNone; }
  void OnOpen(const PeerHello&) override {}
  void OnClosed(CloseReason, bool) override { closed = true; }
  void OnBatch(uint64_t) override {}
  CloseReason OnForward() override { return CloseReason::kNone; }
  bool OnUser(uint64_t, UserMessage) override { return Deliver(); }
  bool OnReply(uint64_t, UserReply) override { return Deliver(); }
  bool OnSystem(uint64_t, SystemBody, Time) override { return Deliver(); }
  bool OnSystemReply(uint64_t, StatusOr<SystemBody>) override { return Deliver(); }

  bool closed = false;
  size_t delivered = 0;

 private:
  bool Deliver() {
    // Nothing may be heard on a connection that is over.
    if (closed) std::abort();
    ++delivered;
    return true;
  }
};

LocalNode FuzzNode() {
  LocalNode local;
  local.identity.cluster_id = "test";
  local.identity.node_id = "fuzz";
  local.identity.process_id.fill(7);
  return local;
}

}  // namespace

size_t FeedToConnection(std::string_view bytes, bool dialler, uint16_t lane, size_t piece) {
  const LocalNode local = FuzzNode();
  Ignore actions;
  Time now{std::chrono::seconds(1)};
  Connection connection({.local = &local, .dialler = dialler, .lane = lane, .actions = &actions},
                        now);
  connection.Start();
  for (size_t at = 0; at < bytes.size(); at += piece) {
    now += std::chrono::milliseconds(1);
    connection.OnBytes(bytes.substr(at, piece), now);
  }
  connection.Tick(now);
  connection.Flush();
  return actions.delivered;
}

void FuzzConnection(std::string_view input) {
  if (input.empty()) return;
  // The first byte says how: lowest bit the role, the next the lane, the rest the pieces.
  const auto how = static_cast<uint8_t>(input.front());
  const size_t piece = how < 4 ? SIZE_MAX / 2 : static_cast<size_t>(how >> 2);
  FeedToConnection(input.substr(1), (how & 1) != 0, (how & 2) != 0 ? kSystemLane : kUserLane,
                   piece);
}

}  // namespace quern::remoting
