#include "quern/runtime/deferred.h"

#include "actor/dead_letters.h"
#include "actor/mailbox_cell.h"
#include "actor/turn.h"
#include "mailbox/envelope_extra.h"
#include "quern/runtime/context.h"
#include "system/system_core.h"

namespace quern::internal {

DeferredReply::DeferredReply(Envelope* envelope, Context& context) {
  if (!envelope->is_ask()) return;
  BeginDeferral(envelope);
  envelope_ = envelope;
  cell_ = CellPtr<Cell>::Share(context.turn().cell);
}

bool DeferredReply::wanted() const {
  return envelope_ != nullptr &&
         (envelope_->ask_state.load(std::memory_order_relaxed) & Envelope::kClaimed) == 0;
}

void* DeferredReply::Claim() {
  if (envelope_ == nullptr) return nullptr;
  if (ClaimDeferred(envelope_)) return envelope_->ask().slot;
  SystemCore* core = cell_->system_core();
  if (!core->stopping()) {
    core->dead_letters().Add({.reason = DeadLetterReason::kExpired,
                              .target = cell_->Path(),
                              .message = envelope_->signature->message_name,
                              .why = "answered after the asker had gone"});
  }
  EndDeferral(std::exchange(envelope_, nullptr));
  cell_ = {};
  return nullptr;
}

void DeferredReply::Finish() {
  FinishReply(envelope_);
  EndDeferral(std::exchange(envelope_, nullptr));
  cell_ = {};
}

void DeferredReply::Drop() { DropDeferral(std::exchange(envelope_, nullptr)); }

}  // namespace quern::internal
