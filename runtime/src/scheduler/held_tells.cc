#include "scheduler/held_tells.h"

#include <utility>

namespace quern::internal {

Delivery HeldTells::TellAgain(Cell* to, Envelope* envelope) {
  if (!to->TakesChains()) {
    if (target_.load(std::memory_order_relaxed) != nullptr) Push();
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

HeldTells::Chain HeldTells::TakeLocked() {
  return {CellPtr<Cell>::Adopt(target_.exchange(nullptr, std::memory_order_relaxed)),
          std::exchange(first_, nullptr), std::exchange(last_, nullptr)};
}

void HeldTells::Push() {
  Chain chain;
  {
    BiasedLockHolder lock(lock_);
    chain = TakeLocked();
  }
  if (chain.target) chain.target->PostChain(chain.first, chain.last);
}

bool HeldTells::PushForOwner() {
  if (target_.load(std::memory_order_relaxed) == nullptr || !lock_.TryLockOther()) return false;
  // Inside the lock: what the owner tells meanwhile must not overtake.
  const Chain chain = TakeLocked();
  if (chain.target) chain.target->PostChain(chain.first, chain.last);
  lock_.UnlockOther();
  return chain.first != nullptr;
}

}  // namespace quern::internal
