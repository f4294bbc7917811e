// Where other threads hand work to a Network: queues a peer, bounded, with one wake-up of the
// executor for whatever piles up.
//
//   any thread:  inbox->PushUser(peer, std::move(item))    // kAccepted, kFull, kDown, kClosed
//   executor:    for (auto& batch : inbox->Take().peers) ..; inbox->Release(peer, messages, bytes);
//
// Push*, Reply* and Close are thread-safe; the rest belongs to the executor. Shared, because a
// reply function may outlive its Network: after Close it does nothing.

#ifndef QUERN_REMOTING_SRC_NETWORK_INBOX_H_
#define QUERN_REMOTING_SRC_NETWORK_INBOX_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "quern/remoting/network.h"

namespace quern::remoting {

struct OutboundUser {
  UserMessage message{};
  std::function<void(UserReply)> done{};  // empty: a tell
  uint64_t request_id = 0;                // given by the executor

  size_t bytes() const;
};

struct OutboundSystem {
  SystemBody body{};
  Time deadline = kNever;
  std::function<void(StatusOr<SystemBody>)> done{};  // empty: one way
  uint64_t request_id = 0;

  size_t bytes() const;
};

// An answer, to the connection that brought the question.
struct OutboundReply {
  uint64_t channel = 0;
  uint64_t request_id = 0;
  UserReply reply;
};

struct OutboundSystemReply {
  uint64_t channel = 0;
  uint64_t request_id = 0;
  StatusOr<SystemBody> reply;
};

struct PeerAddressHash {
  size_t operator()(const PeerAddress& peer) const;
};

class Inbox : public std::enable_shared_from_this<Inbox> {
 public:
  enum class Push { kAccepted, kFull, kDown, kClosed };

  // What lies here for one peer. Pointers to it stay valid as long as the Inbox.
  struct Peer {
    explicit Peer(PeerAddress address_in) : address(std::move(address_in)) {}
    const PeerAddress address;
    std::vector<OutboundUser> user;
    std::vector<OutboundSystem> system;
    size_t queued_messages = 0;  // accepted and not yet written
    size_t queued_bytes = 0;
    bool dirty = false;    // in dirty_
    bool down = false;     // a dial failed and its pause is not over
    bool closed = false;   // by ClosePeer
    void* link = nullptr;  // the executor's
  };

  struct Taken {
    struct PerPeer {
      Peer* peer;
      std::vector<OutboundUser> user;
      std::vector<OutboundSystem> system;
    };
    std::vector<PerPeer> peers;
    std::vector<OutboundReply> replies;
    std::vector<OutboundSystemReply> system_replies;
  };

  // `drain` runs on `executor` after a push, once for all that came since the last Take.
  Inbox(Executor& executor, std::function<void()> drain)
      : executor_(executor), drain_(std::move(drain)) {}

  // On anything but kAccepted the item is untouched.
  Push PushUser(const PeerAddress& peer, OutboundUser& item);
  Push PushSystem(const PeerAddress& peer, OutboundSystem& item);
  void Reply(OutboundReply reply);
  void ReplySystem(OutboundSystemReply reply);

  // From now on everything is refused and nothing is posted. Executor only.
  void Close();

  // Executor only, as are all below.
  Taken Take();

  // Finds or makes the entry; nullptr when limits::kPeersMax is reached.
  Peer* Find(const PeerAddress& peer);

  // Gives back what was accepted from the peer's bounds, and an emptied vector for its capacity.
  void Release(Peer* peer, size_t messages, size_t bytes, std::vector<OutboundUser> emptied = {});

  void SetDown(Peer* peer, bool down);
  void SetClosed(Peer* peer);

 private:
  template <typename Item>
  Push PushItem(const PeerAddress& peer, Item& item, std::vector<Item> Peer::* queue);
  Peer* FindLocked(const PeerAddress& peer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Wake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Executor& executor_;
  std::function<void()> drain_;  // executor only

  absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  std::unordered_map<PeerAddress, std::unique_ptr<Peer>, PeerAddressHash> peers_
      ABSL_GUARDED_BY(mutex_);
  std::vector<Peer*> dirty_ ABSL_GUARDED_BY(mutex_);
  std::vector<OutboundReply> replies_ ABSL_GUARDED_BY(mutex_);
  std::vector<OutboundSystemReply> system_replies_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quern::remoting

#endif  // QUERN_REMOTING_SRC_NETWORK_INBOX_H_
