// A grain is an actor that always exists: callers name it by kind and key, the first message
// activates it, idleness or the end of its node deactivates it, and the next message activates it
// again, here or elsewhere. At most one activation of a grain may change its state (State<T>).
//
//   struct CounterApi : quern::Protocol<int64_t(Get), int64_t(Add)> {
//     static constexpr std::string_view kKind = "counter";
//   };
//   struct Counter : quern::Grain<CounterApi> {
//     quern::Status OnActivate() override { return absl::OkStatus(); }
//     int64_t On(const Get&) { return *count; }
//     quern::StatusOr<int64_t> On(const Add& m) { return count.SaveThen(*count += m.amount); }
//     quern::State<int64_t> count{this};
//   };
//   system.Host<Counter>({.idle_timeout = 5min});          // once, where it may live
//   system.Grain<CounterApi>("page/home").Ask(Add{1});     // anywhere
//
// Construction, OnActivate, handlers, OnDeactivate and destruction run on the activation's own
// turn, never beside each other. Messages wait while it activates; those that meet a grain on its
// way out are routed again. Order: State is claimed and read, OnActivate, messages, OnDeactivate. A
// handler that throws ends the activation; the next message starts a fresh one. Owner only.
//
// A reentrant kind (GrainOptions::reentrancy) handles further messages while a handler waits for an
// answer. Its activation ends after the last of its handlers: one that fails, or a stop, cancels
// the others; DeactivateSoon(), System::Deactivate() and a move let them end by themselves, and
// what comes meanwhile waits for the next activation, unless one of them may be waiting for it.

#ifndef QUERN_RUNTIME_GRAIN_H_
#define QUERN_RUNTIME_GRAIN_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "quern/runtime/actor.h"
#include "quern/runtime/clock.h"
#include "quern/runtime/epoch.h"
#include "quern/runtime/grain_filter.h"
#include "quern/runtime/grain_id.h"
#include "quern/runtime/internal/cell.h"
#include "quern/runtime/internal/handler_table.h"
#include "quern/runtime/internal/wire_table.h"
#include "quern/runtime/limits.h"
#include "quern/runtime/protocol.h"
#include "quern/runtime/reentrancy.h"
#include "quern/runtime/ref.h"
#include "quern/runtime/status.h"
#include "quern/runtime/timer.h"

namespace quern {

class StateStore;

namespace internal {
class Activation;
class StateBase;
}  // namespace internal

// Of a kind, given where it is hosted.
struct GrainOptions {
  std::string kind = {};  // empty: the Api's kKind
  // Without a message for so long an activation ends. kNeverIdle: it stays. While messages come,
  // one of less than 100 ms is looked at every 100 ms.
  Duration idle_timeout = kGrainIdleDefault;
  // False: ticks of the grain's timers do not count as messages for `idle_timeout`.
  bool ticks_keep_active = true;
  // How often an activation is tried, each time with a fresh object, after a pause of 50 ms that
  // doubles up to 30 s. Repeated is what may pass: UNAVAILABLE, DEADLINE_EXCEEDED,
  // RESOURCE_EXHAUSTED, UNKNOWN (it threw), INTERNAL. After the last failure everybody who waits is
  // answered with it; the next call tries again. 1 to kActivateTriesMax.
  int activate_tries = kActivateTriesDefault;
  // Of all tries together. A sleep or ask that OnActivate then waits in is cancelled, and the
  // answer is DEADLINE_EXCEEDED. Duration::max(): none.
  Duration activate_timeout = kActivateTimeoutDefault;
  // Run around every call, the first one outermost (grain_filter.h).
  GrainFilters filters = {};
  // Not 0: the kind keeps nothing, and of each identity up to so many activations work side by
  // side on this node, wherever the others are. A call goes to one that is idle; if all are busy
  // one more begins, and when there are enough they take turns. So calls have no order, the grains
  // no epoch, and a State in such a grain fails its activation with FAILED_PRECONDITION. At most
  // kStatelessWorkersMax.
  int stateless_workers = 0;
  // Of each claim, save and clear.
  Duration state_timeout = kStateTimeoutDefault;
  // Messages that wait for an activation; more are refused: Tell says kFull, an ask
  // RESOURCE_EXHAUSTED. 0: no bound.
  size_t mailbox_capacity = 0;
  // Whether further messages are handled while a handler waits for an answer (reentrancy.h).
  Reentrancy reentrancy = Reentrancy::kOff;
  // Asks in flight of one activation; more are refused: RESOURCE_EXHAUSTED. 0: no bound.
  uint32_t asks_in_flight_max = 0;
  // Where State is kept; null: the system's. Must outlive the system.
  StateStore* state_store = nullptr;
};

// What every grain class has. Constructed outside a System, as a unit test does, it is a plain
// object: its id and epoch are empty, its State keeps nothing.
class GrainBase {
 public:
  GrainBase(const GrainBase&) = delete;
  GrainBase& operator=(const GrainBase&) = delete;
  virtual ~GrainBase();

