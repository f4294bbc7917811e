#include "scheduler/held_tells.h"

#include <utility>

namespace quern::internal {

Delivery HeldTells::TellAgain(Cell* to, Envelope* envelope) {
  if (!to->TakesChains()) {
    if (target_.load(std::memory_order_acquire) != nullptr) Push();
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
    ++held_;
  }
  if (held_ >= kHeldMax) Push();
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
