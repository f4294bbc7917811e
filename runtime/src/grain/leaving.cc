// How an activation ends of which several handlers may wait. A failure cancels them. An end that
// was asked for lets them end by themselves: what comes meanwhile waits for the next activation,
// except what they wait for, which asks that lead through this grain may be, and what its sender
// had sent before.

#include <algorithm>
#include <utility>
#include <vector>

#include "actor/call_chain.h"
#include "actor/reentry.h"
#include "grain/activation.h"
#include "mailbox/envelope_extra.h"

namespace quern::internal {

After Activation::EndOnRequest(Turn& turn) {
  if (DeferUntilAlone(kEndSignal)) {
    leaving_ = true;
    return After::kGoOn;
  }
  Status why;
  {
    TinyLockHolder lock(lock_);
    why = end_requested_.value_or(absl::OkStatus());
  }
  return End(turn, std::move(why));
}

After Activation::EndAlone(Turn& turn, Status why) {
  if (!HasAwayTurns()) return End(turn, std::move(why));
  {
    // A failure says more than a request to leave.
    TinyLockHolder lock(lock_);
    if (!end_requested_.has_value() || end_requested_->ok()) end_requested_ = std::move(why);
  }
  DeferEnd(kEndSignal);
  return After::kGoOn;
}

// With a bound, what is put aside keeps its place in the mailbox by keeping others out.
bool Activation::Accepting() const {
  if (!leaving_) [[likely]]
    return state_lost_.ok();
  const size_t capacity = kind_->options.mailbox_capacity;
  return state_lost_.ok() && (let_in_ > 0 || capacity == 0 || CountAside() < capacity);
}

// True: it has been taken care of.
bool Activation::MayWait(Turn& turn, Envelope* envelope) {
  if (let_in_ > 0) {
    --let_in_;
    return false;
  }
  const CallChain* chain = envelope->is_ask() ? envelope->ask().chain : nullptr;
  if (chain == nullptr || !chain->LeadsThrough(*this)) {
    SetAside(turn, envelope);
    return true;
  }
  LetIn(turn, envelope);
  return true;
}

// Behind what its sender had sent before: order is kept.
void Activation::LetIn(Turn& turn, Envelope* envelope) {
  std::vector<Envelope*> first = TakeAsideFrom(SenderIdOf(*envelope));
  first.push_back(Detach(turn, envelope));
  let_in_ += static_cast<uint32_t>(first.size());
  for (size_t i = first.size(); i > 0; --i) PushFront(first[i - 1]);
}

// What came straight into the mailbox has told nothing of itself. Who sent it is known as the id of
// a cell alone: it was sent while there was no other process to tell.
bool Activation::Label(Envelope* envelope) {
  if (FindExtra(*envelope) != nullptr) return true;
  const WireEntry* wire = kind_->type.wire->Find(*envelope);
  if (wire == nullptr) {
    DropEnvelope(envelope, UnknownMessage());
    return false;
  }
  EnvelopeExtra& extra = ExtraOf(*envelope);
  extra.wire = wire;
  extra.target = CellPtr<Cell>::Share(this);
  return true;
}

Status Activation::UnknownMessage() const {
  return absl::NotFoundError(kind_->kind + " knows no such message");
}

}  // namespace quern::internal
