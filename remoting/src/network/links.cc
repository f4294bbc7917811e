#include <algorithm>
#include <utility>

#include "network/network_impl.h"

namespace quern::remoting {

Link* NetworkImpl::LinkFor(Inbox::Peer* peer) {
  if (peer->link != nullptr) return static_cast<Link*>(peer->link);
  links_.push_back(std::make_unique<Link>(peer));
  Link* link = links_.back().get();
  peer->link = link;
  if (closed_processes_.contains(peer->address.process_id)) {
    link->closed = true;
    inbox_->SetClosed(peer);
  }
  if (!IsZero(peer->address.process_id)) AttachLink(*link, peer->address.process_id);
  return link;
}

void NetworkImpl::AttachLink(Link& link, const ProcessId& process) {
  link.process = &processes_[process];
  link.process->links.push_back(&link);
}

// The process's one connection of that lane; the next younger when there is none. An older one than
// what was used before would be refused over there: order may have gaps but never goes back.
Channel* NetworkImpl::Route(Link& link, uint16_t lane) {
  if (link.process == nullptr) return nullptr;
  Process::Lane& state = link.process->lanes[lane];
  if (state.sending == nullptr) {
    for (Channel* channel : link.process->channels) {
      const uint64_t generation = channel->connection().generation();
      if (channel->connection().lane() != lane || generation <= state.sent_generation) continue;
      if (state.sending == nullptr || generation < state.sending->connection().generation()) {
        state.sending = channel;
      }
    }
    if (state.sending != nullptr) state.sent_generation = state.sending->connection().generation();
  }
  return state.sending;
}

void NetworkImpl::Flush(Link& link) {
  if (!link.user.empty()) FlushUser(link);
  if (!link.system.empty()) FlushSystem(link);
}

void NetworkImpl::FlushUser(Link& link) {
  Channel* channel = Route(link, kUserLane);
  if (channel == nullptr) return Dial(link, kUserLane);
  const Time now = clock_.Now();
  size_t messages = 0;
  size_t bytes = 0;
  std::vector<OutboundUser> emptied;
  while (!link.user.empty() && !channel->congested()) {
    OutboundUser& item = link.user.front();
    ++messages;
    bytes += item.bytes();
    SendUser(*channel, item, now);
    if (channel->connection().unflushed_bytes() >= limits::kBatchBytesSoft)
      channel->connection().Flush();
    std::vector<OutboundUser> done_with = link.user.Pop();
    if (done_with.capacity() > 0) emptied = std::move(done_with);
  }
  inbox_->Release(link.inbox, messages, bytes, std::move(emptied));
  channel->connection().Flush();
}

void NetworkImpl::SendUser(Channel& channel, OutboundUser& item, Time now) {
  const bool is_ask = item.request_id != 0;
  if (is_ask ? !requests_.Contains(item.request_id) : item.message.deadline <= now) return;
  if (FencedAt(now)) {
    counters_.user_messages_fenced.Add(1);
    return FailUser(item, absl::UnavailableError("this node lost its lease before it could send"));
  }
  const Status status = channel.connection().AddUser(item.request_id, &item.message, now);
  if (!status.ok()) return FailUser(item, status);
  counters_.user_messages_sent.Add(1);
  if (is_ask) requests_.MarkSent(item.request_id, channel.id);
}

void NetworkImpl::FlushSystem(Link& link) {
  Channel* channel = Route(link, kSystemLane);
  if (channel == nullptr) return Dial(link, kSystemLane);
  const Time now = clock_.Now();
  size_t messages = 0;
  size_t bytes = 0;
  while (!link.system.empty() && !channel->congested()) {
    OutboundSystem& item = link.system.front();
    ++messages;
    bytes += item.bytes();
    SendSystemItem(*channel, item, now);
    if (channel->connection().unflushed_bytes() >= limits::kBatchBytesSoft)
      channel->connection().Flush();
    link.system.Pop();
  }
  inbox_->Release(link.inbox, messages, bytes);
  channel->connection().Flush();
}

void NetworkImpl::SendSystemItem(Channel& channel, OutboundSystem& item, Time now) {
  const bool is_call = item.request_id != 0;
  if (is_call && !calls_.Contains(item.request_id)) return;
  const Status status =
      channel.connection().AddSystem(item.request_id, &item.body, item.deadline, now);
  if (!status.ok()) return FailSystem(item, status);
  if (is_call) calls_.MarkSent(item.request_id, channel.id);
}

void NetworkImpl::Dial(Link& link, uint16_t lane) {
  if (stopped_ || link.dialling[lane]) return;
  if (link.closed || link.peer.address.empty() || link.down) {
    const std::string why = link.closed ? "it was closed"
                            : link.down ? "it could not be reached"
                                        : "it dials only and has no connection here";
    FailQueued(link, lane, absl::UnavailableError("send to " + link.peer.address + ": " + why));
    return;
  }
  link.dialling[lane] = true;
  Channel& channel = NewChannel({.dialler = true,
                                 .lane = lane,
                                 .generation = ++last_generation_,
                                 .expected = link.peer.process_id},
                                &link);
  transport_.Connect(link.peer.address, options_.connect_timeout, &channel,
                     [this, id = channel.id,
                      weak = std::weak_ptr<int>(alive_)](StatusOr<std::unique_ptr<Stream>> stream) {
                       if (weak.lock()) OnDialled(id, std::move(stream));
                     });
}

void NetworkImpl::OnDialled(uint64_t channel_id, StatusOr<std::unique_ptr<Stream>> stream) {
  const auto found = channels_.find(channel_id);
  if (found == channels_.end()) return;  // closed meanwhile; the stream goes with the argument
  Channel& channel = *found->second;
  if (stream.ok()) return channel.Attach(*std::move(stream));
  Link& link = *std::exchange(channel.link, nullptr);
  const uint16_t lane = channel.connection().lane();
  channel.connection().Abandon();
  Retire(channel);
  OnDialFailed(link, lane, stream.status());
}

void NetworkImpl::OnDialFailed(Link& link, uint16_t lane, const Status& status) {
  link.dialling[lane] = false;
  ++link.failures;
  if (!stopped_ && !link.closed) {
    // Until the pause is over nothing is accepted for this peer: its senders learn at once.
    link.down = true;
    inbox_->SetDown(link.inbox, true);
    Pause(link);
  }
  FailQueued(
      link, lane,
      absl::UnavailableError("dial " + link.peer.address + ": " + std::string(status.message())));
}

// Before the next dial of a kept session, or of a peer that could not be reached. Doubles with the
// failures; half of it is chance, so that many nodes do not come back at once.
void NetworkImpl::Pause(Link& link) {
  if (stopped_ || link.closed || link.retry != 0) return;
  const int doublings = std::clamp(link.failures - 1, 0, 10);
  const Duration pause = std::min(limits::kRedialMin * (1 << doublings), limits::kRedialMax);
  const auto chance = Duration(random_->Below(static_cast<uint64_t>(pause.count() / 2)));
  link.retry = executor_.PostAfter(pause * 3 / 4 + chance, Guarded([this, &link] {
                                     link.retry = 0;
                                     EndDown(link);
                                     EnsureSession(link);
                                   }));
}

void NetworkImpl::EndDown(Link& link) {
  if (!std::exchange(link.down, false)) return;
  inbox_->SetDown(link.inbox, false);
}

void NetworkImpl::EndPause(Link& link) {
  link.failures = 0;
  if (link.retry != 0) executor_.Cancel(std::exchange(link.retry, 0));
  EndDown(link);
}

bool NetworkImpl::HasSession(const Link& link) const {
  return link.process != nullptr && link.process->sessions > 0;
}

void NetworkImpl::EnsureSession(Link& link) {
  if (link.keep_session && !link.closed && link.retry == 0 && !HasSession(link)) {
    Dial(link, kSystemLane);
  }
}

void NetworkImpl::FailQueued(Link& link, uint16_t lane, const Status& status) {
  size_t messages = 0;
  size_t bytes = 0;
  std::vector<OutboundUser> users;
  std::vector<OutboundSystem> systems;
  while (lane == kUserLane && !link.user.empty()) {
    bytes += link.user.front().bytes();
    ++messages;
    users.push_back(std::move(link.user.front()));
    link.user.Pop();
  }
  while (lane == kSystemLane && !link.system.empty()) {
    bytes += link.system.front().bytes();
    ++messages;
    systems.push_back(std::move(link.system.front()));
    link.system.Pop();
  }
  inbox_->Release(link.inbox, messages, bytes);
  for (OutboundUser& item : users) FailUser(item, status);
  for (OutboundSystem& item : systems) FailSystem(item, status);
}

void NetworkImpl::FailUser(OutboundUser& item, const Status& status) {
  if (item.request_id == 0) return;
  if (auto done = requests_.TakeUnsent(item.request_id)) (*done)(UserReply{.status = status});
}

void NetworkImpl::FailSystem(OutboundSystem& item, const Status& status) {
  if (item.request_id == 0) return;
  if (auto done = calls_.TakeUnsent(item.request_id)) (*done)(status);
}

}  // namespace quern::remoting
