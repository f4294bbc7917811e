// One dial that only asks who answers: a handshake on the probe lane, then good-bye.
//
// Executor only. `done` is called once, never from the constructor. Must not be destroyed from
// inside it; NetworkImpl posts that.

#ifndef QUERN_REMOTING_SRC_NETWORK_PROBE_H_
#define QUERN_REMOTING_SRC_NETWORK_PROBE_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "connection/connection.h"
#include "quern/remoting/transport.h"

namespace quern::remoting {

class ProbeCall final : public StreamEvents, private ConnectionActions {
 public:
  ProbeCall(const LocalNode& local, const ProcessId& meant, std::string nonce, Clock& clock,
            std::function<void(ProbeResult)> done);

  // What Transport::Connect came to.
  void OnDialled(StatusOr<std::unique_ptr<Stream>> stream);

  void OnTimeout() { Finish(ProbeResult::kInconclusive); }

 private:
  void OnBytes(std::string_view bytes) override;
  void OnWritable() override {}
  void OnEnd(StreamEnd end) override;

  void Send(std::string bytes) override { stream_->Write(std::move(bytes)); }
  CloseReason Admit(const PeerHello&) override { return CloseReason::kNone; }
  void OnOpen(const PeerHello& peer) override;
  void OnClosed(CloseReason reason, bool by_peer) override;

  // Nothing travels on a probe lane.
  void OnBatch(uint64_t) override {}
  CloseReason OnForward() override { return CloseReason::kUnexpectedFrame; }
  bool OnUser(uint64_t, UserMessage) override { return false; }
  bool OnReply(uint64_t, UserReply) override { return false; }
  bool OnSystem(uint64_t, SystemBody, Time) override { return false; }
  bool OnSystemReply(uint64_t, StatusOr<SystemBody>) override { return false; }

  void Finish(ProbeResult result);

  const ProcessId meant_;
  Clock& clock_;
  std::function<void(ProbeResult)> done_;
  std::unique_ptr<Stream> stream_;
  Connection connection_;
};

}  // namespace quern::remoting

#endif  // QUERN_REMOTING_SRC_NETWORK_PROBE_H_
