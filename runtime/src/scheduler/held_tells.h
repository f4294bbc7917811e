// What a running handler tells one actor again and again. The first kToldAtOnce messages go out at
// once; what follows is held and pushed as one chain: when kHeldMax are together, when the handler
// tells or asks another, suspends or ends. A chain is one exchange of the mailbox's contended word
// for all of its messages.
//
// A handler that does not come back does not keep them: a worker that looks after the
// others pushes what it finds here (Worker::Rescue).

#ifndef QUERN_RUNTIME_SRC_SCHEDULER_HELD_TELLS_H_
#define QUERN_RUNTIME_SRC_SCHEDULER_HELD_TELLS_H_

#include <atomic>
#include <cstdint>

#include "quern/runtime/internal/cell.h"
#include "quern/runtime/internal/envelope.h"
#include "scheduler/biased_lock.h"

namespace quern::internal {

class HeldTells {
 public:
  // From inside a turn of the worker that owns this.
  Delivery Tell(Cell* to, Envelope* envelope) {
    if (to != to_) {
      if (target_.load(std::memory_order_acquire) != nullptr) [[unlikely]] {
        return TellOther(to, envelope);
      }
      to_ = to;
      told_ = 0;
    }
    if (told_ == kToldAtOnce) return TellAgain(to, envelope);
    ++told_;
    return to->Post(envelope);
  }

  // Before anything that is not told to the same actor. Owner only.
  void End() {
    to_ = nullptr;
    Flush();
  }

  // Pushes what is held. Owner only.
  void Flush() {
    if (target_.load(std::memory_order_acquire) != nullptr) [[unlikely]] {
      Push();
    }
  }

  // By another worker: pushes what is held. True if there was any.
  bool PushForOwner();

 private:
  static constexpr int kToldAtOnce = 4;
  static constexpr int kHeldMax = 64;
  // A message names the one so far behind it. Who consumes them, on another core perhaps, then asks
  // for that one's memory in time; from message to message it would wait for each.
  static constexpr int kAhead = 4;  // a power of two

  void NoteHeld(Envelope* envelope);
  Delivery TellOther(Cell* to, Envelope* envelope);
  Delivery TellAgain(Cell* to, Envelope* envelope);
  void Push();

  const Cell* to_ = nullptr;  // told last; to compare alone
  int told_ = 0;
  int held_ = 0;
  BiasedLock lock_;                     // of what follows: the owner's
  std::atomic<Cell*> target_{nullptr};  // counted; null: all that was told has been pushed
  MailboxNode* first_ = nullptr;
  MailboxNode* last_ = nullptr;
  Envelope* recent_[kAhead] = {};  // of what is held, by number
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SCHEDULER_HELD_TELLS_H_
