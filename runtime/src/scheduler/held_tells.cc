#include "scheduler/held_tells.h"

#include <utility>

#include "mailbox/envelope_extra.h"
#include "scheduler/worker.h"

namespace quern::internal {

inline void HeldTells::NoteHeld(Envelope* envelope) {
  Envelope*& slot = recent_[held_ & (kAhead - 1)];
  if (held_ >= kAhead) SetNamed(*slot, *envelope);
  slot = envelope;
  ++held_;
}

Delivery HeldTells::TellOther(Cell* to, Envelope* envelope) {
  Push();
  to_ = to;
  told_ = 1;
  return to->Post(envelope);
}

Delivery HeldTells::TellAgain(Cell* to, Envelope* envelope) {
  // Once a chain: what it looks at is being written by whoever consumes the chain before.
  if (target_.load(std::memory_order_acquire) == nullptr && !to->TakesChains()) {
    return to->Post(envelope);
  }
  {
    BiasedLockHolder lock(lock_);
    if (target_.load(std::memory_order_relaxed) == nullptr) {
      to->AddRef();
      target_.store(to, std::memory_order_relaxed);
      first_ = envelope;
      held_ = 0;
    } else {
      last_->next.store(envelope, std::memory_order_relaxed);
    }
    last_ = envelope;
    NoteHeld(envelope);
  }
  if (held_ >= kHeldMax) {
    Push();
    // Its handler may go on like this for long, and whom it tells waits behind it.
    if (Worker* worker = Worker::Current(); worker != nullptr) worker->PassOnCell();
  }
  return Delivery::kAccepted;
}

void HeldTells::Push() {
  CellPtr<Cell> target;
  MailboxNode* first = nullptr;
  MailboxNode* last = nullptr;
  {
    BiasedLockHolder lock(lock_);
    target = CellPtr<Cell>::Adopt(target_.exchange(nullptr, std::memory_order_relaxed));
    first = std::exchange(first_, nullptr);
    last = std::exchange(last_, nullptr);
  }
  if (target) target->PostChain(first, last);
}

bool HeldTells::PushForOwner() {
  if (target_.load(std::memory_order_relaxed) == nullptr || !lock_.TryLockOther()) return false;
  Cell* target = target_.load(std::memory_order_relaxed);
  if (target != nullptr) {
    target->PostChain(std::exchange(first_, nullptr), std::exchange(last_, nullptr));
    // Only now, or what the owner tells meanwhile overtakes: who sees nothing held takes no lock.
    target_.store(nullptr, std::memory_order_release);
  }
  lock_.UnlockOther();
  if (target != nullptr) target->Release();
  return target != nullptr;
}

}  // namespace quern::internal
