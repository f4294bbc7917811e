#include "actor/actor_cell.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include <absl/strings/str_cat.h>

#include "actor/call_chain.h"
#include "actor/dead_letters.h"
#include "actor/pipes.h"
#include "mailbox/envelope_extra.h"
#include "quern/runtime/context.h"
#include "quern/runtime/event_stream.h"
#include "quern/runtime/lifecycle_events.h"
#include "quern/runtime/limits.h"
#include "quern/runtime/logger.h"
#include "scheduler/worker.h"
#include "system/system_core.h"

namespace quern::internal {

// An idle actor is this, its name and its object.
static_assert(sizeof(ActorCell) <= 112);

namespace {

Status ValidateName(std::string_view name) {
  const bool valid = !name.empty() && name.size() <= kActorNameBytesMax &&
                     std::none_of(name.begin(), name.end(), [](char c) {
                       return c == '/' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
                     });
  if (valid) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("spawn \"", std::string(name),
                   "\": an actor's name is 1 to 255 bytes without '/' and control characters"));
}

}  // namespace

ActorCell::Layout::Layout(const ActorFactory* factory, size_t name_bytes)
    : arguments(sizeof(ActorCell) + name_bytes), alignment(std::align_val_t{alignof(ActorCell)}) {
  const auto align = [](size_t offset, size_t to) { return (offset + to - 1) / to * to; };
  object = arguments;
  bytes = arguments;
  if (factory == nullptr) return;
  arguments = align(arguments, factory->arguments_alignment);
  object = align(arguments + factory->arguments_bytes, factory->actor_class->alignment);
  bytes = object + factory->actor_class->bytes;
  alignment = std::align_val_t{std::max(
      {alignof(ActorCell), factory->actor_class->alignment, factory->arguments_alignment})};
}

ActorCell::ActorCell(SystemCore* core, CellPtr<ActorCell> parent, const SpawnRequest& request,
                     const Layout& layout)
    : MailboxCell(core, SystemCore::NextCellId()),
      name_bytes_(static_cast<uint8_t>(request.name.size())),
      supervision_(request.options->supervision),
      passivate_ms_(static_cast<uint32_t>(std::min<int64_t>(
          std::chrono::ceil<std::chrono::milliseconds>(request.options->passivate_after).count(),
          UINT32_MAX))),
      factory_(request.factory),
      parent_(std::move(parent)),
      object_offset_(static_cast<uint32_t>(layout.object)) {
  std::memcpy(name_begin(), request.name.data(), request.name.size());
}

ActorCell::~ActorCell() {
  DropArguments();
  delete extras_if_any();
}

void ActorCell::DropArguments() {
  if (has_arguments_) factory_->destroy_arguments(arguments());
  has_arguments_ = false;
}

void ActorCell::Dispose() noexcept {
  const std::align_val_t alignment = Layout(factory_, name_bytes_).alignment;
  this->~ActorCell();
  ::operator delete(this, alignment);
}

CellPtr<ActorCell> ActorCell::NewRoot(SystemCore* core, std::function<void()> on_stopped) {
  const SpawnOptions options;
  const Layout layout(nullptr, 0);
  void* memory = ::operator new(layout.bytes, layout.alignment);
  auto* root =
      ::new (memory) ActorCell(core, {}, SpawnRequest{"", nullptr, nullptr, &options}, layout);
  root->extras().on_stopped = std::move(on_stopped);
  root->MarkSignal(kStartSignal);
  root->MailboxCell::Start();
  return CellPtr<ActorCell>::Adopt(root);
}

