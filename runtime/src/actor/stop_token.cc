#include "quern/runtime/stop_token.h"

#include "actor/mailbox_cell.h"
#include "system/system_core.h"

namespace quern {

using internal::Envelope;

bool StopToken::stopping() const { return cell_->StopRequested(); }

bool StopToken::abandoned() const {
  return envelope_ != nullptr && (envelope_->flags & Envelope::kAsk) != 0 &&
         (envelope_->ask_state.load(std::memory_order_relaxed) & Envelope::kAskerGone) != 0;
}

bool StopToken::expired() const {
  return deadline_ != kNever && cell_->core().clock().Now() >= deadline_;
}

bool StopToken::stop_requested() const { return stopping() || abandoned() || expired(); }

Status StopToken::status() const {
  if (stopping()) {
    return WithReason(absl::CancelledError(cell_->Path() + " is stopping"), Reason::kCancelled);
  }
  if (expired()) {
    return absl::DeadlineExceededError("the deadline passed while " + cell_->Path() +
                                       " handled the ask");
  }
  if (abandoned()) {
    return WithReason(absl::CancelledError("the asker of " + cell_->Path() + " has given up"),
                      Reason::kCancelled);
  }
  return absl::OkStatus();
}

}  // namespace quern
