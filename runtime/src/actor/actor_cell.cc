#include "actor/actor_cell.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include <absl/strings/str_cat.h>

#include "actor/call_chain.h"
#include "actor/dead_letters.h"
#include "actor/message_loop.h"
#include "actor/pipes.h"
#include "mailbox/envelope_extra.h"
#include "mailbox/worker_blocks.h"
#include "quern/runtime/context.h"
#include "quern/runtime/death_watch.h"
#include "quern/runtime/event_stream.h"
#include "quern/runtime/lifecycle_events.h"
#include "quern/runtime/limits.h"
#include "quern/runtime/logger.h"
#include "scheduler/worker.h"
#include "system/system_core.h"

namespace quern::internal {

// An idle actor is this and its object, and a name that it was given.
static_assert(sizeof(ActorCell) <= 88);

namespace {

// Well-formed UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
bool IsUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i++]);
    if (lead < 0x80) continue;
    const int more = lead >= 0xc2 && lead < 0xe0 ? 1 : lead >= 0xe0 && lead < 0xf0 ? 2 : 3;
    if (lead < 0xc2 || lead > 0xf4 || text.size() - i < static_cast<size_t>(more)) return false;
    const auto next = static_cast<unsigned char>(text[i]);
    if ((lead == 0xe0 && next < 0xa0) || (lead == 0xed && next > 0x9f) ||
        (lead == 0xf0 && next < 0x90) || (lead == 0xf4 && next > 0x8f)) {
      return false;
    }
    for (int k = 0; k < more; ++k) {
      if ((static_cast<unsigned char>(text[i++]) & 0xc0) != 0x80) return false;
    }
  }
  return true;
}

Status ValidateName(std::string_view name) {
  const bool plain = std::none_of(name.begin(), name.end(), [](char c) {
    return c == '/' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  const bool relative = name == "." || name == "..";  // a path's own words
  if (name.starts_with(ActorName::kGeneratedMark)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "spawn \"", IsUtf8(name) ? std::string(name) : "(not UTF-8)",
        "\": names that begin with '$' are those of actors that are spawned without one"));
  }
  if (!name.empty() && name.size() <= kActorNameBytesMax && plain && !relative && IsUtf8(name)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("spawn \"", IsUtf8(name) ? std::string(name) : "(not UTF-8)",
                   "\": an actor's name is 1 to 255 bytes of UTF-8 without '/' and control "
                   "characters, and neither \".\" nor \"..\""));
}

size_t NameBytes(const SpawnRequest& request) {
  return request.name.has_value() ? request.name->size() : 0;
}

}  // namespace

ActorCell::Layout::Layout(const ActorFactory* factory, size_t name_bytes)
    : gap(0), arguments(sizeof(ActorCell)), name(sizeof(ActorCell)), alignment(alignof(ActorCell)) {
  const auto align = [](size_t offset, size_t to) { return (offset + to - 1) & ~(to - 1); };
  if (factory != nullptr) {
    const ActorClass& of = *factory->actor_class;
    alignment = std::max({alignment, of.alignment, factory->arguments_alignment});
    gap = align(sizeof(ActorCell), alignment) - sizeof(ActorCell);
    arguments = align(gap + sizeof(ActorCell) + of.bytes, factory->arguments_alignment) - gap;
    name = arguments + factory->arguments_bytes;
  }
  bytes = gap + name + name_bytes;
}

void* ActorCell::Layout::Allocate() const {
  void* const memory = alignment > kPooledAlignment
                           ? ::operator new(bytes, std::align_val_t{alignment})
                           : AllocateBlock(bytes, BlockClassFor(bytes));
  return static_cast<char*>(memory) + gap;
}

void ActorCell::Layout::Free(ActorCell* cell) const {
  void* const memory = reinterpret_cast<char*>(cell) - gap;
  if (alignment > kPooledAlignment) return ::operator delete(memory, std::align_val_t{alignment});
  FreeBlockMemory(memory, BlockClassFor(bytes));
}

ActorCell::ActorCell(SystemCore* core, ActorCell* parent, const SpawnRequest& request)
    : MailboxCell(core, SystemCore::NextCellId()),
      name_bytes_(static_cast<uint8_t>(NameBytes(request))),
      spawned_by_start_(parent != nullptr && parent->parent_ != nullptr &&
                        parent->state_ != State::kRunning),
      factory_(request.factory),
      parent_(parent) {
  if (named()) std::memcpy(name_begin(), request.name->data(), name_bytes_);
}

