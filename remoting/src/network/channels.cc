#include <algorithm>
#include <utility>

#include "network/network_impl.h"
#include "network/reply_token.h"

namespace quern::remoting {

std::string NetworkImpl::Nonce() {
  std::string nonce(16, '\0');
  for (size_t i = 0; i < nonce.size(); i += 8) {
    uint64_t bits = random_->Next();
    for (size_t k = 0; k < 8; ++k, bits >>= 8) nonce[i + k] = static_cast<char>(bits);
  }
  return nonce;
}

Channel& NetworkImpl::NewChannel(ConnectionOptions options, Link* link) {
  options.local = &local_;
  options.nonce = Nonce();
  const uint64_t id = ++last_id_;
  auto& slot = channels_[id];
  slot = std::make_unique<Channel>(this, id, std::move(options), link, clock_.Now());
  return *slot;
}

StreamEvents* NetworkImpl::Accept(std::unique_ptr<Stream> stream) {
  if (stopped_) return nullptr;
  if (handshakes_ >= limits::kPendingHandshakesMax || channels_.size() >= limits::kConnectionsMax) {
    CountClosed(CloseReason::kLimit);
    return nullptr;
  }
  ++handshakes_;
  Channel& channel = NewChannel({.dialler = false, .generation = ++last_generation_}, nullptr);
  channel.accepted = true;
  channel.Attach(std::move(stream));
  return &channel;
}

CloseReason NetworkImpl::AdmitChannel(const PeerHello& peer) {
  if (stopped_) return CloseReason::kShutdown;
  if (peer.lane == kProbeLane) return CloseReason::kNone;
  if (closed_processes_.contains(peer.identity.process_id)) return CloseReason::kRemoved;
  return handler_->AdmitPeer(peer.identity).ok() ? CloseReason::kNone : CloseReason::kRemoved;
}

void NetworkImpl::OnChannelOpen(Channel& channel, const PeerHello& peer) {
  channel.opened = true;
  if (channel.accepted) --handshakes_;
  const uint16_t lane = channel.connection().lane();
  if (lane == kProbeLane) return;
  Process& process = processes_[peer.identity.process_id];
  process.identity = peer.identity;
  process.channels.push_back(&channel);
  channel.process = &process;
  if (Link* link = std::exchange(channel.link, nullptr)) {
    link->dialling[lane] = false;
    EndPause(*link);
    if (link->process == nullptr) AttachLink(*link, peer.identity.process_id);
  }
  if (lane == kSystemLane && process.sessions++ == 0) handler_->OnSessionUp(peer.identity);
  if (!channel.ended) OnChannelWritable(channel);
}

void NetworkImpl::OnChannelWritable(Channel& channel) {
  if (channel.process == nullptr) return;
  const std::vector<Link*> links = channel.process->links;
  for (Link* link : links) Flush(*link);
}

void NetworkImpl::CountClosed(CloseReason reason) {
  if (reason == CloseReason::kNone) return;
  absl::MutexLock lock(&closed_mutex_);
  ++closed_[reason];
}

// The channel may be on the stack: it is destroyed by a closure of its own.
void NetworkImpl::Retire(Channel& channel) {
  channel.ended = true;
  const auto found = channels_.find(channel.id);
  retired_.push_back(std::move(found->second));
  channels_.erase(found);
  if (retired_.size() == 1) executor_.Post(Guarded([this] { retired_.clear(); }));
}

void NetworkImpl::OnChannelEnd(Channel& channel, StreamEnd how, CloseReason reason) {
  if (channel.ended) return;
  CountClosed(reason);
  if (reason != CloseReason::kNone) {
    logger_.Log(LogLevel::kInfo, "connection closed",
                {{"peer", channel.peer_address()}, {"reason", CloseReasonName(reason)}});
  }
  if (channel.accepted && !channel.opened) --handshakes_;
  Retire(channel);
  if (channel.process != nullptr) {
    OnOpenChannelEnd(channel, how, reason);
  } else if (Link* link = std::exchange(channel.link, nullptr)) {
    const std::string_view why =
        reason != CloseReason::kNone ? CloseReasonName(reason) : "the connection was closed";
    OnDialFailed(*link, channel.connection().lane(),
                 absl::UnavailableError("handshake refused: " + std::string(why)));
  }
}

void NetworkImpl::OnOpenChannelEnd(Channel& channel, StreamEnd how, CloseReason reason) {
  const bool is_session = channel.connection().lane() == kSystemLane;
  const SessionEnd end{.peer = channel.process->identity, .how = how, .reason = reason};
  const bool session_is_down = is_session && channel.process->sessions == 1;
  const std::vector<Link*> links = LeaveProcess(channel);
  for (Link* link : links) {
    if (is_session && link->keep_session) Pause(*link);
  }
  const std::string lost = "lost the connection to " + end.peer.node_id;
  const Status unsent = absl::UnavailableError(lost);
  const Status unknown = absl::DeadlineExceededError(lost + ": outcome unknown");
  FailRequests(requests_.TakeConnection(channel.id), unsent, unknown);
  FailCalls(calls_.TakeConnection(channel.id), unsent, unknown);
  if (session_is_down && !stopped_) handler_->OnSessionDown(end);
  for (Link* link : links) {
    if (!stopped_) Flush(*link);
  }
}

// Returns the links that led there. Those that knew only the address forget the process with its
// last connection: another one may answer there next.
std::vector<Link*> NetworkImpl::LeaveProcess(Channel& channel) {
  Process& process = *std::exchange(channel.process, nullptr);
  const uint16_t lane = channel.connection().lane();
  if (process.lanes[lane].sending == &channel) process.lanes[lane].sending = nullptr;
  if (lane == kSystemLane) --process.sessions;
  std::erase(process.channels, &channel);
  std::vector<Link*> links = process.links;
  if (!process.channels.empty()) return links;
  std::erase_if(process.links, [](Link* link) {
    if (!IsZero(link->peer.process_id)) return false;
    link->process = nullptr;
    return true;
  });
  if (process.links.empty()) processes_.erase(ProcessId(process.identity.process_id));
  return links;
}

void NetworkImpl::FailRequests(std::vector<RequestTable<UserReply>::Ended> ended,
                               const Status& unsent, const Status& unknown) {
  for (auto& request : ended) request.done(UserReply{.status = request.sent ? unknown : unsent});
}

void NetworkImpl::FailCalls(std::vector<RequestTable<StatusOr<SystemBody>>::Ended> ended,
                            const Status& unsent, const Status& unknown) {
  for (auto& call : ended) call.done(call.sent ? unknown : unsent);
}

void NetworkImpl::OnViewVersion(Channel& channel, uint64_t version) {
  if (version <= local_.view_version || stopped_) return;
  const NodeIdentity& from = channel.connection().peer().identity;
  if (from.datacenter != local_.identity.datacenter) return;
  // Once a version, and again when the handler got nowhere with it.
  const Time now = clock_.Now();
  if (version <= view_told_ && now - view_told_at_ < limits::kViewVersionRepeat) return;
  view_told_ = version;
  view_told_at_ = now;
  handler_->OnHigherViewVersion(from, version);
}

void NetworkImpl::OnUserMessage(Channel& channel, uint64_t request_id, UserMessage message) {
  counters_.user_messages_received.Add(1);
  const NodeIdentity& from = channel.connection().peer().identity;
  if (request_id == 0) {
    handler_->OnUserMessage(from, std::move(message), nullptr);
    return;
  }
  auto token = std::make_shared<ReplyToken>(inbox_, channel.id, request_id);
  ++channel.open_requests;
  if (channel.open_requests > limits::kRequestsInFlightMax) {
    token->Answer({.status = absl::ResourceExhaustedError("too many asks in flight")});
    return;
  }
  handler_->OnUserMessage(from, std::move(message), [token = std::move(token)](UserReply reply) {
    token->Answer(std::move(reply));
  });
}

void NetworkImpl::OnUserReply(Channel& channel, uint64_t request_id, UserReply reply) {
  if (auto done = requests_.Take(request_id, channel.id)) (*done)(std::move(reply));
}

void NetworkImpl::OnSystemMessage(Channel& channel, uint64_t request_id, SystemBody body,
                                  Time deadline) {
  const NodeIdentity& from = channel.connection().peer().identity;
  if (request_id == 0) {
    handler_->OnSystemMessage(from, std::move(body), nullptr);
    return;
  }
  // Nobody waits any more.
  if (deadline <= clock_.Now()) return;
  auto token = std::make_shared<SystemReplyToken>(inbox_, channel.id, request_id);
  ++channel.open_requests;
  if (channel.open_requests > limits::kRequestsInFlightMax) {
    token->Answer(absl::ResourceExhaustedError("too many calls in flight"));
    return;
  }
  handler_->OnSystemMessage(
      from, std::move(body),
      [token = std::move(token)](StatusOr<SystemBody> reply) { token->Answer(std::move(reply)); });
}

void NetworkImpl::OnSystemReply(Channel& channel, uint64_t request_id, StatusOr<SystemBody> reply) {
  if (auto done = calls_.Take(request_id, channel.id)) (*done)(std::move(reply));
}

}  // namespace quern::remoting
