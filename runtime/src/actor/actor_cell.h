// An actor's cell: the object, its place in the tree, and its life (ARCHITECTURE.md, D5).
//
//   starting    the first turn: constructor, OnStart
//   running     messages
//   suspended   somebody asked for it: messages wait, the object and its timers stay
//   escalated   it has failed and its parent decides: messages wait
//   restarting  the old object goes, children that OnStart spawned stop, then a pause, then a new
//               object; messages wait
//   stopping    nothing is handled; children stop first, then OnStop, the mailbox is dead-lettered,
//               the object is destroyed
//
// All of it on the actor's own turn. The object lies behind the cell in one allocation, and so does
// a name that was given. What few actors have is in ActorExtras. What follows a failure:
// actor_failure.cc.

#ifndef QUERN_RUNTIME_SRC_ACTOR_ACTOR_CELL_H_
#define QUERN_RUNTIME_SRC_ACTOR_ACTOR_CELL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

#include "actor/actor_extras.h"
#include "actor/actor_name.h"
#include "actor/actor_timers.h"
#include "actor/mailbox_cell.h"
#include "actor/state_stack.h"
#include "quern/runtime/event_stream.h"
#include "quern/runtime/internal/actor_class.h"
#include "quern/runtime/internal/spawn.h"
#include "quern/runtime/spawn_options.h"
#include "quern/runtime/status.h"
#include "system/system_core.h"

namespace quern::internal {

class Pipes;

class ActorCell final : public MailboxCell {
 public:
  // The root of a tree: no object. The caller owns one count and calls Begin().
  static CellPtr<ActorCell> NewRoot(SystemCore* core, std::function<void()> on_stopped);

  // A child of `parent`, started. Codes as SpawnActor().
  static StatusOr<CellPtr<ActorCell>> Spawn(ActorCell* parent, const SpawnRequest& request);

  std::string Path() const override;
  std::string_view PathView() override;
  void RequestStop() override { Signal(kStopSignal); }
  Status Request(LifeOrder order) override;
  void Dispose() noexcept override;

  ActorName name() const { return named() ? ActorName(given_name()) : ActorName(id()); }
  bool named() const { return name_bytes_ != 0; }
  // Empty: none.
  std::string_view given_name() const;
  // Its parent's OnStart did, and will again when the parent restarts.
  bool spawned_by_start() const { return spawned_by_start_; }

  // By names below this cell ("a/b"). Null: none. Thread-safe.
  CellPtr<ActorCell> Find(std::string_view path);

  // As Children::From(). Thread-safe.
  std::vector<CellPtr<ActorCell>> ChildrenFrom(std::string_view first, size_t max);

  // Children: none is left of those that have been asked to stop. Thread-safe.
  void SignalChildrenGone() { Signal(kChildrenGoneSignal); }
  // Of one that has ended: out of its parent's table, under whose lock this is called. Who still
  // holds the child may ask for its path.
  void LeaveParent();
  ActorCell* next_gone() const { return static_cast<ActorCell*>(next_closed()); }
  void SetNextGone(ActorCell* next) { SetNextClosed(next); }

  // Whether it handles every one of them. Thread-safe.
  bool Handles(const Signature* const* signatures, size_t count) const;

  // For listings. Thread-safe.
  std::string_view ClassName() const override {
    return factory_ == nullptr ? "" : actor_class().name;
  }
  std::string_view state_name() const;

  // Null: none. Thread-safe.
  const Extensions* dependencies() const {
    const ActorExtras* have = extras_if_any();
    return have == nullptr ? nullptr : have->dependencies.get();
  }

  // Of `target`, on this actor's own turn (death_watch.h).
  Status Watch(ActorCell* target);
  void Unwatch(ActorCell* target);

  // On the actor's own turn.
  void PausePassivation(bool pause);
  std::vector<CellPtr<ActorCell>> LivingChildren() const;
  // Null: the root.
  ActorCell* parent() const { return parent_; }
  ActorTimers* Timers(bool make) override;
  bool stopping() const { return state_ == State::kStopping; }
  uint64_t restarts() const {
    const ActorExtras* have = extras_if_any();
    return have == nullptr || have->failures == nullptr ? 0 : have->failures->restart_count;
  }

  std::shared_ptr<Pipes>& pipes() { return extras().pipes; }

  // The handlers of a state before the actor's own, from the next message on.
  void Become(const StateStack::State& state);
  bool BecomeStacked(const StateStack::State& state);
  bool Unbecome();

 protected:
  friend class MailboxCell;
  void RunTurn(Worker& worker) override;
  TurnEnd RunMessages(Turn& turn, int clock_mask) override;
  After OnSignals(Turn& turn, uint32_t bits) override;
  After OnMessage(Turn& turn, Envelope* envelope) override;
  void OnTurnEnd(Turn& turn) override {
    if (had_message_) [[unlikely]] {
      NoteUse(turn);
    }
  }
  void OnThrown(Turn& turn, const std::exception_ptr& thrown) override;
  void OnReturnedError(Turn& turn, const Status& status) override;
  bool KeepsForRetry(Turn& turn, Envelope* envelope, const Status& why) override;
  bool Accepting() const override { return state_ == State::kRunning; }