ActorCell::~ActorCell() { DropArguments(); }

char* ActorCell::name_begin() const {
  return const_cast<char*>(reinterpret_cast<const char*>(this)) +
         Layout(factory_, name_bytes_).name;
}

std::string_view ActorCell::given_name() const { return {name_begin(), name_bytes_}; }

void ActorCell::DropArguments() {
  if (has_arguments_) factory_->destroy_arguments(arguments());
  has_arguments_ = false;
}

void ActorCell::LeaveParent() {
  if (unshared()) return;  // and will be gone at once
  parent_->AddRef();
  holds_parent_ = true;
}

// What it leans on goes last.
void ActorCell::Dispose() noexcept {
  const Layout layout(factory_, name_bytes_);
  SystemCore* const its_core = parent_ == nullptr ? &core() : nullptr;
  ActorCell* const parent = holds_parent_ ? parent_ : nullptr;
  this->~ActorCell();
  layout.Free(this);
  if (parent != nullptr) parent->Release();
  if (its_core != nullptr) its_core->Release();
}

CellPtr<ActorCell> ActorCell::NewRoot(SystemCore* core, std::function<void()> on_stopped) {
  core->AddRef();  // for the whole tree
  auto* root = ::new (Layout(nullptr, 0).Allocate())
      ActorCell(core, nullptr, SpawnRequest{std::nullopt, nullptr, nullptr, nullptr});
  root->extras().on_stopped = std::make_unique<std::function<void()>>(std::move(on_stopped));
  root->MarkSignal(kStartSignal);
  root->MailboxCell::Start();
  return CellPtr<ActorCell>::Adopt(root);
}

StatusOr<CellPtr<ActorCell>> ActorCell::Spawn(ActorCell* parent, const SpawnRequest& request) {
  std::unique_ptr<ChosenMailbox> mailbox;
  if (request.name.has_value()) {
    if (Status valid = ValidateName(*request.name); !valid.ok()) return valid;
  }
  if (request.options != nullptr) {
    if (Status valid = request.options->supervisor.Validate(); !valid.ok()) return valid;
    StatusOr<std::unique_ptr<ChosenMailbox>> made = ChosenMailbox::Make(request.options->mailbox);
    if (!made.ok()) return made.status();
    mailbox = *std::move(made);
  }
  if (parent->core().stopping()) return absl::UnavailableError("spawn: the system is stopping");
  const Layout layout(request.factory, NameBytes(request));
  auto cell = CellPtr<ActorCell>::Adopt(::new (layout.Allocate())
                                            ActorCell(&parent->core(), parent, request));
  if (request.factory->arguments_bytes != 0) {
    request.factory->keep_arguments(cell->arguments(), request.arguments);
    cell->has_arguments_ = true;
  }
  if (request.options != nullptr) cell->KeepOptions(*request.options, std::move(mailbox));
  cell->KeepSystemOptions();
  cell->MarkSignal(kStartSignal);
  // From here others can find it and send; it is not idle, so nobody schedules it but Start().
  if (Status added = parent->family().children.Add(cell.get()); !added.ok()) return added;
  cell->Start();
  return cell;
}

std::string ActorCell::Path() const {
  if (parent_ == nullptr) return "/";
  std::string path = parent_->Path();
  if (path.size() > 1) path += '/';
  path += name().text();
  return path;
}

std::string_view ActorCell::PathView() {
  return extras().path.Get([this] { return Path(); });
}

std::vector<CellPtr<ActorCell>> ActorCell::ChildrenFrom(std::string_view first, size_t max) {
  Family* have = family_if_any();
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
    case State::kSuspended:
      return "suspended";
    case State::kEscalated:
      return "escalated";
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
    Family* have = cell->family_if_any();
    if (have == nullptr) return {};
    cell = have->children.Find(path.substr(0, slash));
    if (!cell) return {};
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return cell;
}

Time ActorCell::Now(Turn& turn) { return turn.worker->ReadClock(); }

