#include "actor/actor_cell.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include <absl/strings/str_cat.h>

#include "actor/call_chain.h"
#include "quern/runtime/context.h"
#include "quern/runtime/limits.h"
#include "quern/runtime/logger.h"
#include "scheduler/worker.h"
#include "system/system_core.h"

namespace quern::internal {
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

constexpr SpawnOptions kRootOptions{};

}  // namespace

size_t ActorCell::ObjectOffset(size_t name_bytes, size_t alignment) {
  const size_t align = std::max(alignment, alignof(std::max_align_t));
  return (sizeof(ActorCell) + name_bytes + align - 1) / align * align;
}

ActorCell::ActorCell(SystemCore* core, CellPtr<ActorCell> parent, const SpawnRequest& request,
                     size_t object_offset)
    : MailboxCell(core, SystemCore::NextCellId()),
      class_(request.actor_class),
      factory_(request.factory),
      arguments_(request.arguments),
      parent_(std::move(parent)),
      passivate_ms_(static_cast<uint32_t>(std::min<int64_t>(
          std::chrono::ceil<std::chrono::milliseconds>(request.options->passivate_after).count(),
          UINT32_MAX))),
      object_offset_(static_cast<uint16_t>(object_offset)),
      name_bytes_(static_cast<uint8_t>(request.name.size())),
      supervision_(request.options->supervision) {
  std::memcpy(name_begin(), request.name.data(), request.name.size());
}

ActorCell::~ActorCell() {
  if (arguments_ != nullptr) factory_->destroy_arguments(arguments_);
  delete children_if_any();
}

void ActorCell::Dispose() noexcept {
  const std::align_val_t alignment{
      std::max(class_ == nullptr ? size_t{1} : class_->alignment, alignof(ActorCell))};
  this->~ActorCell();
  ::operator delete(this, alignment);
}

CellPtr<ActorCell> ActorCell::NewRoot(SystemCore* core, std::function<void()> on_stopped) {
  void* memory = ::operator new(sizeof(ActorCell), std::align_val_t{alignof(ActorCell)});
  auto* root = ::new (memory)
      ActorCell(core, {}, SpawnRequest{"", nullptr, nullptr, nullptr, &kRootOptions}, 0);
  root->extras().on_stopped = std::move(on_stopped);
  root->children();
  root->MarkSignal(kStartSignal);
  root->MailboxCell::Start();
  return CellPtr<ActorCell>::Adopt(root);
}

StatusOr<CellPtr<ActorCell>> ActorCell::Spawn(ActorCell* parent, const SpawnRequest& request) {
  Status valid = ValidateName(request.name);
  if (valid.ok() && parent->core().stopping()) {
    valid = absl::UnavailableError("spawn: the system is stopping");
  }
  if (!valid.ok()) {
    if (request.arguments != nullptr) request.factory->destroy_arguments(request.arguments);
    return valid;
  }
  const ActorClass& actor_class = *request.actor_class;
  const size_t offset = ObjectOffset(request.name.size(), actor_class.alignment);
  void* memory =
      ::operator new(offset + actor_class.bytes,
                     std::align_val_t{std::max(actor_class.alignment, alignof(ActorCell))});
  auto cell = CellPtr<ActorCell>::Adopt(::new (memory) ActorCell(
      &parent->core(), CellPtr<ActorCell>::Share(parent), request, offset));
  cell->MarkSignal(kStartSignal);
  // From here others can find it and send; it is not idle, so nobody schedules it but Start().
  if (Status added = parent->children().Add(cell.get()); !added.ok()) return added;
  cell->Start();
  return cell;
}

ActorCell::Extras& ActorCell::extras() {
  if (extras_ == nullptr) extras_ = std::make_unique<Extras>();
  return *extras_;
}

Children& ActorCell::children() {
  Children* have = children_if_any();
  if (have != nullptr) return *have;
  auto* made = new Children;
  if (children_.compare_exchange_strong(have, made, std::memory_order_acq_rel)) return *made;
  delete made;
  return *have;
}

std::string ActorCell::Path() const {
  if (!parent_) return "/";
  std::string path = parent_->Path();
  if (path.size() > 1) path += '/';
  path.append(name_begin(), name_bytes_);
  return path;
}

CellPtr<ActorCell> ActorCell::Find(std::string_view path) {
  CellPtr<ActorCell> cell = CellPtr<ActorCell>::Share(this);
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    Children* below = cell->children_if_any();
    if (below == nullptr) return {};
    cell = below->Find(path.substr(0, slash));
    if (!cell) return {};
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return cell;
}

After ActorCell::OnSignals(Turn& turn, uint32_t bits) {
  if ((bits & kStartSignal) != 0 && state_ == State::kStarting && (bits & kStopSignal) == 0) {
    if (Construct(turn) == After::kEnded) return After::kEnded;
  }
  if ((bits & kStopSignal) != 0 && state_ != State::kStopping) return BeginStop(turn);
  if ((bits & kChildrenGoneSignal) != 0) return ChildrenGone(turn);
  if ((bits & kRestartSignal) != 0 && state_ == State::kRestarting) {
    std::exchange(extras().pause, nullptr)->Retire();
    return Construct(turn);
  }
  if ((bits & kIdleSignal) != 0 && state_ == State::kRunning && Idle(turn)) return BeginStop(turn);
  return After::kGoOn;
}

