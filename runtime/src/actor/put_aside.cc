// A message that its handler does not finish: stashed, forwarded, or declared unhandled. The word
// of an ask is marked meanwhile, so that what the handler returns answers nobody.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include <absl/strings/str_cat.h>

#include "actor/dead_letters.h"
#include "actor/mailbox_cell.h"
#include "actor/turn.h"
#include "mailbox/envelope_extra.h"
#include "mailbox/side_mail.h"
#include "quern/runtime/context.h"
#include "system/system_core.h"

namespace quern {
namespace internal {
namespace {

Status Mark(Turn& turn, Fate fate) {
  Envelope* envelope = turn.envelope;
  if (envelope == nullptr) return absl::FailedPreconditionError("no message is being handled");
  if (turn.fate != Fate::kFinish) {
    return absl::FailedPreconditionError("the message has been put aside already");
  }
  if (fate != Fate::kUnhandled && (envelope->flags & Envelope::kTaken) != 0) {
    return absl::FailedPreconditionError(
        "its handler has taken the message: let it take a const reference");
  }
  if (envelope->is_ask()) {
    const uint32_t old = envelope->ask_state.fetch_or(Envelope::kAside, std::memory_order_acq_rel);
    if ((old & Envelope::kDeferred) != 0) {
      envelope->ask_state.fetch_and(~Envelope::kAside, std::memory_order_acq_rel);
      return absl::FailedPreconditionError("its Deferred answers for the message");
    }
  }
  turn.fate = fate;
  return absl::OkStatus();
}

}  // namespace

Status ForwardMessage(Turn& turn, Cell* to, const SignatureTable& accepted) {
  if (to == nullptr) return absl::NotFoundError("forward to an empty Ref");
  if (turn.envelope != nullptr && !accepted.all &&
      std::find(accepted.begin, accepted.end, turn.envelope->signature) == accepted.end) {
    const std::string_view name = turn.envelope->signature->message_name;
    return absl::InvalidArgumentError(absl::StrCat(to->Path(), " does not accept ",
                                                   absl::string_view(name.data(), name.size()),
                                                   ", or answers it with another type"));
  }
  if (Status marked = Mark(turn, Fate::kForward); !marked.ok()) return marked;
  to->AddRef();
  turn.forward_to = to;
  return absl::OkStatus();
}

// The handler has thrown: what it put aside is a failure like any other.
void MailboxCell::TakeBack(Turn& turn, Envelope* envelope) {
  if (std::exchange(turn.fate, Fate::kFinish) == Fate::kFinish) return;
  if (envelope->is_ask()) {
    envelope->ask_state.fetch_and(~Envelope::kAside, std::memory_order_acq_rel);
  }
  CellPtr<Cell>::Adopt(std::exchange(turn.forward_to, nullptr));
}

void MailboxCell::Settle(Turn& turn, Envelope* envelope) {
  const Fate fate = std::exchange(turn.fate, Fate::kFinish);
  const auto to = CellPtr<Cell>::Adopt(std::exchange(turn.forward_to, nullptr));
  if (envelope->is_ask()) {
    const uint32_t old =
        envelope->ask_state.fetch_and(~Envelope::kAside, std::memory_order_acq_rel);
    if ((old & Envelope::kClaimed) != 0) return FinishEnvelope(envelope);  // nobody waits
  }
  if (fate == Fate::kStash) {
    stash()->Keep(Detach(turn, envelope));
  } else if (fate == Fate::kForward) {
    to->Post(Detach(turn, envelope));
  } else {
    RefuseUnhandled(envelope);
  }
}

void MailboxCell::SetStash(size_t capacity) {
  if (capacity != 0) side_mail(true)->stash = std::make_unique<Stash>(capacity);
}

Stash* MailboxCell::stash() {
  SideMail* side = side_mail(false);
  return side == nullptr ? nullptr : side->stash.get();
}

size_t MailboxCell::ReturnStash(size_t count) {
  Stash* from = stash();
  size_t returned = 0;
  while (from != nullptr && returned < count) {
    Envelope* envelope = from->Take();
    if (envelope == nullptr) break;
    side_mail(false)->front.PushBack(envelope);
    elsewhere_ |= kInFront;
    ++returned;
  }
  return returned;
}

void MailboxCell::RefuseUnhandled(Envelope* envelope) {
  const std::string path = Path();
  const std::string_view name = envelope->signature->message_name;
  core_->dead_letters().Add({.reason = DeadLetterReason::kUnhandled,
                             .target = path,
                             .message = name,
                             .sender_id = SenderIdOf(*envelope)});
  DropEnvelope(envelope, absl::FailedPreconditionError(absl::StrCat(
                             path, " does not handle ", absl::string_view(name.data(), name.size()),
                             " in its present state")));
}

}  // namespace internal

void Context::Unhandled() { (void)internal::Mark(*turn_, internal::Fate::kUnhandled); }

Status Context::Stash() {
  internal::Stash* stash = turn_->cell->stash();
  if (stash == nullptr) {
    return absl::FailedPreconditionError(path() + " has no stash: spawn it with a stash_capacity");
  }
  if (stash->full()) return absl::ResourceExhaustedError("the stash of " + path() + " is full");
  return internal::Mark(*turn_, internal::Fate::kStash);
}

bool Context::Unstash() { return turn_->cell->ReturnStash(1) != 0; }

size_t Context::UnstashAll() { return turn_->cell->ReturnStash(SIZE_MAX); }

StopToken Context::stop_token() const {
  return StopToken(turn_->cell, turn_->envelope, turn_->deadline);
}

}  // namespace quern
