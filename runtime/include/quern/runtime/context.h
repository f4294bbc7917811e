// What a handler may ask of the turn it runs in. Handed to handlers and hooks that want it.
//
//   void On(const Start& m, quern::Context& context) {
//     auto child = context.Spawn<Worker>("worker-1", m.input);
//     context.Grain<CounterApi>("starts").Tell(Add{1});
//   }
//
// Owner only: valid until the handler returns; never kept.

#ifndef QUERN_RUNTIME_CONTEXT_H_
#define QUERN_RUNTIME_CONTEXT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quern/runtime/clock.h"
#include "quern/runtime/death_watch.h"
#include "quern/runtime/extensions.h"
#include "quern/runtime/internal/spawn.h"
#include "quern/runtime/pipe.h"
#include "quern/runtime/place.h"
#include "quern/runtime/ref.h"
#include "quern/runtime/spawn_options.h"
#include "quern/runtime/status.h"
#include "quern/runtime/stop_token.h"

namespace quern {

class Logger;
class Random;

struct AnyApi;

namespace internal {
struct Turn;

// The messages that an Api accepts; `all`: any.
struct SignatureTable {
  const Signature* const* begin;
  const Signature* const* end;
  bool all;
};
template <typename... S>
SignatureTable TableOfSignatures(const SignatureList<S...>*) {
  static constexpr const Signature* kAll[] = {&kSignature<S>..., nullptr};
  return {kAll, kAll + sizeof...(S), false};
}
template <typename Api>
SignatureTable SignatureTableOf() {
  if constexpr (std::is_same_v<Api, AnyApi>) {
    return {nullptr, nullptr, true};
  } else {
    return TableOfSignatures(static_cast<const SignaturesOf<Api>*>(nullptr));
  }
}

Status ForwardMessage(Turn& turn, Cell* to, const SignatureTable& accepted);
}  // namespace internal

class Context {
 public:
  // For the runtime itself.
  explicit Context(internal::Turn* turn) : turn_(turn) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // Spawns a child of this actor; it stops before its parent does. As System::Spawn.
  template <typename A, typename... Args>
    requires internal::kHandlesAll<A> && internal::kConstructs<A, Args...>
  StatusOr<Ref<typename A::Api>> Spawn(std::string_view name, Args&&... args) {
    return internal::Spawn<A>(core(), cell(), /*options=*/nullptr, name,
                              std::forward<Args>(args)...);
  }
  template <typename A, typename... Args>
    requires internal::kHandlesAll<A> && internal::kConstructs<A, Args...>
  StatusOr<Ref<typename A::Api>> Spawn(const SpawnOptions& options, std::string_view name,
                                       Args&&... args) {
    return internal::Spawn<A>(core(), cell(), &options, name, std::forward<Args>(args)...);
  }
  template <typename A, typename... Args>
    requires(!internal::kHandlesAll<A>)
  internal::HandlerMistake<A> Spawn(Args&&...) = delete;
  template <typename A, typename... Args>
    requires internal::kHandlesAll<A> && (!internal::kConstructs<A, Args...>)
  internal::ArgumentMistake<A, Args...> Spawn(std::string_view, Args&&...) = delete;
  template <typename A, typename... Args>
    requires internal::kHandlesAll<A> && (!internal::kConstructs<A, Args...>)
  internal::ArgumentMistake<A, Args...> Spawn(const SpawnOptions&, std::string_view,
                                              Args&&...) = delete;

  // Spawns a child without a name. As System::SpawnUnnamed.
  template <typename A, typename... Args>
    requires internal::kHandlesAll<A> && internal::kConstructs<A, Args...> &&
             (!internal::kBeginsWithOptions<Args...>)
  StatusOr<Ref<typename A::Api>> SpawnUnnamed(Args&&... args) {
    return internal::Spawn<A>(core(), cell(), /*options=*/nullptr, /*name=*/std::nullopt,
                              std::forward<Args>(args)...);
  }
  template <typename A, typename... Args>
    requires internal::kHandlesAll<A> && internal::kConstructs<A, Args...>
  StatusOr<Ref<typename A::Api>> SpawnUnnamed(const SpawnOptions& options, Args&&... args) {
    return internal::Spawn<A>(core(), cell(), &options, /*name=*/std::nullopt,
                              std::forward<Args>(args)...);
  }
  template <typename A, typename... Args>
    requires(!internal::kHandlesAll<A>)
  internal::HandlerMistake<A> SpawnUnnamed(Args&&...) = delete;
  template <typename A, typename... Args>
    requires internal::kHandlesAll<A> && (!internal::kConstructs<A, Args...>) &&
                 (!internal::kBeginsWithOptions<Args...>)
  internal::ArgumentMistake<A, Args...> SpawnUnnamed(Args&&...) = delete;
  template <typename A, typename... Args>
    requires internal::kHandlesAll<A> && (!internal::kConstructs<A, Args...>)
  internal::ArgumentMistake<A, Args...> SpawnUnnamed(const SpawnOptions&, Args&&...) = delete;

  // As System::Grain and System::In.
  template <typename Api>
    requires internal::kCanBeRemote<Api>
  Ref<Api> Grain(std::string_view key, std::string_view kind = {}) {
    return internal::GrainRef<Api>(core(), kind, key);
  }
  template <typename Api>
    requires(!internal::kCanBeRemote<Api>)
  internal::WireMistake<Api, Api> Grain(std::string_view, std::string_view = {}) = delete;
  Place In(std::string_view datacenter) { return Place(core(), datacenter); }

  // Of this actor or activation: "/parent/child", "kind/key".
  std::string path() const;

  // Of whoever sent the message being handled; 0: a plain thread, or nobody.
  uint64_t sender_id() const;

