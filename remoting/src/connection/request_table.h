// The asks that wait for an answer: from the moment they are taken over until a reply, a deadline
// or the end of their connection, whichever comes first; each ends exactly once.
//
//   RequestTable<UserReply> table;
//   uint64_t id = table.Add(deadline, done);
//   if (table.MarkSent(id, connection)) ..   // false: it ended while it was queued
//   if (auto done = table.Take(id, connection)) (*done)(reply);
//   for (auto& ended : table.TakeExpired(now)) ..
//
// Sans-I/O; belongs to one owner. It calls nothing: what ended is handed back, so that a callback
// may use the table again.

#ifndef QUERN_REMOTING_SRC_CONNECTION_REQUEST_TABLE_H_
#define QUERN_REMOTING_SRC_CONNECTION_REQUEST_TABLE_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "quern/remoting/limits.h"
#include "quern/runtime/clock.h"

namespace quern::remoting {

template <typename Reply>
class RequestTable {
 public:
  using Done = std::function<void(Reply)>;

  struct Ended {
    Done done;
    bool sent;  // false: surely not sent
  };

  uint64_t Add(Time deadline, Done done) {
    const uint64_t id = ++last_id_;
    requests_.emplace(id, Request{std::move(done), deadline, 0});
    if (deadline != kNever) {
      deadlines_.push_back({deadline, id});
      std::push_heap(deadlines_.begin(), deadlines_.end(), Later);
      DropStale();
    }
    return id;
  }

  bool MarkSent(uint64_t id, uint64_t connection) {
    const auto found = requests_.find(id);
    if (found == requests_.end()) return false;
    found->second.connection = connection;
    return true;
  }

  bool Contains(uint64_t id) const { return requests_.contains(id); }

  // A reply counts only on the connection that carried the request.
  std::optional<Done> Take(uint64_t id, uint64_t connection) {
    const auto found = requests_.find(id);
    if (found == requests_.end() || found->second.connection != connection) return std::nullopt;
    Done done = std::move(found->second.done);
    requests_.erase(found);
    return done;
  }

  // One that was not sent.
  std::optional<Done> TakeUnsent(uint64_t id) { return Take(id, 0); }

  std::vector<Ended> TakeExpired(Time now) {
    std::vector<Ended> ended;
    while (!deadlines_.empty() && deadlines_.front().at <= now) {
      const uint64_t id = deadlines_.front().id;
      std::pop_heap(deadlines_.begin(), deadlines_.end(), Later);
      deadlines_.pop_back();
      const auto found = requests_.find(id);
      if (found == requests_.end()) continue;
      ended.push_back({std::move(found->second.done), found->second.connection != 0});
      requests_.erase(found);
    }
    return ended;
  }

  std::vector<Ended> TakeConnection(uint64_t connection) {
    return TakeIf(
        [connection](const Request& request) { return request.connection == connection; });
  }

  std::vector<Ended> TakeAll() {
    return TakeIf([](const Request&) { return true; });
  }

  // When TakeExpired may next have something; kNever for never.
  Time next_deadline() const { return deadlines_.empty() ? kNever : deadlines_.front().at; }

  size_t size() const { return requests_.size(); }
  size_t deadlines() const { return deadlines_.size(); }

 private:
  struct Request {
    Done done;
    Time deadline;
    uint64_t connection;  // 0: not sent
  };
  struct Deadline {
    Time at;
    uint64_t id;
  };

  static bool Later(const Deadline& a, const Deadline& b) {
    return a.at != b.at ? a.at > b.at : a.id > b.id;
  }

  // By order of asking, so that what is told to callers does not depend on a hash.
  template <typename Predicate>
  std::vector<Ended> TakeIf(Predicate predicate) {
    std::vector<std::pair<uint64_t, Ended>> found;
    for (auto it = requests_.begin(); it != requests_.end();) {
      if (!predicate(it->second)) {
        ++it;
        continue;
      }
      found.push_back({it->first, {std::move(it->second.done), it->second.connection != 0}});
      requests_.erase(it++);
    }
    std::ranges::sort(found, {}, [](const auto& entry) { return entry.first; });
    std::vector<Ended> ended;
    for (auto& [id, end] : found) ended.push_back(std::move(end));
    return ended;
  }

  // Answered requests leave their deadlines behind; the heap stays within twice what is alive.
  void DropStale() {
    if (deadlines_.size() < 2 * requests_.size() + kStaleDeadlinesKept) return;
    std::erase_if(deadlines_, [this](const Deadline& d) { return !requests_.contains(d.id); });
    std::make_heap(deadlines_.begin(), deadlines_.end(), Later);
  }

  static constexpr size_t kStaleDeadlinesKept = 1024;

  uint64_t last_id_ = 0;
  absl::flat_hash_map<uint64_t, Request> requests_;
  std::vector<Deadline> deadlines_;  // a heap, the earliest first
};

}  // namespace quern::remoting

#endif  // QUERN_REMOTING_SRC_CONNECTION_REQUEST_TABLE_H_
