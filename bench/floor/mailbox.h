// The two multi-producer single-consumer mailboxes of the bare loop: the cheapest that are known to
// be right. Both say to the sender whether it has to schedule the receiver.
//
//   if (mailbox.Push(message)) Schedule(actor);           // any thread
//   while (Message* m = mailbox.Pop(&spent)) {            // its owner, one thread at a time
//     const int64_t value = m->value;                     // before `spent`, if any, is freed
//   }
//   if (mailbox.GoIdle()) return;                         // false: something came meanwhile

#ifndef QUERN_BENCH_FLOOR_MAILBOX_H_
#define QUERN_BENCH_FLOOR_MAILBOX_H_

#include <atomic>
#include <cstdint>

namespace quern::bench {

inline constexpr int kLine = 128;  // two cache lines: neighbours are fetched together

struct alignas(64) Message {
  std::atomic<Message*> next{nullptr};
  int64_t value = 0;
};

// Dmitry Vyukov's intrusive queue.
class VyukovQueue {
 public:
  VyukovQueue() : head_(&stub_), tail_(&stub_) {}

  void Push(Message* message) {
    message->next.store(nullptr, std::memory_order_relaxed);
    Message* previous = head_.exchange(message, std::memory_order_acq_rel);
    previous->next.store(message, std::memory_order_release);
  }

  // Null: empty, or a push is half done.
  Message* Pop() {
    Message* tail = tail_;
    Message* next = tail->next.load(std::memory_order_acquire);
    if (tail == &stub_) {
      if (next == nullptr) return nullptr;
      tail_ = tail = next;
      next = tail->next.load(std::memory_order_acquire);
    }
    if (next == nullptr) {
      if (head_.load(std::memory_order_acquire) != tail) return nullptr;
      Push(&stub_);
      next = tail->next.load(std::memory_order_acquire);
      if (next == nullptr) return nullptr;
    }
    tail_ = next;
    return tail;
  }

  bool empty() const { return tail_ == &stub_ && head_.load(std::memory_order_seq_cst) == &stub_; }

 private:
  alignas(kLine) std::atomic<Message*> head_;
  alignas(kLine) Message* tail_;
  Message stub_;
};

// That queue, and a word that says whether its owner is scheduled.
class FlaggedMailbox {
 public:
  bool Push(Message* message) {
    queue_.Push(message);
    return !scheduled_.exchange(true, std::memory_order_seq_cst);
  }
  Message* Pop(Message** spent) { return *spent = queue_.Pop(); }
  bool GoIdle() {
    scheduled_.store(false, std::memory_order_seq_cst);
    return queue_.empty() || scheduled_.exchange(true, std::memory_order_seq_cst);
  }

 private:
  VyukovQueue queue_;
  std::atomic<bool> scheduled_{false};
};

// Pony's: bit 0 of the head means "empty and idle", so that a push is one exchange. The message
// that was taken last stays linked as the queue's end; the one before it is spent.
class TaggedMailbox {
 public:
  TaggedMailbox() : head_(Tagged(&stub_)), tail_(&stub_) {}

  bool Push(Message* message) {
    message->next.store(nullptr, std::memory_order_relaxed);
    const uintptr_t previous =
        head_.exchange(reinterpret_cast<uintptr_t>(message), std::memory_order_acq_rel);
    auto* end = reinterpret_cast<Message*>(previous & ~uintptr_t{1});
    end->next.store(message, std::memory_order_release);
    return (previous & 1) != 0;
  }

  Message* Pop(Message** spent) {
    Message* end = tail_;
    Message* next = end->next.load(std::memory_order_acquire);
    if (next == nullptr) return nullptr;
    tail_ = next;
    *spent = end == &stub_ ? nullptr : end;
    return next;
  }

  bool GoIdle() {
    auto expected = reinterpret_cast<uintptr_t>(tail_);
    return head_.compare_exchange_strong(expected, Tagged(tail_), std::memory_order_acq_rel);
  }

 private:
  static uintptr_t Tagged(Message* message) { return reinterpret_cast<uintptr_t>(message) | 1; }

  alignas(kLine) std::atomic<uintptr_t> head_;
  alignas(kLine) Message* tail_;
  Message stub_;
};

}  // namespace quern::bench

#endif  // QUERN_BENCH_FLOOR_MAILBOX_H_
