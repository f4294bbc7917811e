#include "network/channel.h"

#include <utility>

#include "network/network_impl.h"

namespace quern::remoting {
namespace {

ConnectionOptions With(ConnectionOptions options, ConnectionActions* actions) {
  options.actions = actions;
  return options;
}

}  // namespace

Channel::Channel(NetworkImpl* network_in, uint64_t id_in, ConnectionOptions options, Link* link_in,
                 Time now)
    : network(*network_in),
      id(id_in),
      link(link_in),
      connection_(With(std::move(options), this), now) {}

void Channel::Attach(std::unique_ptr<Stream> stream) {
  stream_ = std::move(stream);
  connection_.Start();
}

void Channel::CloseStream() {
  if (stream_ != nullptr) stream_->Close();
}

bool Channel::congested() const { return stream_->unsent_bytes() >= limits::kUnsentBytesHigh; }

std::string Channel::peer_address() const {
  return stream_ != nullptr ? stream_->peer_address() : std::string();
}

void Channel::OnBytes(std::string_view bytes) {
  network.counters().bytes_received.Add(bytes.size());
  const uint64_t frames = connection_.frames_received();
  connection_.OnBytes(bytes, network.Now());
  network.counters().frames_received.Add(connection_.frames_received() - frames);
}

void Channel::OnWritable() {
  if (!ended) network.OnChannelWritable(*this);
}

void Channel::OnEnd(StreamEnd end) {
  if (ended) return;
  connection_.Abandon();
  network.OnChannelEnd(*this, end, CloseReason::kNone);
}

void Channel::Send(std::string bytes) {
  if (stream_ == nullptr) return;
  network.counters().bytes_sent.Add(bytes.size());
  network.counters().frames_sent.Add(connection_.frames_sent() - frames_counted_);
  frames_counted_ = connection_.frames_sent();
  stream_->Write(std::move(bytes));
}

CloseReason Channel::Admit(const PeerHello& peer) { return network.AdmitChannel(peer); }

void Channel::OnOpen(const PeerHello& peer) { network.OnChannelOpen(*this, peer); }

void Channel::OnClosed(CloseReason reason, bool by_peer) {
  CloseStream();
  network.OnChannelEnd(*this, by_peer ? StreamEnd::kFin : StreamEnd::kLocal, reason);
}

void Channel::OnBatch(uint64_t view_version) { network.OnViewVersion(*this, view_version); }

CloseReason Channel::OnForward() {
  if (process == nullptr) return CloseReason::kUnexpectedFrame;
  Process::Lane& lane = process->lanes[connection_.lane()];
  const uint64_t generation = connection_.peer().generation;
  if (generation < lane.received_generation) return CloseReason::kStaleGeneration;
  lane.received_generation = generation;
  return CloseReason::kNone;
}

bool Channel::OnUser(uint64_t request_id, UserMessage message) {
  network.OnUserMessage(*this, request_id, std::move(message));
  return !ended;
}

bool Channel::OnReply(uint64_t request_id, UserReply reply) {
  network.OnUserReply(*this, request_id, std::move(reply));
  return !ended;
}

bool Channel::OnSystem(uint64_t request_id, SystemBody body, Time deadline) {
  network.OnSystemMessage(*this, request_id, std::move(body), deadline);
  return !ended;
}

bool Channel::OnSystemReply(uint64_t request_id, StatusOr<SystemBody> reply) {
  network.OnSystemReply(*this, request_id, std::move(reply));
  return !ended;
}

}  // namespace quern::remoting
