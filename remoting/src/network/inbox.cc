#include "network/inbox.h"

#include <cstring>
#include <string_view>
#include <utility>

#include "quern/remoting/limits.h"

namespace quern::remoting {
size_t OutboundUser::bytes() const {
  return sizeof(*this) + message.body.size() + message.grain.key.size() + message.actor_path.size();
}

size_t OutboundSystem::bytes() const { return sizeof(*this) + body.bytes.size(); }

size_t PeerAddressHash::operator()(const PeerAddress& peer) const {
  uint64_t half = 0;
  std::memcpy(&half, peer.process_id.data(), sizeof half);
  return std::hash<std::string_view>()(peer.address) ^ half;
}

Inbox::Peer* Inbox::FindLocked(const PeerAddress& peer) {
  if (const auto found = peers_.find(peer); found != peers_.end()) return found->second.get();
  if (peers_.size() >= limits::kPeersMax) return nullptr;
  return peers_.emplace(peer, std::make_unique<Peer>(peer)).first->second.get();
}

Inbox::Peer* Inbox::Find(const PeerAddress& peer) {
  absl::MutexLock lock(&mutex_);
  return FindLocked(peer);
}

template <typename Item>
Inbox::Push Inbox::PushItem(const PeerAddress& peer, Item& item, std::vector<Item> Peer::* queue) {
  const size_t bytes = item.bytes();
  absl::MutexLock lock(&mutex_);
  if (closed_) return Push::kClosed;
  Peer* entry = FindLocked(peer);
  if (entry == nullptr) return Push::kFull;
  if (entry->closed) return Push::kClosed;
  if (entry->down) return Push::kDown;
  if (entry->queued_messages >= limits::kQueuedMessagesMax ||
      entry->queued_bytes + bytes > limits::kQueuedBytesMax) {
    return Push::kFull;
  }
  ++entry->queued_messages;
  entry->queued_bytes += bytes;
  (entry->*queue).push_back(std::move(item));
  if (!std::exchange(entry->dirty, true)) dirty_.push_back(entry);
  Wake();
  return Push::kAccepted;
}

Inbox::Push Inbox::PushUser(const PeerAddress& peer, OutboundUser& item) {
  return PushItem(peer, item, &Peer::user);
}

Inbox::Push Inbox::PushSystem(const PeerAddress& peer, OutboundSystem& item) {
  return PushItem(peer, item, &Peer::system);
}

void Inbox::Reply(OutboundReply reply) {
  absl::MutexLock lock(&mutex_);
  if (closed_) return;
  replies_.push_back(std::move(reply));
  Wake();
}

void Inbox::ReplySystem(OutboundSystemReply reply) {
  absl::MutexLock lock(&mutex_);
  if (closed_) return;
  system_replies_.push_back(std::move(reply));
  Wake();
}

// Posts while it holds the lock: after Close has taken it once, the executor is never touched
// again.
void Inbox::Wake() {
  if (std::exchange(woken_, true)) return;
  executor_.Post([self = shared_from_this()] {
    if (self->drain_) self->drain_();
  });
}

void Inbox::Close() {
  drain_ = nullptr;
  absl::MutexLock lock(&mutex_);
  closed_ = true;
}

Inbox::Taken Inbox::Take() {
  Taken taken;
  absl::MutexLock lock(&mutex_);
  woken_ = false;
  taken.replies.swap(replies_);
  taken.system_replies.swap(system_replies_);
  taken.peers.reserve(dirty_.size());
  for (Peer* peer : dirty_) {
    peer->dirty = false;
    taken.peers.push_back({peer, std::exchange(peer->user, {}), std::exchange(peer->system, {})});
  }
  dirty_.clear();
  return taken;
}

void Inbox::Release(Peer* peer, size_t messages, size_t bytes, std::vector<OutboundUser> emptied) {
  absl::MutexLock lock(&mutex_);
  peer->queued_messages -= messages;
  peer->queued_bytes -= bytes;
  if (peer->user.capacity() < emptied.capacity() && peer->user.empty()) {
    peer->user = std::move(emptied);
  }
}

void Inbox::SetDown(Peer* peer, bool down) {
  absl::MutexLock lock(&mutex_);
  peer->down = down;
}

void Inbox::SetClosed(Peer* peer) {
  absl::MutexLock lock(&mutex_);
  peer->closed = true;
}

}  // namespace quern::remoting