After ActorCell::OnSignals(Turn& turn, uint32_t bits) {
  if ((bits & kStartSignal) != 0 && state_ == State::kStarting && (bits & kStopSignal) == 0) {
    if (Construct(turn) == After::kEnded) return After::kEnded;
  }
  if ((bits & kStopSignal) != 0 && state_ != State::kStopping) return BeginStop(turn);
  if ((bits & kChildrenGoneSignal) != 0 && ChildrenGone(turn) == After::kEnded) {
    return After::kEnded;
  }
  const uint32_t rest = bits & ~(kStartSignal | kStopSignal | kChildrenGoneSignal);
  return rest == 0 ? After::kGoOn : OnLifeSignals(turn, rest);
}

After ActorCell::OnLifeSignals(Turn& turn, uint32_t bits) {
  if ((bits & kTimerSignal) != 0) {
    const Status told = FireTimers(turn);
    if (!told.ok() && FailWhenAlone(turn, told) == After::kEnded) return After::kEnded;
  }
  if ((bits & kFailedSignal) != 0 && state_ == State::kRunning) {
    const Status why = std::exchange(failures().deferred, absl::OkStatus());
    if (Fail(turn, why) == After::kEnded) return After::kEnded;
  }
  if ((bits & kPauseOverSignal) != 0 && state_ == State::kRestarting &&
      failures().pause != nullptr) {
    std::exchange(failures().pause, nullptr)->Retire();
    if (Construct(turn) == After::kEnded) return After::kEnded;
  }
  if ((bits & kRestartSignal) != 0 && RestartOnRequest(turn) == After::kEnded) {
    return After::kEnded;
  }
  if ((bits & kSuspensionSignal) != 0) ObeySuspension(turn);
  if ((bits & kEscalationSignal) != 0 && TakeEscalations(turn) == After::kEnded) {
    return After::kEnded;
  }
  if ((bits & kResumeSignal) != 0 && state_ == State::kEscalated && Resume(turn) == After::kEnded) {
    return After::kEnded;
  }
  if ((bits & kIdleSignal) != 0 && state_ == State::kRunning && Idle(turn)) {
    Publish<ActorPassivated>(turn);
    return BeginStop(turn);
  }
  return (bits & kEvictionSignal) != 0 ? Evicted(turn) : After::kGoOn;
}

After ActorCell::Construct(Turn& turn) {
  if (factory_ == nullptr) {
    state_ = State::kRunning;
    ArmEviction(turn);
    return After::kGoOn;
  }
  const bool last = !factory_->repeatable;
  if (state_ == State::kRestarting) {
    EndStates();
    ReturnStash(SIZE_MAX);
  }
  turn.constructing = this;
  Status status = RunGuarded(turn, [&](Context&) {
    factory_->construct(object(), arguments(), last);
    return absl::OkStatus();
  });
  turn.constructing = nullptr;
  if (last) DropArguments();
  has_object_ = status.ok();
  if (status.ok()) status = RunOnStart(turn);
  if (!status.ok()) return Fail(turn, status);
  if (state_ == State::kRestarting) {
    Restarted(turn);
  } else {
    Publish<ActorStarted>(turn);
  }
  state_ = State::kRunning;
  if (after_message_) had_message_ = true;
  ActorExtras* have = extras_if_any();
  if (have != nullptr && have->to_be_suspended) ObeySuspension(turn);
  return After::kGoOn;
}

Status ActorCell::RunOnStart(Turn& turn) {
  if (actor_class().on_start == nullptr) return absl::OkStatus();
  const ActorExtras* have = extras_if_any();
  Duration timeout = have == nullptr ? Duration::zero() : have->start_timeout;
  if (timeout == Duration::zero()) timeout = core().options().start_timeout;
  turn.deadline = turn.worker->FreshNow() + timeout;
  if (have != nullptr && have->failures != nullptr && have->failures->start_count != 0) {
    turn.deadline = have->failures->start_until;
  }
  return RunGuarded(turn,
                    [&](Context& context) { return actor_class().on_start(object(), context); });
}

QUERN_ALWAYS_INLINE After ActorCell::OnMessage(Turn& turn, Envelope* envelope) {
  Thunk thunk = factory_ == nullptr ? nullptr : actor_class().handlers->Find(*envelope);
  void* self = object();
  if (in_state_) [[unlikely]] {
    FindInState(*envelope, &thunk, &self);
  }
  if (thunk == nullptr) [[unlikely]] {
    return OnUnknownMessage(turn, envelope);
  }
  if (const Failed why = RunMessage(turn, envelope, thunk, self); why != nullptr) [[unlikely]] {
    return FailWhenAlone(turn, *why);
  }
  return after_message_ ? AfterMessage(turn) : After::kGoOn;
}

