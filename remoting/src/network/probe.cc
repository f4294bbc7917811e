#include "network/probe.h"

#include <utility>

#include "connection/lane.h"

namespace quern::remoting {

ProbeCall::ProbeCall(const LocalNode& local, const ProcessId& meant, std::string nonce,
                     Clock& clock, std::function<void(ProbeResult)> done)
    : meant_(meant),
      clock_(clock),
      done_(std::move(done)),
      connection_(ConnectionOptions{.local = &local,
                                    .dialler = true,
                                    .lane = kProbeLane,
                                    .expected = {},
                                    .nonce = std::move(nonce),
                                    .actions = this},
                  clock.Now()) {}

void ProbeCall::OnDialled(StatusOr<std::unique_ptr<Stream>> stream) {
  if (!done_) return;
  if (!stream.ok()) {
    // A deadline proves nothing: the host may be cut off.
    Finish(absl::IsUnavailable(stream.status()) ? ProbeResult::kRefused
                                                : ProbeResult::kInconclusive);
    return;
  }
  stream_ = *std::move(stream);
  connection_.Start();
}

void ProbeCall::OnBytes(std::string_view bytes) { connection_.OnBytes(bytes, clock_.Now()); }

void ProbeCall::OnEnd(StreamEnd) {
  connection_.Abandon();
  Finish(ProbeResult::kInconclusive);
}

void ProbeCall::OnOpen(const PeerHello& peer) {
  Finish(peer.identity.process_id == meant_ ? ProbeResult::kSameProcess
                                            : ProbeResult::kOtherProcess);
}

void ProbeCall::OnClosed(CloseReason, bool) { Finish(ProbeResult::kInconclusive); }

void ProbeCall::Finish(ProbeResult result) {
  if (auto done = std::exchange(done_, nullptr)) {
    if (stream_ != nullptr) stream_->Close();
    done(result);
  }
}

}  // namespace quern::remoting
