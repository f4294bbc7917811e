// An actor class with its types erased: size, handlers, hooks. One constant a class.

#ifndef QUERN_RUNTIME_INTERNAL_ACTOR_CLASS_H_
#define QUERN_RUNTIME_INTERNAL_ACTOR_CLASS_H_

#include <concepts>
#include <cstddef>
#include <memory>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "quern/runtime/death_watch.h"
#include "quern/runtime/internal/handler_table.h"
#include "quern/runtime/internal/signature.h"
#include "quern/runtime/status.h"

namespace quern {
class AnyActor;
}

namespace quern::internal {

struct ActorClass {
  std::string_view name;
  size_t bytes;
  size_t alignment;
  const HandlerTable* handlers;
  Thunk any;  // for what the handlers lack; null: none (AnyActor)
  void (*destroy)(void* actor);
  Status (*on_start)(void* actor, Context& context);  // null: none
  Status (*on_stop)(void* actor, Context& context);   // null: none
  Thunk on_terminated;                                // null: none
};

// OnStart and OnStop: void or Status, with or without a Context&.
template <typename Call>
Status RunHook(Call&& call) {
  if constexpr (std::is_void_v<decltype(call())>) {
    call();
    return absl::OkStatus();
  } else {
    return call();
  }
}

template <typename A>
Status CallOnStart(void* actor, Context& context) {
  A& self = *static_cast<A*>(actor);
  if constexpr (requires { self.OnStart(context); }) {
    return RunHook([&] { return self.OnStart(context); });
  } else {
    return RunHook([&] { return self.OnStart(); });
  }
}

template <typename A>
Status CallOnStop(void* actor, Context& context) {
  A& self = *static_cast<A*>(actor);
  if constexpr (requires { self.OnStop(context); }) {
    return RunHook([&] { return self.OnStop(context); });
  } else {
    return RunHook([&] { return self.OnStop(); });
  }
}

// In any_actor.h.
template <typename A>
constexpr Thunk AnyThunk();

template <typename A>
constexpr ActorClass MakeActorClass() {
  ActorClass c{};
  c.name = TypeName<A>();
  c.bytes = sizeof(A);
  c.alignment = alignof(A);
  c.handlers = &kHandlerTable<A, HandledBy<A>>;
  if constexpr (std::is_base_of_v<AnyActor, A>) c.any = AnyThunk<A>();
  c.destroy = [](void* actor) { std::destroy_at(static_cast<A*>(actor)); };
  if constexpr (
      requires(A& a, Context& context) { a.OnStart(context); } || requires(A& a) { a.OnStart(); }) {
    c.on_start = &CallOnStart<A>;
  }
  if constexpr (
      requires(A& a, Context& context) { a.OnStop(context); } || requires(A& a) { a.OnStop(); }) {
    c.on_stop = &CallOnStop<A>;
  }
  if constexpr (kHandlesTerminated<A>) c.on_terminated = &RunHandler<A, TerminatedSignature>;
  return c;
}

template <typename A>
inline constexpr ActorClass kActorClass = MakeActorClass<A>();

// How an actor is made, and made again by a restart: its class, and its arguments as they are kept
// beside it.
struct ActorFactory {
  const ActorClass* actor_class;
  size_t arguments_bytes;      // 0: there are none
  size_t arguments_alignment;  // 1: there are none
  bool repeatable;             // false: they cannot be copied, and a restart becomes a stop
  // Constructs the kept arguments at `memory` from a std::tuple<Args&&...>; may throw.
  void (*keep_arguments)(void* memory, void* forwarded);
  void (*destroy_arguments)(void* kept);
  // Constructs the actor at `memory`. `last`: the arguments may be moved out. May throw.
  void (*construct)(void* memory, void* kept, bool last);
};

template <typename A, typename... Args>
void ConstructActor(void* memory, void* kept, bool last) {
  if constexpr (sizeof...(Args) == 0) {
    ::new (memory) A();
  } else {
    auto& arguments = *static_cast<std::tuple<std::decay_t<Args>...>*>(kept);
    if constexpr ((std::is_copy_constructible_v<std::decay_t<Args>> && ...)) {
      if (!last) {
        std::apply([&](const auto&... a) { ::new (memory) A(std::decay_t<Args>(a)...); },
                   arguments);
        return;
      }
    }
    (void)last;
    std::apply([&](auto&... a) { ::new (memory) A(std::move(a)...); }, arguments);
  }
}

template <typename A, typename... Args>
constexpr ActorFactory MakeActorFactory() {
  ActorFactory f{};
  f.actor_class = &kActorClass<A>;
  f.arguments_alignment = 1;
  f.repeatable = (std::is_copy_constructible_v<std::decay_t<Args>> && ...);
  f.construct = &ConstructActor<A, Args...>;
  if constexpr (sizeof...(Args) != 0) {
    using Kept = std::tuple<std::decay_t<Args>...>;
    f.arguments_bytes = sizeof(Kept);
    f.arguments_alignment = alignof(Kept);
    f.keep_arguments = [](void* memory, void* forwarded) {
      std::apply([&](Args&&... a) { ::new (memory) Kept(std::forward<Args>(a)...); },
                 std::move(*static_cast<std::tuple<Args&&...>*>(forwarded)));
    };
    f.destroy_arguments = [](void* kept) { std::destroy_at(static_cast<Kept*>(kept)); };
  }
  return f;
}

template <typename A, typename... Args>
inline constexpr ActorFactory kActorFactory = MakeActorFactory<A, Args...>();

// Arguments are decayed, kept, and moved or copied into the constructor.
template <typename A, typename... Args>
inline constexpr bool kConstructs = std::is_constructible_v<A, std::decay_t<Args>&&...>;

// The sentence that the compiler prints: what a deleted function appears to return.
template <typename Actor, typename... Arguments>
struct this_actor_cannot_be_constructed_from_these_arguments;
template <typename A, typename... Args>
using ArgumentMistake =
    this_actor_cannot_be_constructed_from_these_arguments<A, std::decay_t<Args>...>;

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_INTERNAL_ACTOR_CLASS_H_
