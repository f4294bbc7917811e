#include "grain/activation.h"

#include <algorithm>
#include <utility>

#include <absl/strings/cord.h>

#include "actor/call_chain.h"
#include "actor/message_loop.h"
#include "actor/reentry.h"
#include "grain/activation_limit.h"
#include "grain/filtered_call.h"
#include "grain/grain_host.h"
#include "grain/idle_timer.h"
#include "grain/store_call.h"
#include "grain/visits.h"
#include "mailbox/envelope_extra.h"
#include "quern/runtime/event_stream.h"
#include "quern/runtime/lifecycle_events.h"
#include "quern/runtime/limits.h"
#include "quern/runtime/logger.h"
#include "quern/runtime/state.h"
#include "scheduler/waiter.h"
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

bool IsTick(const Envelope& envelope) {
  const EnvelopeExtra* extra = FindExtra(envelope);
  return extra != nullptr && extra->is_tick;
}

// A failure that another try may not meet.
bool MayPass(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnknown:  // thrown
    case absl::StatusCode::kInternal:
      return true;
    default:
      return false;
  }
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
      epoch_(epoch),
      idle_timeout_(kind->options.idle_timeout) {
  core->AddRef();
  if (kind_->options.mailbox_capacity != 0) {
    SetChosenMailbox(ChosenMailbox::Make(BoundedMailbox(kind_->options.mailbox_capacity)).value());
  }
  const GrainOptions& options = kind_->options;
  if (options.reentrancy != Reentrancy::kOff || options.asks_in_flight_max != 0) {
    SetReentry(std::make_unique<Reentry>(options.reentrancy, options.asks_in_flight_max),
               kTimerSignal | kEndSignal);
  }
}

Activation::~Activation() = default;

void Activation::Dispose() noexcept {
  SystemCore& its = core();
  delete this;
  its.Release();
}

SideMail* Activation::side_mail(bool make) {
  if (side_mail_ == nullptr && make) side_mail_ = std::make_unique<SideMail>();
  return side_mail_.get();
}

// What was accepted for a grain on its way out counts against no capacity of the next activation.
void Activation::TakeFirst(const std::vector<Envelope*>& first) {
  if (chosen_mailbox() == nullptr) {
    for (Envelope* envelope : first) Offer(envelope);
    return;
  }
  for (size_t i = first.size(); i > 0; --i) PushFront(first[i - 1]);
  offers_.fetch_add(first.size() * kOfferAccepted, std::memory_order_relaxed);
}

std::optional<Delivery> Activation::Offer(Envelope* envelope) {
  if ((offers_.fetch_add(1, std::memory_order_acquire) & kOfferClosed) != 0) {
    LeaveOffer(0);
    return std::nullopt;
  }
  const Delivery delivery = Post(envelope);
  LeaveOffer(delivery == Delivery::kAccepted ? kOfferAccepted : 0);
  return delivery;
}

bool Activation::TakesVisits() const {
  return kind_->options.filters.empty() && chosen_mailbox() == nullptr;
}

bool Activation::Admit(Envelope* envelope) {
  const CallChain* chain = envelope->is_ask() ? envelope->ask().chain : nullptr;
  if (chain != nullptr && chain->Contains(*this)) return false;
  if (!CountIn(1)) return false;
  Put(envelope);
  return true;
}

bool Activation::AdmitChain(MailboxNode* first, MailboxNode* last) {
  uint64_t messages = 1;
  for (const MailboxNode* node = first; node != last; ++messages) {
    node = node->next.load(std::memory_order_relaxed);
  }
  if (!CountIn(messages)) return false;
  PostChain(first, last);
  return true;
}

// Whoever closes it either is seen here, or sees the visit.
bool Activation::CountIn(uint64_t messages) {
  if (!TakesOffers()) return false;
  const uint64_t accepted = messages * kOfferAccepted;
  if ((offers_.fetch_add(accepted, std::memory_order_acq_rel) & kOfferClosed) == 0) return true;
  offers_.fetch_sub(accepted, std::memory_order_relaxed);
  return false;
}

void Activation::LeaveOffer(uint64_t accepted) {
  const uint64_t old = offers_.fetch_add(accepted - 1, std::memory_order_release);
  if ((old & kOfferMask) == (kOfferClosed | 1)) offers_.notify_all();
}