After ActorCell::Construct(Turn& turn) {
  if (class_ == nullptr) {
    state_ = State::kRunning;
    return After::kGoOn;
  }
  const bool last = supervision_ == Supervision::kStop || !factory_->repeatable;
  turn.constructing = this;
  Status status = RunGuarded(turn, [&](Context&) {
    factory_->construct(object(), arguments_, last);
    return absl::OkStatus();
  });
  turn.constructing = nullptr;
  if (last && arguments_ != nullptr) {
    factory_->destroy_arguments(std::exchange(arguments_, nullptr));
  }
  has_object_ = status.ok();
  if (status.ok() && class_->on_start != nullptr) {
    status =
        RunGuarded(turn, [&](Context& context) { return class_->on_start(object(), context); });
  }
  if (!status.ok()) return Fail(turn, status);
  state_ = State::kRunning;
  if (passivate_ms_ != 0) had_message_ = true;
  return After::kGoOn;
}

After ActorCell::OnMessage(Turn& turn, Envelope* envelope) {
  const Thunk thunk = class_ == nullptr ? nullptr : class_->handlers->Find(*envelope);
  if (thunk == nullptr) {
    DropEnvelope(envelope, absl::NotFoundError(absl::StrCat(Path(), " knows no such message")));
    return After::kGoOn;
  }
  had_message_ = true;
  const Status ran = RunMessage(turn, envelope, thunk, object());
  return ran.ok() ? After::kGoOn : Fail(turn, ran);
}

After ActorCell::Fail(Turn& turn, const Status& why) {
  const std::string path = Path();
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
                        {{"actor", path}, {"class", class_->name}, {"why", why.ToString()}});
    return BeginStop(turn);
  }
  core().logger().Log(LogLevel::kWarn, "actor failed and restarts",
                      {{"actor", path},
                       {"class", class_->name},
                       {"why", why.ToString()},
                       {"pause_ms", std::chrono::ceil<std::chrono::milliseconds>(*pause).count()}});
  state_ = State::kRestarting;
  extras().next_pause = *pause;
  Children* below = children_if_any();
  if (below == nullptr || below->StopAll()) BeginRestartPause(turn);
  return After::kGoOn;
}

void ActorCell::BeginRestartPause(Turn& turn) {
  if (Children* below = children_if_any(); below != nullptr) below->Reopen();
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
  Children* below = children_if_any();
  if (below == nullptr || below->StopAll()) return FinishStop(turn);
  return After::kGoOn;
}

After ActorCell::FinishStop(Turn& turn) {
  if (has_object_ && class_->on_stop != nullptr) {
    turn.cancellable = false;  // OnStop may still ask
    Status status =
        RunGuarded(turn, [&](Context& context) { return class_->on_stop(object(), context); });
    if (!status.ok()) {
      core().logger().Log(LogLevel::kError, "OnStop failed",
                          {{"actor", Path()}, {"why", status.ToString()}});
    }
  }
  StopTimers();
  Close(turn);
  DestroyObject();
  if (parent_) {
    // The parent's count goes last: this cell may be gone when Release() returns.
    CellPtr<ActorCell> parent = parent_;
    if (parent->children().Remove(this)) parent->Signal(kChildrenGoneSignal);
    Release();
  } else {
    extras().on_stopped();
  }
  return After::kEnded;
}

void ActorCell::StopTimers() {
  if (extras_ == nullptr) return;
  extras_->timers.CancelAll();
  if (extras_->pause != nullptr) std::exchange(extras_->pause, nullptr)->Retire();
  if (extras_->idle != nullptr) std::exchange(extras_->idle, nullptr)->Retire();
}

void ActorCell::DestroyObject() {
  if (!std::exchange(has_object_, false)) return;
  class_->destroy(object());
}

void ActorCell::OnTurnEnd(Turn& turn) {
  if (passivate_ms_ == 0 || !std::exchange(had_message_, false)) return;
  extras().last_active = turn.worker->ReadClock();
  if (extras_->idle == nullptr) {
    ArmIdle(turn, extras_->last_active + std::chrono::milliseconds(passivate_ms_));
  }
}

void ActorCell::ArmIdle(Turn& turn, Time due) {
  extras().idle = CellTimer::Arm(*turn.worker, due, CellPtr<MailboxCell>::Share(this), kIdleSignal);
}

bool ActorCell::Idle(Turn& turn) {
  if (extras().idle != nullptr) std::exchange(extras().idle, nullptr)->Retire();
  if (HasMessages() || had_message_) {
    had_message_ = true;  // armed again at the end of this turn
    return false;
  }
  const Time due = extras().last_active + std::chrono::milliseconds(passivate_ms_);
  if (turn.worker->ReadClock() >= due) return true;
  ArmIdle(turn, due);
  return false;
}

}  // namespace quern::internal