  // Runs once, before the first message. What is not OK ends the activation and answers everyone
  // who waits for it. May suspend.
  virtual Status OnActivate();

  // Runs once, after the last message; not when OnActivate failed. `why`: OK for idleness and
  // DeactivateSoon(), else the reason (a move, a stop, a failed save, a handler that threw). May
  // suspend and, unless the state was lost, save.
  virtual void OnDeactivate(const Status& why);

 protected:
  GrainBase();

  const GrainId& id() const { return id_; }
  const std::string& key() const { return id_.key; }

  // Of this activation; carried by everything that it sends and saves.
  const Epoch& epoch() const { return epoch_; }

  // Ends the activation after the handler that runs now, and those that wait. Never suspends.
  void DeactivateSoon();

  // From now on this activation, instead of its kind's idle_timeout; counted from now. kNeverIdle:
  // it stays; zero or less: as DeactivateSoon(). Never suspends.
  void SetIdleTimeout(Duration timeout);

  // It does not end for idleness.
  void StayActive() { SetIdleTimeout(kNeverIdle); }

 private:
  friend class internal::Activation;
  friend class internal::StateBase;

  template <typename Api>
  friend class Grain;

  GrainId id_;
  Epoch epoch_;
  internal::Activation* activation_ = nullptr;
  internal::StateBase* state_ = nullptr;
  bool second_state_ = false;
};

namespace internal {

// Outside a System: empty and null.
CellPtr<Cell> GrainSelf(const Activation* activation, const WireTable& wire);
Cell* CellOf(Activation* activation);

}  // namespace internal

// The base of a grain class; handlers are written as for an Actor, and so are timers (timer.h).
// They end with the activation, and their ticks count as messages: a grain that ticks is not idle.
template <typename GrainApi>
class Grain : public GrainBase, public internal::TimerCalls<Grain<GrainApi>, GrainApi> {
 public:
  using Api = GrainApi;
  using Handled = GrainApi;

 protected:
  // This grain, wherever it will be by the time it is used; empty outside a System.
  Ref<Api> Self() const {
    return Ref<Api>::FromCell(internal::GrainSelf(activation_, internal::kWireTable<Api>));
  }

 private:
  friend class internal::TimerCalls<Grain, Api>;

  internal::Cell* timer_cell() const { return internal::CellOf(activation_); }
};

namespace internal {

// A grain, and its address as what its handlers expect.
struct GrainInstance {
  std::unique_ptr<GrainBase> grain;
  void* self = nullptr;
};

// A grain class with its type erased.
struct GrainType {
  std::string_view kind;
  const HandlerTable* handlers = nullptr;
  const WireTable* wire = nullptr;
  std::function<GrainInstance()> make;  // on any worker, also on several at once
};

// A class with a handler for each message of its Api, whose messages and replies have a Codec and
// whose Api has a kind.
template <typename G>
inline constexpr bool kIsGrain = kHandlesAll<G> && kCanBeRemote<typename G::Api>;

template <typename G>
auto GrainMistakeOf() {
  if constexpr (!kHandlesAll<G>) {
    return TypeTag<HandlerMistake<G>>();
  } else {
    return TypeTag<WireMistake<G, typename G::Api>>();
  }
}
template <typename G>
using GrainMistake = typename decltype(GrainMistakeOf<G>())::Type;

// Each grain is constructed from a copy of `args`.
template <typename G, typename... Args>
GrainType GrainTypeOf(Args&&... args) {
  using Api = typename G::Api;
  static_assert(std::is_base_of_v<GrainBase, G>, "a grain class derives from quern::Grain<Api>");
  static_assert((std::is_copy_constructible_v<std::decay_t<Args>> && ...),
                "every grain gets a copy of the arguments of Host(): they must be copyable");
  static_assert(std::is_constructible_v<G, std::decay_t<Args>...>,
                "a grain class is constructible from the arguments of Host(), or from none");
  GrainType type;
  type.kind = Api::kKind;
  type.handlers = &kHandlerTable<G, Api>;
  type.wire = &kWireTable<Api>;
  type.make = [kept = std::tuple<std::decay_t<Args>...>(std::forward<Args>(args)...)] {
    auto grain = std::apply(
        [](const auto&... a) { return std::make_unique<G>(std::decay_t<Args>(a)...); }, kept);
    G* self = grain.get();
    return GrainInstance{std::move(grain), self};
  };
  return type;
}

}  // namespace internal

}  // namespace quern

#endif  // QUERN_RUNTIME_GRAIN_H_