StatusOr<CellPtr<ActorCell>> ActorCell::Spawn(ActorCell* parent, const SpawnRequest& request) {
  if (Status valid = ValidateName(request.name); !valid.ok()) return valid;
  if (parent->core().stopping()) return absl::UnavailableError("spawn: the system is stopping");
  StatusOr<std::unique_ptr<ChosenMailbox>> mailbox = ChosenMailbox::Make(request.options->mailbox);
  if (!mailbox.ok()) return mailbox.status();
  const Layout layout(request.factory, request.name.size());
  void* memory = ::operator new(layout.bytes, layout.alignment);
  auto cell = CellPtr<ActorCell>::Adopt(::new (memory) ActorCell(
      &parent->core(), CellPtr<ActorCell>::Share(parent), request, layout));
  if (request.factory->arguments_bytes != 0) {
    request.factory->keep_arguments(cell->arguments(), request.arguments);
    cell->has_arguments_ = true;
  }
  cell->SetChosenMailbox(*std::move(mailbox));
  cell->SetStash(request.options->stash_capacity);
  if (request.options->reentrancy != Reentrancy::kOff || request.options->asks_in_flight_max != 0) {
    cell->SetReentry(std::make_unique<Reentry>(request.options->reentrancy,
                                               request.options->asks_in_flight_max));
  }
  if (request.options->dependencies != nullptr) {
    cell->extras().dependencies = request.options->dependencies;
  }
  cell->MarkSignal(kStartSignal);
  // From here others can find it and send; it is not idle, so nobody schedules it but Start().
  if (Status added = parent->extras().children.Add(cell.get()); !added.ok()) return added;
  cell->Start();
  return cell;
}

ActorCell::Extras& ActorCell::extras() {
  Extras* have = extras_if_any();
  if (have != nullptr) return *have;
  auto* made = new Extras;
  if (extras_.compare_exchange_strong(have, made, std::memory_order_acq_rel)) return *made;
  delete made;
  return *have;
}

SideMail* ActorCell::side_mail(bool make) {
  Extras* have = extras_if_any();
  if (have == nullptr || have->side_mail == nullptr) {
    if (!make) return nullptr;
    extras().side_mail = std::make_unique<SideMail>();
  }
  return extras().side_mail.get();
}

std::string ActorCell::Path() const {
  if (!parent_) return "/";
  std::string path = parent_->Path();
  if (path.size() > 1) path += '/';
  path.append(name_begin(), name_bytes_);
  return path;
}

std::vector<CellPtr<ActorCell>> ActorCell::ChildrenFrom(std::string_view first, size_t max) {
  Extras* have = extras_if_any();
  if (have == nullptr) return {};
  return have->children.From(first, max);
}

bool ActorCell::Handles(const Signature* const* signatures, size_t count) const {
  if (factory_ == nullptr) return count == 0;
  const HandlerTable& known = *actor_class().handlers;
  return std::all_of(signatures, signatures + count, [&](const Signature* wanted) {
    return std::find(known.signatures, known.signatures + known.count, wanted) !=
           known.signatures + known.count;
  });
}

std::string_view ActorCell::state_name() const {
  switch (state_.load(std::memory_order_relaxed)) {
    case State::kStarting:
      return "starting";
    case State::kRunning:
      return "running";
    case State::kRestarting:
      return "restarting";
    case State::kStopping:
      return "stopping";
  }
  return "";
}

CellPtr<ActorCell> ActorCell::Find(std::string_view path) {
  CellPtr<ActorCell> cell = CellPtr<ActorCell>::Share(this);
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    Extras* have = cell->extras_if_any();
    if (have == nullptr) return {};
    cell = have->children.Find(path.substr(0, slash));
    if (!cell) return {};
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return cell;
}

ActorTimers* ActorCell::Timers(bool make) {
  if (make) return stopping() ? nullptr : &extras().timers;
  Extras* have = extras_if_any();
  return have == nullptr ? nullptr : &have->timers;
}