  // Of the ask being handled; kNever for a tell. Nested asks shrink to it.
  Time deadline() const;

  // Hands the message being handled to `to`, once the handler has returned: the sender stays who it
  // was (to another node: this actor), the reply goes to the first asker, and what the handler
  // returns goes nowhere. At most once a message. NOT_FOUND an empty Ref; INVALID_ARGUMENT the Api
  // does not accept the message, or not with that reply; FAILED_PRECONDITION the message is gone:
  // put aside already, taken by value, or answered by a Deferred. An AnyActor's Ref takes any
  // message. Never suspends.
  template <typename Api>
  Status Forward(const Ref<Api>& to) {
    const internal::SignatureTable accepted = internal::SignatureTableOf<Api>();
    return internal::ForwardMessage(*turn_, to.cell().get(), accepted);
  }

  // Puts the message being handled aside, once the handler has returned, for a better time; what
  // the handler returns goes nowhere. An ask stays unanswered, and its deadline runs on.
  // FAILED_PRECONDITION SpawnOptions::stash_capacity is 0, or the message is gone, as above;
  // RESOURCE_EXHAUSTED the stash is full. A stop dead-letters what is in it, a restart puts it back
  // in front of the mailbox. Never suspends.
  Status Stash();

  // Puts the oldest, or all, back in front of the mailbox: they are handled next, in order of
  // arrival. False, or 0: the stash is empty. Never suspends.
  bool Unstash();
  size_t UnstashAll();

  // The message being handled is one that this actor cannot handle now: a tell is dead-lettered as
  // unhandled, an ask answered FAILED_PRECONDITION, whatever the handler returns. Never suspends.
  void Unhandled();

  // Runs `work` beside this actor's turns and tells `to` what comes of it, as `map` makes a message
  // of it (quern/runtime/pipe.h). NOT_FOUND an empty Ref; RESOURCE_EXHAUSTED kPipesPerActorMax run
  // already; UNAVAILABLE this actor is stopping; FAILED_PRECONDITION this is a grain. Never
  // suspends.
  template <typename Api, typename Work, typename Map>
    requires Accepts<Api, std::invoke_result_t<Map&, internal::ResultOf<internal::WorkOf<Work>>>>
  Status PipeTo(const Ref<Api>& to, Work work, Map map, PipeOptions options = {}) {
    using PipeWork = internal::PipeWorkOf<Api, internal::WorkOf<Work>, Map>;
    return internal::StartPipe(
        *turn_, to.cell(),
        std::make_unique<PipeWork>(internal::AsWork(std::move(work)), std::move(map)), options);
  }
  template <typename Api, typename Work>
    requires Accepts<Api, internal::ResultOf<internal::WorkOf<Work>>>
  Status PipeTo(const Ref<Api>& to, Work work, PipeOptions options = {}) {
    return PipeTo(to, std::move(work), internal::AsItIs(), options);
  }

  // Fires when this actor has been asked to stop, the ask being handled has expired, or its asker
  // has given up. Looked at until the handler returns.
  StopToken stop_token() const;
  // How often this actor has been restarted: its object replaced after it had once started.
  uint64_t restarts() const;

  // Watches an actor of this process: when it has stopped (at once, if it has already), `self`,
  // which is the actor itself, gets one Terminated (death_watch.h). OK too when it is watched
  // already. NOT_FOUND the Ref is empty; INVALID_ARGUMENT itself; FAILED_PRECONDITION a grain or an
  // actor on another node, or a grain that watches; RESOURCE_EXHAUSTED kWatchesPerActorMax.
  template <typename A, typename Api>
    requires internal::kHandlesTerminated<A>
  Status Watch(A& self, const Ref<Api>& ref) {
    (void)self;
    return internal::WatchActor(*turn_, ref.cell().get());
  }
  template <typename A, typename Api>
    requires(!internal::kHandlesTerminated<A>)
  internal::this_actor_watches_but_has_no_handler_On_const_quern_Terminated<A> Watch(
      A&, const Ref<Api>&) = delete;
  // After it, no Terminated of that actor is handled. Nothing for one that is not watched.
  template <typename Api>
  void Unwatch(const Ref<Api>& ref) {
    internal::UnwatchActor(*turn_, ref.cell().get());
  }

  // Until it is resumed, neither idleness nor the count of messages passivates this actor, and it
  // is not evicted. Idleness is counted anew from the resumption; a count that has been reached
  // takes effect then. Nothing for a grain.
  void PausePassivation();
  void ResumePassivation();

  // The names of this actor's living children, in no order. None for a grain.
  std::vector<std::string> children() const;
  // The path of this actor's parent; "/" under the root, and for a grain "".
  std::string parent_path() const;

  // Of SpawnOptions::dependencies, else of SystemOptions::extensions; null: of neither. Valid as
  // long as the actor.
  template <typename T>
  T* Dependency() const {
    const Extensions* own = own_dependencies();
    T* found = own == nullptr ? nullptr : own->Find<T>();
    return found != nullptr ? found : system_extensions().Find<T>();
  }

  // Stops this actor once the handler has returned.
  void Stop();

  // Suspends for `duration` of the system's clock. CANCELLED: the actor is being stopped. Suspends.
  Status Sleep(Duration duration);

  Clock& clock() const;
  Logger& logger() const;
  Random& random() const;

  internal::Turn& turn() const { return *turn_; }

 private:
  internal::SystemCore* core() const;
  internal::Cell* cell() const;
  const Extensions* own_dependencies() const;
  const Extensions& system_extensions() const;

  internal::Turn* const turn_;
};

}  // namespace quern

#endif  // QUERN_RUNTIME_CONTEXT_H_
