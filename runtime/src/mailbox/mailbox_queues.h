// The kinds of mailbox that come with the runtime, as MailboxQueues: called one at a time, under
// the lock of their ChosenMailbox.

#ifndef QUERN_RUNTIME_SRC_MAILBOX_MAILBOX_QUEUES_H_
#define QUERN_RUNTIME_SRC_MAILBOX_MAILBOX_QUEUES_H_

#include <cstdint>
#include <deque>
#include <set>
#include <unordered_map>

#include "quern/runtime/limits.h"
#include "quern/runtime/mailbox.h"

namespace quern::internal {

class BoundedQueue final : public MailboxQueue {
 public:
  BoundedQueue(size_t capacity, WhenFull when_full) : capacity_(capacity), when_full_(when_full) {}

  QueuedMessage Enqueue(QueuedMessage message) override;
  QueuedMessage Dequeue() override;
  size_t size() const override { return messages_.size(); }

 private:
  const size_t capacity_;
  const WhenFull when_full_;
  std::deque<QueuedMessage> messages_;
};

class PriorityQueue final : public MailboxQueue {
 public:
  PriorityQueue(size_t capacity, WhenFull when_full) : capacity_(capacity), when_full_(when_full) {}

  QueuedMessage Enqueue(QueuedMessage message) override;
  QueuedMessage Dequeue() override;
  size_t size() const override { return messages_.size(); }

 private:
  struct Entry {
    int priority;
    uint64_t arrival;
    mutable QueuedMessage message;  // not part of the order: taken out before the entry goes
    bool operator<(const Entry& other) const {
      return priority != other.priority ? priority > other.priority : arrival < other.arrival;
    }
  };

  const size_t capacity_;  // 0: none
  const WhenFull when_full_;
  uint64_t arrivals_ = 0;
  std::set<Entry> messages_;  // the next to run first
};

class FairQueue final : public MailboxQueue {
 public:
  explicit FairQueue(size_t capacity) : capacity_(capacity) {}

  QueuedMessage Enqueue(QueuedMessage message) override;
  QueuedMessage Dequeue() override;
  size_t size() const override { return size_; }

 private:
  // Of senders beyond kFairSendersMax; ids are counted up from 1 and do not get there.
  static constexpr uint64_t kOthers = UINT64_MAX;

  const size_t capacity_;  // 0: none
  size_t size_ = 0;
  std::unordered_map<uint64_t, std::deque<QueuedMessage>> lines_;  // none is empty
  std::deque<uint64_t> turns_;  // the senders with a line, who is next first
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_MAILBOX_MAILBOX_QUEUES_H_
