// An unbounded intrusive queue, many producers and one consumer, whose head also says "empty and
// nobody is consuming": Dmitry Vyukov's MPSC queue with the tag bit of Pony's runtime
// (messageq.c). Push is one exchange and tells the producer whether it must schedule the actor;
// going idle is one compare-and-set. The last node consumed stays as the stub.
//
// FIFO per producer. Push is thread-safe; the rest belongs to whoever holds the right to consume:
// the creator, and after a successful TryIdle() the producer whose Push() returned true.

#ifndef QUERN_RUNTIME_SRC_MAILBOX_MAILBOX_H_
#define QUERN_RUNTIME_SRC_MAILBOX_MAILBOX_H_

#include <atomic>
#include <cstdint>

#include "quern/runtime/internal/envelope.h"

namespace quern::internal {

class Mailbox {
 public:
  // Not idle: whoever made it consumes first.
  explicit Mailbox(MailboxNode* stub) : tail_(stub), head_(reinterpret_cast<uintptr_t>(stub)) {}

  // True: the mailbox was idle, and the caller now has to see that it is consumed.
  bool Push(MailboxNode* node) { return Push(node, node); }

  // The same for several that nobody may come between, linked from `first` to `last`.
  bool Push(MailboxNode* first, MailboxNode* last) {
    last->next.store(nullptr, std::memory_order_relaxed);
    const uintptr_t old =
        head_.exchange(reinterpret_cast<uintptr_t>(last), std::memory_order_acq_rel);
    // Until this store the consumer sees a gap and waits for it.
    reinterpret_cast<MailboxNode*>(old & ~kIdle)->next.store(first, std::memory_order_release);
    return (old & kIdle) != 0;
  }

  // The next message and, in `*spent`, the node that it replaces as the stub: the caller frees that
  // one (unless it is the first stub). Null: empty, or a producer is between its two stores.
  MailboxNode* Pop(MailboxNode** spent) {
    MailboxNode* next = tail_->next.load(std::memory_order_acquire);
    if (next == nullptr) return nullptr;
    *spent = tail_;
    tail_ = next;
    return next;
  }

  // Undoes the last Pop for a node that leaves the queue alone: `spent` is the stub again and
  // `next` (not null) follows it.
  void PutBack(MailboxNode* spent, MailboxNode* next) {
    spent->next.store(next, std::memory_order_relaxed);
    tail_ = spent;
  }

  // Gives up the right to consume, if the mailbox is empty. After true, nothing of the owner may be
  // touched: another thread may be running it.
  bool TryIdle() {
    uintptr_t expected = reinterpret_cast<uintptr_t>(tail_);
    return head_.compare_exchange_strong(expected, expected | kIdle, std::memory_order_acq_rel,
                                         std::memory_order_relaxed);
  }

  // A hint; exact only for the consumer when no producer is active.
  bool Empty() const { return tail_->next.load(std::memory_order_acquire) == nullptr; }

  // Nobody has the right to consume: it is empty. Thread-safe.
  bool Idle() const { return (head_.load(std::memory_order_acquire) & kIdle) != 0; }

  MailboxNode* stub() const { return tail_; }

 private:
  static constexpr uintptr_t kIdle = 1;

  MailboxNode* tail_;
  std::atomic<uintptr_t> head_;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_MAILBOX_MAILBOX_H_
