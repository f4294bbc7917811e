#include "mailbox/mailbox_queues.h"

#include <iterator>
#include <utility>

namespace quern::internal {

QueuedMessage BoundedQueue::Enqueue(QueuedMessage message) {
  QueuedMessage without_room;
  if (messages_.size() >= capacity_) {
    if (when_full_ == WhenFull::kReject) return message;
    if (when_full_ == WhenFull::kDropOldest) {
      without_room = std::move(messages_.front());
      messages_.pop_front();
    } else {
      without_room = std::move(messages_.back());
      messages_.pop_back();
    }
  }
  messages_.push_back(std::move(message));
  return without_room;
}

QueuedMessage BoundedQueue::Dequeue() {
  if (messages_.empty()) return {};
  QueuedMessage next = std::move(messages_.front());
  messages_.pop_front();
  return next;
}

QueuedMessage PriorityQueue::Enqueue(QueuedMessage message) {
  const bool full = capacity_ != 0 && messages_.size() >= capacity_;
  if (full && when_full_ == WhenFull::kReject) return message;
  const int priority = message.priority();
  messages_.insert(Entry{priority, ++arrivals_, std::move(message)});
  if (!full) return {};
  auto last = std::prev(messages_.end());
  QueuedMessage without_room = std::move(last->message);
  messages_.erase(last);
  return without_room;
}

QueuedMessage PriorityQueue::Dequeue() {
  if (messages_.empty()) return {};
  QueuedMessage next = std::move(messages_.begin()->message);
  messages_.erase(messages_.begin());
  return next;
}

QueuedMessage FairQueue::Enqueue(QueuedMessage message) {
  if (capacity_ != 0 && size_ >= capacity_) return message;
  uint64_t sender = message.sender_id();
  auto line = lines_.find(sender);
  if (line == lines_.end()) {
    if (lines_.size() >= kFairSendersMax) sender = kOthers;
    bool fresh = false;
    std::tie(line, fresh) = lines_.try_emplace(sender);
    if (fresh) turns_.push_back(sender);
  }
  line->second.push_back(std::move(message));
  ++size_;
  return {};
}

QueuedMessage FairQueue::Dequeue() {
  if (turns_.empty()) return {};
  const uint64_t sender = turns_.front();
  turns_.pop_front();
  auto line = lines_.find(sender);
  QueuedMessage next = std::move(line->second.front());
  line->second.pop_front();
  --size_;
  if (line->second.empty()) {
    lines_.erase(line);
  } else {
    turns_.push_back(sender);
  }
  return next;
}

}  // namespace quern::internal
