// Messages that an actor has put aside for later, in order of arrival. Holds detached envelopes, an
// ask among them unanswered with its deadline running. Owner only: the actor's turn.

#ifndef QUERN_RUNTIME_SRC_MAILBOX_STASH_H_
#define QUERN_RUNTIME_SRC_MAILBOX_STASH_H_

#include <cstddef>
#include <deque>

#include "quern/runtime/internal/envelope.h"

namespace quern::internal {

class Stash {
 public:
  explicit Stash(size_t capacity) : capacity_(capacity) {}
  Stash(const Stash&) = delete;
  Stash& operator=(const Stash&) = delete;

  bool full() const { return kept_.size() >= capacity_; }
  size_t size() const { return kept_.size(); }

  void Keep(Envelope* envelope) { kept_.push_back(envelope); }

  // The oldest; null when it is empty.
  Envelope* Take() {
    if (kept_.empty()) return nullptr;
    Envelope* envelope = kept_.front();
    kept_.pop_front();
    return envelope;
  }

 private:
  const size_t capacity_;
  std::deque<Envelope*> kept_;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_MAILBOX_STASH_H_
