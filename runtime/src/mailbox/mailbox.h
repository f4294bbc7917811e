// An unbounded intrusive queue, many producers and one consumer, whose head also says "empty and
// nobody is consuming": Dmitry Vyukov's MPSC queue with the tag bit of Pony's runtime
// (messageq.c). Push is one exchange and tells the producer whether it must schedule the actor;
// going idle is one compare-and-set. The last node consumed stays as the stub; the first stub is
// the word that points to it later.
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
  Mailbox() : head_(Word(&tail_)) {}
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // True: the mailbox was idle, and the caller now has to see that it is consumed.
  bool Push(MailboxNode* node) { return Push(node, node); }

  // The same for several that nobody may come between, linked from `first` to `last`.
  bool Push(MailboxNode* first, MailboxNode* last) {
    last->next.store(nullptr, std::memory_order_relaxed);
    const uintptr_t old = head_.exchange(Word(last), std::memory_order_acq_rel);
    // Until this store the consumer sees a gap and waits for it.
    Node(old & ~kIdle)->next.store(first, std::memory_order_release);
    return (old & kIdle) != 0;
  }

  // The next message and, in `*spent`, the node that it replaces as the stub, which is the caller's
  // to free; null there: it was the first one. Null: empty, or a producer is between its two
  // stores.
  MailboxNode* Pop(MailboxNode** spent) {
    MailboxNode* former = stub();
    MailboxNode* next = former->next.load(std::memory_order_acquire);
    if (next == nullptr) return nullptr;
    *spent = former != &tail_ ? former : nullptr;
    SetLater(next);
    return next;
  }

  // Undoes the last Pop for a node that leaves the queue alone: `spent` is the stub again and
  // `next` (not null) follows it.
  void PutBack(MailboxNode* spent, MailboxNode* next) {
    (spent != nullptr ? spent : &tail_)->next.store(next, std::memory_order_relaxed);
    if (spent != nullptr) SetLater(spent);
  }

  // Gives up the right to consume, if the mailbox is empty. After true, nothing of the owner may be
  // touched: another thread may be running it.
  bool TryIdle() {
    uintptr_t expected = Word(stub());
    return head_.compare_exchange_strong(expected, expected | kIdle, std::memory_order_acq_rel,
                                         std::memory_order_relaxed);
  }

  // A hint; exact only for the consumer when no producer is active.
  bool Empty() const { return First() == nullptr; }

  // Nobody has the right to consume: it is empty. Thread-safe.
  bool Idle() const { return (head_.load(std::memory_order_acquire) & kIdle) != 0; }

  // What waits, linked from here on. Of the consumer.
  MailboxNode* First() const { return stub()->next.load(std::memory_order_acquire); }

  // Null: still the first one. For the owner, to free it.
  MailboxNode* last_spent() const { return stub() != &tail_ ? stub() : nullptr; }

  // In front of First(). Of the consumer.
  MailboxNode* stub() const {
    const uintptr_t word = Word(tail_.next.load(std::memory_order_relaxed));
    if ((word & kLater) != 0) [[likely]] {
      return Node(word - kLater);
    }
    return &tail_;
  }

 private:
  static constexpr uintptr_t kIdle = 1;
  static constexpr uintptr_t kLater = 1;

  static uintptr_t Word(const MailboxNode* node) { return reinterpret_cast<uintptr_t>(node); }
  static MailboxNode* Node(uintptr_t word) { return reinterpret_cast<MailboxNode*>(word); }

  // The stub, once something has been consumed. Producers write only to a first stub that still is
  // one.
  void SetLater(MailboxNode* node) {
    tail_.next.store(Node(Word(node) + kLater), std::memory_order_relaxed);
  }

  mutable MailboxNode tail_;  // the first stub, later a tagged pointer to the stub
  std::atomic<uintptr_t> head_;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_MAILBOX_MAILBOX_H_
