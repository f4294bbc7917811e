#include "scheduler/held_tells.h"

#include <utility>

#include "actor/mailbox_cell.h"

namespace quern::internal {

Delivery HeldTells::TellAgain(Cell* to, Envelope* envelope) {
  MailboxCell* mailbox = to->chained_mailbox();
  if (mailbox == nullptr) {
    if (target_.load(std::memory_order_relaxed) != nullptr) Push();
    return to->Post(envelope);
  }
  {
    BiasedLockHolder lock(lock_);
    if (target_.load(std::memory_order_relaxed) == nullptr) {
      mailbox->AddRef();
      target_.store(mailbox, std::memory_order_relaxed);
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
  return {CellPtr<MailboxCell>::Adopt(target_.exchange(nullptr, std::memory_order_relaxed)),
          std::exchange(first_, nullptr), std::exchange(last_, nullptr)};
}

void HeldTells::Push() {
  Chain chain;
  {
    BiasedLockHolder lock(lock_);
    chain = TakeLocked();
  }
  if (chain.mailbox) chain.mailbox->PostChain(chain.first, chain.last);
}

bool HeldTells::PushForOwner() {
  if (target_.load(std::memory_order_relaxed) == nullptr || !lock_.TryLockOther()) return false;
  // Inside the lock: what the owner tells meanwhile must not overtake.
  const Chain chain = TakeLocked();
  if (chain.mailbox) chain.mailbox->PostChain(chain.first, chain.last);
  lock_.UnlockOther();
  return chain.first != nullptr;
}

}  // namespace quern::internal