 private:
  static constexpr uint32_t kStartSignal = kOwnSignals;
  static constexpr uint32_t kChildrenGoneSignal = kOwnSignals << 1;
  static constexpr uint32_t kPauseOverSignal = kOwnSignals << 2;
  static constexpr uint32_t kIdleSignal = kOwnSignals << 3;
  static constexpr uint32_t kRestartSignal = kOwnSignals << 4;     // somebody asked for it
  static constexpr uint32_t kSuspensionSignal = kOwnSignals << 5;  // look at to_be_suspended
  static constexpr uint32_t kEscalationSignal = kOwnSignals << 6;  // look at escalations
  static constexpr uint32_t kResumeSignal = kOwnSignals << 7;      // the parent resumes
  static constexpr uint32_t kEvictionSignal = kOwnSignals << 8;    // chosen; to the root: choose
  static constexpr uint32_t kFailedSignal = kOwnSignals << 15;  // while others of its handlers ran

  enum class State : uint8_t {
    kStarting,
    kRunning,
    kSuspended,
    kEscalated,
    kRestarting,
    kStopping
  };

  // Behind the cell, in one allocation: the object, the kept arguments, the name. Offsets from the
  // cell; in front of it there is a gap where the object's alignment asks for one.
  struct Layout {
    static constexpr size_t kPooledAlignment = alignof(std::max_align_t);

    Layout(const ActorFactory* factory, size_t name_bytes);
    void* Allocate() const;
    void Free(ActorCell* cell) const;
    size_t gap;
    size_t arguments;
    size_t name;
    size_t bytes;
    size_t alignment;
  };

  ActorCell(SystemCore* core, ActorCell* parent, const SpawnRequest& request);
  void KeepOptions(const SpawnOptions& options, std::unique_ptr<ChosenMailbox> mailbox);
  void KeepSystemOptions();
  ~ActorCell() override;

  char* name_begin() const;
  void* arguments() {
    return reinterpret_cast<char*>(this) + Layout(factory_, name_bytes_).arguments;
  }
  const ActorClass& actor_class() const { return *factory_->actor_class; }
  void DropArguments();
  void* object() { return this + 1; }

  // An event that says no more than who and when. Not for the root.
  template <typename E>
  void Publish(Turn& turn) {
    if (factory_ == nullptr) return;
    core().events().PublishWith([&] { return E{Path(), ClassText(), Now(turn)}; });
  }
  std::string ClassText() const { return std::string(ClassName()); }
  static Time Now(Turn& turn);
  After Construct(Turn& turn);
  Status RunOnStart(Turn& turn);
  void RunOnStop(Turn& turn);
  After BeginStop(Turn& turn);
  After FinishStop(Turn& turn);
  After ChildrenGone(Turn& turn);
  void DestroyObject();
  void EndStates();
  void FindInState(const Envelope& envelope, Thunk* thunk, void** self);
  void StopTimers();
  After OnUnknownMessage(Turn& turn, Envelope* envelope);

  // death_watch.cc
  After OnTerminated(Turn& turn, Envelope* envelope);
  void TellTerminated(ActorCell& watcher) const;
  void TellWatchers();
  void Forget(const ActorCell& watcher);
  void UnwatchAll();

  // passivation.cc
  // After a handler that went well, for those who asked to be told.
  After AfterMessage(Turn& turn);
  void NoteUse(Turn& turn);
  bool Idle(Turn& turn);
  void ArmIdle(Turn& turn, Time due);
  void RetireIdle();
  After Evicted(Turn& turn);

  // eviction.cc: the root's
  void ArmEviction(Turn& turn);
  void ChooseVictims(Turn& turn);

  After OnLifeSignals(Turn& turn, uint32_t bits);

  // actor_failure.cc
  const Supervisor& supervisor() const;
  After Fail(Turn& turn, const Status& why);
  // At once, or when the others of its handlers have ended.
  After FailWhenAlone(Turn& turn, const Status& why);
  After Obey(Turn& turn, Directive directive, const Failure& failure);
  After RestartAfterFailure(Turn& turn, const Failure& failure);
  After StopAfterFailure(Turn& turn, const Failure& failure);
  After Escalate(const Failure& failure);
  After TakeEscalations(Turn& turn);
  After Resume(Turn& turn);
  void ShareWithSiblings(Directive directive);
  std::optional<Duration> NextPause(Turn& turn);
  void NoteStartFailure(Turn& turn);
  // `keep_object`: until the children are gone, for OnStop.
  After BeginRestart(Turn& turn, Duration pause, bool keep_object);
  After Rebuild(Turn& turn);
  void Restarted(Turn& turn);
  After RestartOnRequest(Turn& turn);
  void ObeySuspension(Turn& turn);

  ActorExtras& extras() { return extras_.Get(); }
  SideMail* side_mail(bool make) override;
  ActorExtras* extras_if_any() const { return extras_.IfAny(); }
  Family& family() { return extras().family.Get(); }
  // Null: it has never had a child, nor been restarted.
  Family* family_if_any() const;
  Failures& failures();

  // The small ones first: they fill the base's tail.
  const uint8_t name_bytes_;                     // 0: none was given
  std::atomic<State> state_ = State::kStarting;  // written on the own turn, listed from anywhere
  const bool spawned_by_start_;
  // The own turn's, and after the last one that of who takes the cell out of its parent's table.
  bool has_object_ : 1 = false;
  bool has_arguments_ : 1 = false;
  bool in_state_ : 1 = false;       // extras hold a state
  bool after_message_ : 1 = false;  // AfterMessage() has something to do
  bool had_message_ : 1 = false;
  bool holds_parent_ : 1 = false;      // a count of it
  const ActorFactory* const factory_;  // null: the root
  ActorCell* const parent_;
  MadeOnce<ActorExtras> extras_;
};

// Null: it is something else.
inline ActorCell* AsActor(Cell* cell) {
  return cell != nullptr && typeid(*cell) == typeid(ActorCell) ? static_cast<ActorCell*>(cell)
                                                               : nullptr;
}

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_ACTOR_CELL_H_
