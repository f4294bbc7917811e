#include "grain/activation.h"

#include <algorithm>
#include <utility>

#include <absl/strings/cord.h>

#include "grain/idle_timer.h"
#include "grain/store_call.h"
#include "mailbox/envelope_extra.h"
#include "quern/runtime/logger.h"
#include "quern/runtime/state.h"
#include "scheduler/worker.h"
#include "system/system_core.h"

namespace quern::internal {
namespace {

// The same failure with what was tried in front.
Status Tried(const std::string& what, const Status& why) {
  if (why.ok()) return why;
  Status status(why.code(), what + ": " + std::string(why.message()));
  why.ForEachPayload(
      [&](auto name, const absl::Cord& payload) { status.SetPayload(name, payload); });
  return status;
}

Status FencedError(const GrainId& id) {
  return absl::UnavailableError(id.ToString() + ": its node has no lease now");
}

}  // namespace

Activation::Activation(ActivationOwner* owner, SystemCore* core, const GrainKind* kind, GrainId id,
                       const Epoch& epoch)
    : MailboxCell(core, SystemCore::NextCellId()),
      owner_(owner),
      kind_(kind),
      id_(std::move(id)),
      epoch_(epoch) {
  if (kind_->options.mailbox_capacity != 0) {
    SetChosenMailbox(ChosenMailbox::Make(BoundedMailbox(kind_->options.mailbox_capacity)).value());
  }
}

Activation::~Activation() = default;

SideMail* Activation::side_mail(bool make) {
  if (side_mail_ == nullptr && make) side_mail_ = std::make_unique<SideMail>();
  return side_mail_.get();
}

std::optional<Delivery> Activation::Offer(Envelope* envelope) {
  if ((offers_.fetch_add(1, std::memory_order_acquire) & kOfferClosed) != 0) {
    LeaveOffer();
    return std::nullopt;
  }
  const Delivery delivery = Post(envelope);
  LeaveOffer();
  return delivery;
}

void Activation::LeaveOffer() {
  if (offers_.fetch_sub(1, std::memory_order_release) == (kOfferClosed | 1)) offers_.notify_all();
}

// A sender is inside for the length of a push: what was accepted stands in the mailbox afterwards.
void Activation::CloseOffers() {
  uint32_t offers = offers_.fetch_or(kOfferClosed, std::memory_order_acq_rel) | kOfferClosed;
  while (offers != kOfferClosed) {
    offers_.wait(offers, std::memory_order_acquire);
    offers = offers_.load(std::memory_order_acquire);
  }
}

void Activation::RequestEnd(Status why) {
  {
    TinyLockHolder lock(lock_);
    if (!end_requested_.has_value()) end_requested_ = std::move(why);
  }
  Signal(kEndSignal);
}

void Activation::RequestStop() {
  RequestEnd(WithReason(absl::CancelledError("it was asked to stop"), Reason::kCancelled));
  Signal(kStopSignal);  // a handler that waits is cancelled
}

void Activation::FillSender(SenderStamp* stamp) const {
  stamp->grain = id_;
  stamp->epoch = epoch_;
  stamp->actor_id = Cell::id();
}

void Activation::LoseState(const Status& why) {
  if (state_lost_.ok()) state_lost_ = why;
  Turn* turn = CurrentTurn();
  if (turn != nullptr && turn->envelope != nullptr) FailAsk(turn->envelope, why);
}

TimerId Activation::StartTimer(Duration delay, Duration period, std::unique_ptr<TickSource> tick) {
  Turn* turn = CurrentTurn();
  if (turn == nullptr || turn->cell != this || state() == ActivationState::kDeactivating) return 0;
  if (timers_ == nullptr) timers_ = std::make_unique<ActorTimers>();
  return timers_->Start(*turn->worker, this, std::max(delay, Duration::zero()), period,
                        std::move(tick));
}

bool Activation::CancelTimer(TimerId id) { return timers_ != nullptr && timers_->Cancel(id); }

After Activation::OnSignals(Turn& turn, uint32_t bits) {
  if (!begun_ && Activate(turn) == After::kEnded) return After::kEnded;
  if ((bits & (kEndSignal | kStopSignal)) != 0) {
    Status why;
    {
      TinyLockHolder lock(lock_);
      why = end_requested_.value_or(absl::OkStatus());
    }
    return End(turn, std::move(why));
  }
  if ((bits & kIdleSignal) != 0 && IsIdle(turn)) return End(turn, absl::OkStatus());
  return After::kGoOn;
}

After Activation::OnMessage(Turn& turn, Envelope* envelope) {
  if (owner_->Fenced()) {
    DropEnvelope(envelope, FencedError(id_));
    return After::kGoOn;
  }
  const Thunk thunk = kind_->type.handlers->Find(*envelope);
  if (thunk == nullptr) {
    DropEnvelope(envelope, absl::NotFoundError(kind_->kind + " knows no such message"));
    return After::kGoOn;
  }
  const Status ran = RunMessage(turn, envelope, thunk, instance_.self);
  ran_message_ = true;
  NoteActivity(turn);
  if (!state_lost_.ok()) return End(turn, state_lost_);
  if (!ran.ok()) return End(turn, ran);
  return After::kGoOn;
}

After Activation::Activate(Turn& turn) {
  begun_ = true;
  Status activated = owner_->Fenced() ? FencedError(id_) : MakeGrain(turn);
  if (activated.ok() && instance_.grain->state_ != nullptr) activated = ClaimState();
  if (activated.ok()) {
    activated = RunGuarded(turn, [&](Context&) { return instance_.grain->OnActivate(); });
  }
  if (activated.ok()) activated = state_lost_;
  if (!activated.ok()) return End(turn, Tried("activate " + id_.ToString(), activated));
  was_active_ = true;
  NoteActivity(turn);
  if (kind_->options.idle_timeout != kNeverIdle) {
    idle_timer_ = new IdleTimer(*turn.worker, this, kind_->options.idle_timeout);
  }
  state_.store(ActivationState::kActive, std::memory_order_release);
  owner_->OnActivated(*this);
  return After::kGoOn;
}

Status Activation::MakeGrain(Turn& turn) {
  turn.constructing = this;
  const Status made = RunGuarded(turn, [&](Context&) {
    instance_ = kind_->type.make();
    return absl::OkStatus();
  });
  turn.constructing = nullptr;
  if (made.ok() && instance_.grain->second_state_) {
    return absl::FailedPreconditionError("a grain has one State");
  }
  return made;
}

Status Activation::ClaimState() {
  const Duration timeout = kind_->options.state_timeout;
  StatusOr<ClaimedState> claimed = AwaitStore<ClaimedState>(*this, timeout, [&](auto done) {
    kind_->state_store->Claim(id_, epoch_, timeout, std::move(done));
  });
  if (!claimed.ok()) return claimed.status();
  return instance_.grain->state_->Load(this, *std::move(claimed));
}

// The order matters: first nobody gets in, then the grain ends, then what came too late leaves.
After Activation::End(Turn& turn, Status why) {
  state_.store(ActivationState::kDeactivating, std::memory_order_release);
  CloseOffers();
  outcome_ = std::move(why);
  if (idle_timer_ != nullptr) std::exchange(idle_timer_, nullptr)->Retire();
  turn.cancellable = false;  // OnDeactivate may still ask and save
  if (was_active_) {
    const Status ended = RunGuarded(turn, [&](Context&) {
      instance_.grain->OnDeactivate(outcome_);
      return absl::OkStatus();
    });
    if (!ended.ok()) {
      core().logger().Log(LogLevel::kError, "OnDeactivate failed",
                          {{"grain", id_}, {"error", ended.ToString()}});
    }
  }
  instance_ = {};
  timers_.reset();
  std::vector<Envelope*> unhandled;
  Close(turn, [&](Envelope* envelope) {
    // A tick ends with the activation that it was for: it would only bring the grain back.
    const EnvelopeExtra* extra = FindExtra(*envelope);
    if (extra != nullptr && extra->tick != nullptr) {
      DropEnvelope(envelope, absl::OkStatus());
    } else {
      unhandled.push_back(envelope);
    }
  });
  owner_->OnEnded(*this, std::move(unhandled));
  return After::kEnded;
}

// The clock is read once a turn; a handler that took long is noted by the worker's last reading.
void Activation::OnTurnEnd(Turn& turn) {
  if (!std::exchange(ran_message_, false)) return;
  turn.worker->ReadClock();
  NoteActivity(turn);
}

bool Activation::IsIdle(const Turn& turn) const {
  return turn.worker->now() - last_active() >= kind_->options.idle_timeout;
}

void Activation::NoteActivity(const Turn& turn) {
  last_active_.store(turn.worker->now().time_since_epoch().count(), std::memory_order_relaxed);
}

}  // namespace quern::internal