After ActorCell::OnSignals(Turn& turn, uint32_t bits) {
  if ((bits & kStartSignal) != 0 && state_ == State::kStarting && (bits & kStopSignal) == 0) {
    if (Construct(turn) == After::kEnded) return After::kEnded;
    if (state_ == State::kRunning) Publish<ActorStarted>(turn);
  }
  if ((bits & kStopSignal) != 0 && state_ != State::kStopping) return BeginStop(turn);
  if ((bits & kTimerSignal) != 0) {
    if (Status told = FireTimers(turn); !told.ok()) return Fail(turn, told);
  }
  if ((bits & kFailedSignal) != 0 && state_ == State::kRunning) {
    return Fail(turn, std::exchange(extras().failure, absl::OkStatus()));
  }
  if ((bits & kChildrenGoneSignal) != 0) return ChildrenGone(turn);
  if ((bits & kRestartSignal) != 0 && state_ == State::kRestarting) {
    std::exchange(extras().pause, nullptr)->Retire();
    const After after = Construct(turn);
    if (after == After::kGoOn && state_ == State::kRunning) Publish<ActorRestarted>(turn);
    return after;
  }
  if ((bits & kIdleSignal) != 0 && state_ == State::kRunning && Idle(turn)) {
    Publish<ActorPassivated>(turn);
    return BeginStop(turn);
  }
  return After::kGoOn;
}

// An event that says no more than who and when. Not for the root.
template <typename E>
void ActorCell::Publish(Turn& turn) {
  if (factory_ == nullptr) return;
  core().events().PublishWith(
      [&] { return E{Path(), std::string(actor_class().name), turn.worker->ReadClock()}; });
}

After ActorCell::Construct(Turn& turn) {
  if (factory_ == nullptr) {
    state_ = State::kRunning;
    return After::kGoOn;
  }
  const bool last = supervision_ == Supervision::kStop || !factory_->repeatable;
  EndStates();
  ReturnStash(SIZE_MAX);
  turn.constructing = this;
  Status status = RunGuarded(turn, [&](Context&) {
    factory_->construct(object(), arguments(), last);
    return absl::OkStatus();
  });
  turn.constructing = nullptr;
  if (last) DropArguments();
  has_object_ = status.ok();
  if (status.ok() && actor_class().on_start != nullptr) {
    status = RunGuarded(
        turn, [&](Context& context) { return actor_class().on_start(object(), context); });
  }
  if (!status.ok()) return Fail(turn, status);
  state_ = State::kRunning;
  if (passivate_ms_ != 0) had_message_ = true;
  return After::kGoOn;
}

After ActorCell::OnMessage(Turn& turn, Envelope* envelope) {
  Thunk thunk = factory_ == nullptr ? nullptr : actor_class().handlers->Find(*envelope);
  void* self = object();
  if (in_state_) [[unlikely]]
    FindInState(*envelope, &thunk, &self);
  if (thunk == nullptr && factory_ != nullptr) thunk = actor_class().any;
  if (thunk == nullptr) {
    if (!envelope->is_ask()) {
      core().dead_letters().Add({.reason = DeadLetterReason::kUnhandled,
                                 .target = Path(),
                                 .message = envelope->signature->message_name,
                                 .sender_id = SenderIdOf(*envelope)});
    }
    DropEnvelope(envelope, absl::NotFoundError(absl::StrCat(Path(), " knows no such message")));
    return After::kGoOn;
  }
  had_message_ = true;
  const Status ran = RunMessage(turn, envelope, thunk, self);
  if (!turn.consuming) had_message_ = true;  // others have run meanwhile
  if (ran.ok()) return After::kGoOn;
  if (!DeferEnd(kFailedSignal)) return Fail(turn, ran);
  extras().failure.Update(ran);
  return After::kGoOn;
}

After ActorCell::Fail(Turn& turn, const Status& why) {
  const std::string path = Path();
  core().events().PublishWith([&] {
    return ActorFailed{path, std::string(actor_class().name), why, turn.worker->ReadClock()};
  });
  StopTimers();
  DestroyObject();
  // Asked to stop meanwhile: the signal is still there and decides.
  if (StopRequested()) return After::kGoOn;
  std::optional<Duration> pause;
  if (supervision_ == Supervision::kRestart && factory_->repeatable) {
    pause = extras().restarts.Take(turn.worker->ReadClock());
  }
  if (!pause.has_value()) {
    core().logger().Log(LogLevel::kError, "actor failed and stops",
                        {{"actor", path}, {"class", actor_class().name}, {"why", why.ToString()}});
    return BeginStop(turn);
  }
  core().logger().Log(LogLevel::kWarn, "actor failed and restarts",
                      {{"actor", path},
                       {"class", actor_class().name},
                       {"why", why.ToString()},
                       {"pause_ms", std::chrono::ceil<std::chrono::milliseconds>(*pause).count()}});
  state_ = State::kRestarting;
  extras().next_pause = *pause;
  if (extras().children.StopAll()) BeginRestartPause(turn);
  return After::kGoOn;
}

