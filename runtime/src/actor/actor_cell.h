// An actor's cell: the object, its place in the tree, and its life (ARCHITECTURE.md, D5).
//
//   starting    the first turn: constructor, OnStart
//   running     messages
//   restarting  after a failure: the object is gone, children stop, then a pause; messages wait
//   stopping    nothing is handled; children stop first, then OnStop, the mailbox is dead-lettered,
//   the
//               object is destroyed
//
// All of it on the actor's own turn. The object lies behind the cell in one allocation, and so does
// the name. What few actors have (children, timers, a restart's history, passivation) is in Extras.

#ifndef QUERN_RUNTIME_SRC_ACTOR_ACTOR_CELL_H_
#define QUERN_RUNTIME_SRC_ACTOR_ACTOR_CELL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "actor/actor_timers.h"
#include "actor/children.h"
#include "actor/mailbox_cell.h"
#include "actor/restart_budget.h"
#include "actor/state_stack.h"
#include "mailbox/side_mail.h"
#include "quern/runtime/internal/actor_class.h"
#include "quern/runtime/internal/spawn.h"
#include "quern/runtime/spawn_options.h"
#include "quern/runtime/status.h"

namespace quern::internal {

class Pipes;

class ActorCell final : public MailboxCell {
 public:
  // The root of a tree: no object. The caller owns one count and calls Begin().
  static CellPtr<ActorCell> NewRoot(SystemCore* core, std::function<void()> on_stopped);

  // A child of `parent`, started. Codes as SpawnActor().
  static StatusOr<CellPtr<ActorCell>> Spawn(ActorCell* parent, const SpawnRequest& request);

  std::string Path() const override;
  void RequestStop() override { Signal(kStopSignal); }
  void Dispose() noexcept override;

  std::string_view name() const { return {name_begin(), name_bytes_}; }

  // By names below this cell ("a/b"). Null: none. Thread-safe.
  CellPtr<ActorCell> Find(std::string_view path);

  // As Children::From(). Thread-safe.
  std::vector<CellPtr<ActorCell>> ChildrenFrom(std::string_view first, size_t max);

  // Whether it handles every one of them. Thread-safe.
  bool Handles(const Signature* const* signatures, size_t count) const;

  // For listings. Thread-safe.
  std::string_view ClassName() const override { return class_name(); }
  std::string_view class_name() const { return factory_ == nullptr ? "" : actor_class().name; }
  std::string_view state_name() const;

  // Null: none. Thread-safe.
  const Extensions* dependencies() const {
    Extras* have = extras_if_any();
    return have == nullptr ? nullptr : have->dependencies.get();
  }

  // On the actor's own turn.
  ActorTimers* Timers(bool make) override;
  bool stopping() const { return state_ == State::kStopping; }

  std::shared_ptr<Pipes>& pipes() { return extras().pipes; }

  // The handlers of a state before the actor's own, from the next message on.
  void Become(const StateStack::State& state);
  bool BecomeStacked(const StateStack::State& state);
  bool Unbecome();

 protected:
  After OnSignals(Turn& turn, uint32_t bits) override;
  After OnMessage(Turn& turn, Envelope* envelope) override;
  void OnTurnEnd(Turn& turn) override;
  bool Accepting() const override { return state_ == State::kRunning; }

 private:
  static constexpr uint32_t kStartSignal = kOwnSignals;
  static constexpr uint32_t kChildrenGoneSignal = kOwnSignals << 1;
  static constexpr uint32_t kRestartSignal = kOwnSignals << 2;
  static constexpr uint32_t kIdleSignal = kOwnSignals << 3;
  static constexpr uint32_t kFailedSignal = kOwnSignals << 15;  // while others of its handlers ran

  enum class State : uint8_t { kStarting, kRunning, kRestarting, kStopping };

  // Made when first needed; the children are everybody's, the rest belongs to the actor's turn.
  struct Extras {
    Children children;
    ActorTimers timers;
    RestartBudget restarts;
    StateStack states;
    std::shared_ptr<Pipes> pipes;
    Duration next_pause{};
    CellTimer* pause = nullptr;  // of a restart
    CellTimer* idle = nullptr;   // passivation
    Time last_active{};
    std::function<void()> on_stopped;  // the root's
    std::unique_ptr<SideMail> side_mail;
    Status failure;  // of kFailedSignal
    std::shared_ptr<const Extensions> dependencies;  // the spawner's; set before the start
  };

  // Behind the cell, in one allocation: the name, the kept arguments, the object.
  struct Layout {
    Layout(const ActorFactory* factory, size_t name_bytes);
    size_t arguments;
    size_t object;
    size_t bytes;
    std::align_val_t alignment;
  };

  ActorCell(SystemCore* core, CellPtr<ActorCell> parent, const SpawnRequest& request,
            const Layout& layout);
  ~ActorCell() override;

  char* name_begin() const { return reinterpret_cast<char*>(const_cast<ActorCell*>(this) + 1); }
  void* arguments() {
    return reinterpret_cast<char*>(this) + Layout(factory_, name_bytes_).arguments;
  }
  const ActorClass& actor_class() const { return *factory_->actor_class; }
  void DropArguments();
  void* object() { return reinterpret_cast<char*>(this) + object_offset_; }

  template <typename E>
  void Publish(Turn& turn);
  After Construct(Turn& turn);
  After Fail(Turn& turn, const Status& why);
  After BeginStop(Turn& turn);
  After FinishStop(Turn& turn);
  void BeginRestartPause(Turn& turn);
  After ChildrenGone(Turn& turn);
  void DestroyObject();
  void EndStates();
  void FindInState(const Envelope& envelope, Thunk* thunk, void** self);
  void StopTimers();
  bool Idle(Turn& turn);
  void ArmIdle(Turn& turn, Time due);
  Extras& extras();
  SideMail* side_mail(bool make) override;
  Extras* extras_if_any() const { return extras_.load(std::memory_order_acquire); }

  // The small ones first: they fill the base's tail.
  const uint8_t name_bytes_;
  const Supervision supervision_;
  const uint32_t passivate_ms_;
  const ActorFactory* const factory_;  // null: the root
  const CellPtr<ActorCell> parent_;
  std::atomic<Extras*> extras_{nullptr};
  const uint32_t object_offset_;
  std::atomic<State> state_ = State::kStarting;  // written on the own turn, listed from anywhere
  bool has_object_ = false;
  bool has_arguments_ : 1 = false;
  bool in_state_ : 1 = false;  // extras hold a state
  bool had_message_ = false;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_ACTOR_CELL_H_
