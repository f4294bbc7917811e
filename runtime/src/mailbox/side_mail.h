// What few cells have beside their mailbox: messages put back in front of it, a stash, a mailbox of
// another kind, several turns. Made when first needed, a chosen mailbox before the cell is known to
// anybody.

#ifndef QUERN_RUNTIME_SRC_MAILBOX_SIDE_MAIL_H_
#define QUERN_RUNTIME_SRC_MAILBOX_SIDE_MAIL_H_

#include <cstddef>
#include <memory>
#include <utility>

#include "actor/reentry.h"
#include "mailbox/chosen_mailbox.h"
#include "mailbox/stash.h"
#include "quern/runtime/internal/envelope.h"

namespace quern::internal {

// Envelopes that no mailbox holds, through their own links. Owner only.
class EnvelopeList {
 public:
  bool empty() const { return first_ == nullptr; }

  void PushFront(Envelope* envelope) {
    if (first_ == nullptr) last_ = envelope;
    envelope->next.store(first_, std::memory_order_relaxed);
    first_ = envelope;
  }

  void PushBack(Envelope* envelope) {
    if (first_ == nullptr) return PushFront(envelope);
    envelope->next.store(nullptr, std::memory_order_relaxed);
    last_->next.store(envelope, std::memory_order_relaxed);
    last_ = envelope;
  }

  // While `f` returns true.
  template <typename F>
  void ForEach(F f) const {
    for (const MailboxNode* node = first_; node != nullptr;
         node = node->next.load(std::memory_order_relaxed)) {
      if (!f(*static_cast<const Envelope*>(node))) return;
    }
  }

  // Null: empty.
  Envelope* PopFront() {
    Envelope* envelope = first_;
    if (envelope == nullptr) return nullptr;
    first_ = static_cast<Envelope*>(envelope->next.load(std::memory_order_relaxed));
    return envelope;
  }

 private:
  Envelope* first_ = nullptr;
  Envelope* last_ = nullptr;  // when there is a first
};

struct SideMail {
  EnvelopeList front;                     // the cell's turn only
  std::unique_ptr<Stash> stash;           // constant, and its content the cell's turn only
  std::unique_ptr<ChosenMailbox> chosen;  // constant once the cell is known
  std::unique_ptr<Reentry> reentry;       // the same
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_MAILBOX_SIDE_MAIL_H_