void ActorCell::BeginRestartPause(Turn& turn) {
  extras().children.Reopen();
  const Time due = turn.worker->ReadClock() + extras().next_pause;
  extras().pause =
      CellTimer::Arm(*turn.worker, due, CellPtr<MailboxCell>::Share(this), kRestartSignal);
}

After ActorCell::ChildrenGone(Turn& turn) {
  if (state_ == State::kStopping) return FinishStop(turn);
  if (state_ == State::kRestarting && extras().pause == nullptr) BeginRestartPause(turn);
  return After::kGoOn;
}

After ActorCell::BeginStop(Turn& turn) {
  state_ = State::kStopping;
  StopTimers();
  // Without extras nobody has spawned a child, and from this turn on nobody will.
  Extras* have = extras_if_any();
  if (have == nullptr || have->children.StopAll()) return FinishStop(turn);
  return After::kGoOn;
}

After ActorCell::FinishStop(Turn& turn) {
  if (has_object_ && actor_class().on_stop != nullptr) {
    turn.cancellable = false;  // OnStop may still ask
    Status status = RunGuarded(
        turn, [&](Context& context) { return actor_class().on_stop(object(), context); });
    if (!status.ok()) {
      core().logger().Log(LogLevel::kError, "OnStop failed",
                          {{"actor", Path()}, {"why", status.ToString()}});
    }
  }
  StopTimers();
  ReturnStash(SIZE_MAX);  // refused with the mailbox
  Close(turn);
  DestroyObject();
  Publish<ActorStopped>(turn);
  if (parent_) {
    // The parent's count goes last: this cell may be gone when Release() returns.
    CellPtr<ActorCell> parent = parent_;
    if (parent->extras().children.Remove(this)) parent->Signal(kChildrenGoneSignal);
    Release();
  } else {
    extras().on_stopped();
  }
  return After::kEnded;
}

void ActorCell::StopTimers() {
  Extras* have = extras_if_any();
  if (have == nullptr) return;
  have->timers.CancelAll();
  if (have->pipes != nullptr) have->pipes->CancelAll();
  if (have->pause != nullptr) std::exchange(have->pause, nullptr)->Retire();
  if (have->idle != nullptr) std::exchange(have->idle, nullptr)->Retire();
}

void ActorCell::DestroyObject() {
  if (!std::exchange(has_object_, false)) return;
  actor_class().destroy(object());
}

void ActorCell::OnTurnEnd(Turn& turn) {
  if (passivate_ms_ == 0 || !std::exchange(had_message_, false)) return;
  extras().last_active = turn.worker->ReadClock();
  if (extras().idle == nullptr) {
    ArmIdle(turn, extras().last_active + std::chrono::milliseconds(passivate_ms_));
  }
}

void ActorCell::ArmIdle(Turn& turn, Time due) {
  extras().idle = CellTimer::Arm(*turn.worker, due, CellPtr<MailboxCell>::Share(this), kIdleSignal);
}

bool ActorCell::Idle(Turn& turn) {
  if (extras().idle != nullptr) std::exchange(extras().idle, nullptr)->Retire();
  const Stash* stashed = stash();
  if (HasMessages() || had_message_ || (stashed != nullptr && stashed->size() != 0)) {
    had_message_ = true;  // armed again at the end of this turn
    return false;
  }
  const Time due = extras().last_active + std::chrono::milliseconds(passivate_ms_);
  if (turn.worker->ReadClock() >= due) return true;
  ArmIdle(turn, due);
  return false;
}

}  // namespace quern::internal
