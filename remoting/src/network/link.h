// What a Network knows about others: a Link is an address that something was sent to, with what
// waits to be written there; a Process is one that has shaken hands, with its connections.
//
// Several links may lead to one process (by address alone, by address and process id). All of them
// send on the process's one connection a lane, so that order holds whichever was used.
//
// Executor only.

#ifndef QUERN_REMOTING_SRC_NETWORK_LINK_H_
#define QUERN_REMOTING_SRC_NETWORK_LINK_H_

#include <array>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "connection/lane.h"
#include "network/channel.h"
#include "network/inbox.h"
#include "quern/remoting/network.h"

namespace quern::remoting {

// A queue of vectors as they were taken from the Inbox.
template <typename Item>
class Backlog {
 public:
  void Push(std::vector<Item> items) {
    if (!items.empty()) chunks_.push_back(std::move(items));
  }
  bool empty() const { return chunks_.empty(); }
  Item& front() { return chunks_.front()[at_]; }

  // Returns the emptied vector, for its capacity, when the item was the last of one.
  std::vector<Item> Pop() {
    if (++at_ < chunks_.front().size()) return {};
    std::vector<Item> emptied = std::move(chunks_.front());
    chunks_.pop_front();
    at_ = 0;
    emptied.clear();
    return emptied;
  }

 private:
  std::deque<std::vector<Item>> chunks_;
  size_t at_ = 0;
};

struct Process;

struct Link {
  explicit Link(Inbox::Peer* inbox_in) : inbox(inbox_in), peer(inbox_in->address) {}

  Inbox::Peer* const inbox;
  const PeerAddress peer;
  Process* process = nullptr;  // known from the start, or once a dial has told
  Backlog<OutboundUser> user;
  Backlog<OutboundSystem> system;
  std::array<bool, kLanes> dialling{};
  int failures = 0;             // dials in a row
  Executor::TimerId retry = 0;  // 0: no pause under way
  bool down = false;            // the pause follows a failed dial: nothing is queued
  bool keep_session = false;
  bool closed = false;
};

struct Process {
  struct Lane {
    Channel* sending = nullptr;        // where everything forward goes
    uint64_t sent_generation = 0;      // highest that anything forward was sent on
    uint64_t received_generation = 0;  // highest that anything forward was heard on
  };

  NodeIdentity identity;
  std::array<Lane, kLanes> lanes;
  std::vector<Channel*> channels;  // open ones
  std::vector<Link*> links;
  int sessions = 0;  // open system lanes
};

}  // namespace quern::remoting

#endif  // QUERN_REMOTING_SRC_NETWORK_LINK_H_
