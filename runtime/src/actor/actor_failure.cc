// What follows when an actor fails, and what others may ask of its life: directives, restarts,
// escalation, suspension.

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include <absl/strings/str_cat.h>

#include "actor/actor_cell.h"
#include "actor/dead_letters.h"
#include "actor/supervisor_policy.h"
#include "actor/turn.h"
#include "mailbox/envelope_extra.h"
#include "quern/runtime/event_stream.h"
#include "quern/runtime/lifecycle_events.h"
#include "quern/runtime/logger.h"
#include "scheduler/worker.h"
#include "system/system_core.h"

namespace quern::internal {

void ActorCell::OnThrown(Turn& turn, const std::exception_ptr& thrown) {
  Failure& failure = failures().thrown;
  failure.thrown = thrown;
  if (turn.envelope != nullptr) failure.message = turn.envelope->signature->message_name;
}

void ActorCell::OnReturnedError(Turn& turn, const Status& status) {
  if (!supervisor().policy().fail_on_returned_errors) return;
  Failure& failure = failures().thrown;
  failure.status = status;  // AfterMessage() takes it from here
  if (turn.envelope != nullptr) failure.message = turn.envelope->signature->message_name;
}

bool ActorCell::KeepsForRetry(Turn& turn, Envelope* envelope, const Status& why) {
  const int skip_after = supervisor().policy().skip_after;
  if (skip_after == 0 || in_state_ || !actor_class().handlers->KeepsMessage(*envelope))
    return false;
  if (++ExtraOf(*envelope).crashes >= skip_after) {
    core().dead_letters().Add({.reason = DeadLetterReason::kPoison,
                               .target = Path(),
                               .message = envelope->signature->message_name,
                               .sender_id = SenderIdOf(*envelope),
                               .why = std::string(why.message())});
    return false;
  }
  PushFront(Detach(turn, envelope));
  return true;
}

const Supervisor& ActorCell::supervisor() const {
  const ActorExtras* have = extras_if_any();
  if (have != nullptr && !have->supervisor.is_default()) return have->supervisor;
  return core().options().supervisor;
}

// --- Failures ---------------------------------------------------------------------------------

After ActorCell::FailWhenAlone(Turn& turn, const Status& why) {
  if (!DeferEnd(kFailedSignal)) return Fail(turn, why);
  failures().deferred.Update(why);
  return After::kGoOn;
}

After ActorCell::Fail(Turn& turn, const Status& why) {
  Failure failure = std::exchange(failures().thrown, {});
  failure.status = why;
  core().events().PublishWith([&] { return ActorFailed{Path(), ClassText(), why, Now(turn)}; });
  // Asked to stop meanwhile: the signal is still there and decides.
  if (StopRequested()) {
    StopTimers();
    DestroyObject();
    return After::kGoOn;
  }
  if (state_ == State::kStarting || failures().start_count != 0) NoteStartFailure(turn);
  const Supervisor::Decision decision = supervisor().Decide(failure);
  if (!decision.by_rule) {
    core().logger().Log(LogLevel::kError,
                        "no rule of the supervisor matches this failure; the actor restarts. Give "
                        "the supervisor a rule for it, or an Otherwise()",
                        {{"actor", Path()}, {"class", ClassText()}, {"why", why.ToString()}});
    core().events().PublishWith(
        [&] { return ActorUnsupervised{Path(), ClassText(), why, Now(turn)}; });
  }
  return Obey(turn, decision.directive, failure);
}

After ActorCell::Obey(Turn& turn, Directive directive, const Failure& failure) {
  switch (directive) {
    case Directive::kResume:
      if (!has_object_) break;
      core().logger().Log(
          LogLevel::kWarn, "actor failed and resumes",
          {{"actor", Path()}, {"class", ClassText()}, {"why", failure.status.ToString()}});
      return Resume(turn);
    case Directive::kStop:
      ShareWithSiblings(Directive::kStop);
      return StopAfterFailure(turn, failure);
    case Directive::kEscalate:
      return Escalate(failure);
    case Directive::kRestart:
      break;
  }
  return RestartAfterFailure(turn, failure);
}

After ActorCell::RestartAfterFailure(Turn& turn, const Failure& failure) {
  if (!factory_->repeatable) return StopAfterFailure(turn, failure);
  const Supervisor::Policy& policy = supervisor().policy();
  const std::optional<Duration> pause = NextPause(turn);
  if (!pause.has_value()) {
    if (policy.when_spent == Directive::kEscalate) return Escalate(failure);
    return StopAfterFailure(turn, failure);
  }
  core().logger().Log(LogLevel::kWarn, "actor failed and restarts",
                      {{"actor", Path()},
                       {"class", ClassText()},
                       {"why", failure.status.ToString()},
                       {"pause_ms", std::chrono::ceil<std::chrono::milliseconds>(*pause).count()}});
  if (failures().start_count == 0) ShareWithSiblings(Directive::kRestart);
  return BeginRestart(turn, *pause, /*keep_object=*/false);
}

// Nothing when the budget is used up; an actor that has never run has one of its own.
std::optional<Duration> ActorCell::NextPause(Turn& turn) {
  Failures& mine = failures();
  const Supervisor::Policy& policy = supervisor().policy();
  const Time now = Now(turn);
  if (mine.start_count == 0) return mine.restarts.Take(policy, now);
  const int tries = extras().start_tries > 0 ? extras().start_tries : core().options().start_tries;
  if (mine.start_count >= tries) return std::nullopt;
  const Duration pause = mine.restarts.Pause(policy.backoff, now);
  if (now + pause >= mine.start_until) return std::nullopt;
  return pause;
}

void ActorCell::NoteStartFailure(Turn& turn) {
  Failures& mine = failures();
  if (++mine.start_count != 1) return;
  const Duration own = extras().start_timeout;
  const Duration timeout = own > Duration::zero() ? own : core().options().start_timeout;
  mine.start_until = Now(turn) + timeout;
}

After ActorCell::StopAfterFailure(Turn& turn, const Failure& failure) {
  core().logger().Log(
      LogLevel::kError, "actor failed and stops",
      {{"actor", Path()}, {"class", ClassText()}, {"why", failure.status.ToString()}});
  StopTimers();
  DestroyObject();
  return BeginStop(turn);
}

void ActorCell::ShareWithSiblings(Directive directive) {
  const Strategy strategy = supervisor().policy().strategy;
  if (strategy == Strategy::kOneForOne || !parent_) return;
  for (const auto& sibling : parent_->family().children.All()) {
    if (sibling.get() == this) continue;
    // Ids rise with every spawn.
    if (strategy == Strategy::kRestForOne && sibling->id() < id()) continue;
    if (directive == Directive::kStop || !sibling->Request(LifeOrder::kRestart).ok()) {
      sibling->RequestStop();
    }
  }
}

// --- Escalation -------------------------------------------------------------------------------

After ActorCell::Escalate(const Failure& failure) {
  core().logger().Log(
      LogLevel::kWarn, "actor failed and escalates to its parent",
      {{"actor", Path()}, {"class", ClassText()}, {"why", failure.status.ToString()}});
  state_ = State::kEscalated;
  parent_->family().escalations.Add({CellPtr<ActorCell>::Share(this), failure});
  parent_->Signal(kEscalationSignal);
  return After::kGoOn;
}

After ActorCell::TakeEscalations(Turn& turn) {
  std::vector<Escalation> arrived = family().escalations.Take();
  // Whatever it is about to become, they come along.
  if (arrived.empty() || state_ == State::kStopping || state_ == State::kRestarting) {
    return After::kGoOn;
  }
  Failure failure = std::move(arrived.front().failure);
  failure.status = Status(
      failure.status.code(),
      absl::StrCat(arrived.front().child->Path(), " failed", failure.message.empty() ? "" : " on ",
                   failure.message, ": ", std::string(failure.status.message())));
  for (Escalation& escalation : arrived) {
    family().undecided.push_back(std::move(escalation.child));
  }
  if (state_ == State::kEscalated) return After::kGoOn;  // its own parent decides for all of them
  if (factory_ == nullptr) {
    core().Fail(failure.status);
    return BeginStop(turn);
  }
  const Status why = failure.status;
  failures().thrown = std::move(failure);
  return Fail(turn, why);
}

After ActorCell::Resume(Turn& turn) {
  if (Family* have = family_if_any(); have != nullptr) {
    for (const auto& child : std::exchange(have->undecided, {})) child->Signal(kResumeSignal);
  }
  if (!has_object_) {
    // It failed before there was anything to go on with.
    const std::optional<Duration> pause =
        factory_->repeatable ? NextPause(turn) : std::optional<Duration>();
    if (pause.has_value()) return BeginRestart(turn, *pause, /*keep_object=*/false);
    return StopAfterFailure(
        turn, {absl::FailedPreconditionError("resumed without an object, and may not restart"),
               nullptr, ""});
  }
  if (state_ == State::kEscalated) state_ = State::kRunning;
  RetireIdle();
  had_message_ = after_message_;  // idleness counts from here
  if (extras().to_be_suspended) ObeySuspension(turn);
  return After::kGoOn;
}

// --- Restarts ---------------------------------------------------------------------------------

After ActorCell::BeginRestart(Turn& turn, Duration pause, bool keep_object) {
  state_ = State::kRestarting;
  failures().next_pause = pause;
  family().undecided.clear();
  StopTimers();
  UnwatchAll();
  if (!keep_object) DestroyObject();
  // What has no child yet takes none until Rebuild(), either: its OnStop may want to spawn one.
  return family().children.StopStarted() ? Rebuild(turn) : After::kGoOn;
}

After ActorCell::Rebuild(Turn& turn) {
  RunOnStop(turn);
  StopTimers();
  DestroyObject();
  family().children.Reopen();
  Failures& mine = failures();
  if (mine.next_pause == Duration::zero()) return Construct(turn);
  mine.pause = CellTimer::Arm(*turn.worker, Now(turn) + mine.next_pause,
                              CellPtr<MailboxCell>::Share(this), kPauseOverSignal);
  return After::kGoOn;
}

void ActorCell::Restarted(Turn& turn) {
  if (std::exchange(failures().start_count, 0) != 0) {
    Publish<ActorStarted>(turn);  // it took more than one try
    return;
  }
  ++failures().restart_count;
  ClassMetrics::AddOne(turn.worker->class_metrics().EntryOf(ClassName()).restarts);
  Publish<ActorRestarted>(turn);
  for (const auto& child : LivingChildren()) {
    if (child->spawned_by_start()) continue;  // new already
    if (!child->Request(LifeOrder::kRestart).ok()) child->RequestStop();
  }
}

Status ActorCell::Request(LifeOrder order) {
  if (closed()) return absl::UnavailableError(absl::StrCat(Path(), " has stopped"));
  switch (order) {
    case LifeOrder::kRestart:
      if (factory_ == nullptr || !factory_->repeatable) {
        return absl::FailedPreconditionError(
            absl::StrCat("restart ", Path(), ": its arguments cannot be copied"));
      }
      extras().to_be_suspended = false;
      Signal(kRestartSignal);
      break;
    case LifeOrder::kSuspend:
    case LifeOrder::kReinstate:
      extras().to_be_suspended = order == LifeOrder::kSuspend;
      Signal(kSuspensionSignal);
      break;
  }
  return absl::OkStatus();
}

After ActorCell::RestartOnRequest(Turn& turn) {
  const bool live =
      state_ == State::kRunning || state_ == State::kSuspended || state_ == State::kEscalated;
  if (!live) return After::kGoOn;  // it ends, or a new object is on its way
  return BeginRestart(turn, Duration::zero(), /*keep_object=*/true);
}

// --- Suspension -------------------------------------------------------------------------------

void ActorCell::ObeySuspension(Turn& turn) {
  const bool suspend = extras().to_be_suspended;
  if (suspend && state_ == State::kRunning) {
    state_ = State::kSuspended;
    RetireIdle();
    core().events().PublishWith(
        [&] { return ActorSuspended{Path(), ClassText(), absl::OkStatus(), Now(turn)}; });
  } else if (!suspend && state_ == State::kSuspended) {
    state_ = State::kRunning;
    had_message_ = after_message_;  // idleness counts from here
    Publish<ActorReinstated>(turn);
  }
}

}  // namespace quern::internal