// A sender is inside for the length of a push: what was accepted stands in the mailbox afterwards.
void Activation::CloseOffers() {
  uint64_t offers = offers_.fetch_or(kOfferClosed, std::memory_order_acq_rel) | kOfferClosed;
  while ((offers & kOfferMask) != kOfferClosed) {
    offers_.wait(offers, std::memory_order_acquire);
    offers = offers_.load(std::memory_order_acquire);
  }
  core().grain_host().visits().AwaitNone(this);
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

size_t Activation::messages() const {
  // What is handled before its sender has left Offer() is not yet among the accepted.
  const auto accepted = static_cast<uint32_t>(offers_.load(std::memory_order_acquire) >> 32);
  const auto queued = static_cast<int32_t>(accepted - handled_.load(std::memory_order_relaxed));
  return static_cast<size_t>(std::max(queued, 0));
}

GrainInfo Activation::Info() const {
  GrainInfo info{.id = id_, .epoch = epoch_, .state = state()};
  // Its end may come without its ever having been active.
  const int64_t since = active_since_.load(std::memory_order_relaxed);
  if (info.state != ActivationState::kActivating && since != kNotYet) {
    info.active_since = Time(Duration(since));
    info.idle = std::max(core().clock().Now() - last_active(), Duration::zero());
  }
  info.messages = messages();
  return info;
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
  FailParkedAsks(why);
}

ActorTimers* Activation::Timers(bool make) {
  if (make && state() == ActivationState::kDeactivating) return nullptr;
  if (make && timers_ == nullptr) timers_ = std::make_unique<ActorTimers>();
  return timers_.get();
}

void Activation::SetIdleTimeout(Duration timeout) {
  if (timeout <= Duration::zero()) {
    RequestEnd(absl::OkStatus());
    return;
  }
  idle_timeout_ = timeout;
  Turn* turn = CurrentTurn();
  if (turn == nullptr || turn->cell != this || state() != ActivationState::kActive) return;
  if (idle_timer_ != nullptr) std::exchange(idle_timer_, nullptr)->Retire();
  turn->worker->ReadClock();
  NoteActivity(*turn);
  WatchIdleness(*turn);
}

void Activation::WatchIdleness(Turn& turn) {
  if (idle_timeout_ == kNeverIdle) return;
  idle_timer_ = new IdleTimer(*turn.worker, this, idle_timeout_);
}

After Activation::OnSignals(Turn& turn, uint32_t bits) {
  if (!begun_ && Activate(turn) == After::kEnded) return After::kEnded;
  if ((bits & (kEndSignal | kStopSignal)) != 0) return EndOnRequest(turn);
  if ((bits & kTimerSignal) != 0) {
    if (Status told = FireTimers(turn); !told.ok()) return EndAlone(turn, std::move(told));
  }
  if ((bits & kIdleSignal) != 0 && IsIdle(turn)) return End(turn, absl::OkStatus());
  return After::kGoOn;
}

After Activation::OnMessage(Turn& turn, Envelope* envelope) {
  if (leaving_ && MayWait(turn, envelope)) return After::kGoOn;
  const bool tick = IsTick(*envelope);
  if (owner_->Fenced()) {
    DropEnvelope(envelope, FencedError(id_));
    NoteHandled(!tick);
    return After::kGoOn;
  }
  const Thunk thunk = kind_->type.handlers->Find(*envelope);
  if (thunk == nullptr) {
    DropEnvelope(envelope, UnknownMessage());
    NoteHandled(!tick);
    return After::kGoOn;
  }
  const bool plain = tick || kind_->options.filters.empty();
  const Failed why = plain ? RunMessage(turn, envelope, thunk, instance_.self)
                           : RunFiltered(turn, envelope, thunk);
  NoteHandled(!tick);
  if (!tick || kind_->options.ticks_keep_active) {
    ran_message_ = true;
    NoteActivity(turn);
  }
  if (!state_lost_.ok()) return EndAlone(turn, state_lost_);
  if (why != nullptr) return EndAlone(turn, *why);
  return After::kGoOn;
}

MailboxCell::Failed Activation::RunFiltered(Turn& turn, Envelope* envelope, Thunk thunk) {
  FilteredCall call(kind_->options.filters, id_, thunk, instance_.self, core());
  (void)RunMessage(turn, envelope, &FilteredCall::Run, &call);
  const Status& outcome = call.outcome();
  return outcome.ok() ? nullptr : std::make_unique<const Status>(outcome);
}

After Activation::Activate(Turn& turn) {
  begun_ = true;
  const Status activated = TryUntilActive(turn);
  if (!activated.ok()) return End(turn, Tried("activate " + id_.ToString(), activated));
  was_active_ = true;
  NoteActivity(turn);
  active_since_.store(last_active_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  WatchIdleness(turn);
  state_.store(ActivationState::kActive, std::memory_order_release);
  core().events().PublishWith([&] { return GrainActivated{id_, epoch_, core().clock().Now()}; });
  owner_->OnActivated(*this);
  return After::kGoOn;
}

Status Activation::TryUntilActive(Turn& turn) {
  ActivationLimit limit(turn, kind_->options.activate_timeout);
  Duration pause = kRestartBackoffMin;
  for (int tries = 1;; ++tries) {
    const Status activated = TryToActivate(turn, limit.until());
    if (activated.ok()) break;
    const bool last = tries == kind_->options.activate_tries || !MayPass(activated.code());
    if (!last && !limit.passed()) {
      instance_ = {};
      timers_.reset();
      state_lost_ = absl::OkStatus();
      Waiter waiter;
      const Time next = std::min(turn.worker->ReadClock() + pause, limit.until());
      const bool stopped =
          waiter.Wait(next, /*cancellable=*/true) == Waiter::Outcome::kCancelled && !limit.passed();
      if (stopped) return activated;
      pause = std::min(2 * pause, kRestartBackoffMax);
    }
    if (limit.passed()) return limit.Error(tries, activated);
    if (last) return activated;
  }
  turn.cancelled = StopRequested();  // what came too late to stop it
  return absl::OkStatus();
}

Status Activation::TryToActivate(Turn& turn, Time until) {
  Status activated = owner_->Fenced() ? FencedError(id_) : MakeGrain(turn);
  if (activated.ok() && instance_.grain->state_ != nullptr) {
    activated = RunGuarded(turn, [&](Context&) { return ClaimState(); });
  }
  if (activated.ok()) {
    activated = RunGuarded(turn, [&](Context&) {
      turn.deadline = until;
      return instance_.grain->OnActivate();
    });
  }
  return activated.ok() ? state_lost_ : activated;
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
  if (made.ok() && instance_.grain->state_ != nullptr && kind_->options.stateless_workers > 0) {
    return absl::FailedPreconditionError(
        "a kind with stateless_workers keeps no State: host it as an ordinary grain");
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
  PublishEnd();
  std::vector<Envelope*> unhandled;
  Close(turn, [&](Envelope* envelope) {
    // A tick ends with the activation that it was for: it would only bring the grain back.
    if (IsTick(*envelope)) {
      DropEnvelope(envelope, absl::OkStatus());
    } else if (Label(envelope)) {
      unhandled.push_back(envelope);
    }
  });
  turn.over = true;
  owner_->OnEnded(*this, std::move(unhandled));
  return After::kEnded;
}

void Activation::PublishEnd() const {
  EventStream& events = core().events();
  const auto now = [&] { return core().clock().Now(); };
  if (was_active_) {
    events.PublishWith([&] { return GrainDeactivated{id_, epoch_, outcome_, now()}; });
  } else {
    events.PublishWith([&] { return GrainActivationFailed{id_, outcome_, now()}; });
  }
}

void Activation::RunTurn(Worker& worker) { TurnOf(*this, worker); }

MailboxCell::TurnEnd Activation::RunMessages(Turn& turn, int clock_mask) {
  return MessageLoop(*this, turn, clock_mask);
}

// The clock is read once a turn; a handler that took long is noted by the worker's last reading.
void Activation::OnTurnEnd(Turn& turn) {
  if (!std::exchange(ran_message_, false)) return;
  turn.worker->ReadClock();
  NoteActivity(turn);
}

void Activation::NoteHandled(bool counted) {
  if (!counted) return;
  handled_.store(handled_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

bool Activation::IsIdle(const Turn& turn) const {
  return turn.worker->now() - last_active() >= idle_timeout_;
}

void Activation::NoteActivity(const Turn& turn) {
  last_active_.store(turn.worker->now().time_since_epoch().count(), std::memory_order_relaxed);
}

}  // namespace quern::internal