void ActorCell::RunTurn(Worker& worker) { TurnOf(*this, worker); }

MailboxCell::TurnEnd ActorCell::RunMessages(Turn& turn, int clock_mask) {
  return MessageLoop(*this, turn, clock_mask);
}

After ActorCell::OnUnknownMessage(Turn& turn, Envelope* envelope) {
  if (factory_ != nullptr && envelope->signature == &kSignature<TerminatedSignature>) {
    return OnTerminated(turn, envelope);
  }
  if (factory_ != nullptr && actor_class().any != nullptr) {
    const Failed why = RunMessage(turn, envelope, actor_class().any, object());
    if (why != nullptr) return FailWhenAlone(turn, *why);
    return after_message_ ? AfterMessage(turn) : After::kGoOn;
  }
  if (!envelope->is_ask()) {
    core().dead_letters().Add({.reason = DeadLetterReason::kUnhandled,
                               .target = Path(),
                               .message = envelope->signature->message_name,
                               .sender_id = SenderIdOf(*envelope)});
  }
  DropEnvelope(envelope, absl::NotFoundError(absl::StrCat(Path(), " knows no such message")));
  return After::kGoOn;
}

After ActorCell::ChildrenGone(Turn& turn) {
  if (!family().children.AllGone()) return After::kGoOn;
  if (state_ == State::kStopping) return FinishStop(turn);
  return state_ == State::kRestarting ? Rebuild(turn) : After::kGoOn;
}

After ActorCell::BeginStop(Turn& turn) {
  state_ = State::kStopping;
  StopTimers();
  UnwatchAll();
  // Without extras nobody has spawned a child, and from this turn on nobody will.
  ActorExtras* have = extras_if_any();
  Family* const family = have == nullptr ? nullptr : have->CloseFamily();
  if (family == nullptr || family->children.StopAll()) return FinishStop(turn);
  return After::kGoOn;
}

void ActorCell::RunOnStop(Turn& turn) {
  if (!has_object_ || actor_class().on_stop == nullptr) return;
  const bool cancellable = std::exchange(turn.cancellable, false);  // OnStop may still ask
  Status status =
      RunGuarded(turn, [&](Context& context) { return actor_class().on_stop(object(), context); });
  turn.cancellable = cancellable;
  if (status.ok()) return;
  failures().thrown = {};  // not one that a supervisor decides about
  core().logger().Log(LogLevel::kError, "OnStop failed",
                      {{"actor", Path()}, {"why", status.ToString()}});
}

After ActorCell::FinishStop(Turn& turn) {
  RunOnStop(turn);
  StopTimers();
  if (Family* have = family_if_any(); have != nullptr) {
    have->undecided.clear();  // children that had escalated: they hold this cell, too
    have->escalations.Take();
  }
  ReturnStash(SIZE_MAX);  // refused with the mailbox
  Close(turn);
  DestroyObject();
  turn.worker->tells().Flush();  // what its destructor told comes before Terminated
  DropArguments();
  Publish<ActorStopped>(turn);
  turn.over = true;
  if (parent_ == nullptr) {
    (*extras().on_stopped)();
    return After::kEnded;
  }
  // Watchers may use the name again. Who has never been watched may be gone after End().
  const ActorExtras* have = extras_if_any();
  const bool watched = have != nullptr && have->watchers.IfAny() != nullptr;
  const auto held = CellPtr<ActorCell>::Share(watched ? this : nullptr);
  parent_->family().children.End(this);
  if (watched) TellWatchers();
  return After::kEnded;
}

void ActorCell::StopTimers() {
  ActorExtras* have = extras_if_any();
  if (have == nullptr) return;
  if (have->timers != nullptr) have->timers->CancelAll();
  if (have->pipes != nullptr) have->pipes->CancelAll();
  if (have->failures != nullptr && have->failures->pause != nullptr) {
    std::exchange(have->failures->pause, nullptr)->Retire();
  }
  if (have->idle != nullptr) std::exchange(have->idle, nullptr)->Retire();
}

void ActorCell::DestroyObject() {
  if (!has_object_) return;
  has_object_ = false;
  actor_class().destroy(object());
}

}  // namespace quern::internal
