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

#include "quern/runtime/internal/handler_table.h"
#include "quern/runtime/internal/signature.h"
#include "quern/runtime/status.h"

namespace quern::internal {

struct ActorClass {
  std::string_view name;
  size_t bytes;
  size_t alignment;
  const HandlerTable* handlers;
  void (*destroy)(void* actor);
  Status (*on_start)(void* actor, Context& context);  // null: none
  Status (*on_stop)(void* actor, Context& context);   // null: none
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

template <typename A>
constexpr ActorClass MakeActorClass() {
  ActorClass c{};
  c.name = TypeName<A>();
  c.bytes = sizeof(A);
  c.alignment = alignof(A);
  c.handlers = &kHandlerTable<A, typename A::Api>;
  c.destroy = [](void* actor) { std::destroy_at(static_cast<A*>(actor)); };
  if constexpr (
      requires(A& a, Context& context) { a.OnStart(context); } || requires(A& a) { a.OnStart(); }) {
    c.on_start = &CallOnStart<A>;
  }
  if constexpr (
      requires(A& a, Context& context) { a.OnStop(context); } || requires(A& a) { a.OnStop(); }) {
    c.on_stop = &CallOnStop<A>;
  }
  return c;
}

template <typename A>
inline constexpr ActorClass kActorClass = MakeActorClass<A>();

// How an actor is made, and made again by a restart: the kept arguments behind two functions.
struct ActorFactory {
  // `last`: the arguments may be moved out. Constructs at `memory`; may throw.
  void (*construct)(void* memory, void* arguments, bool last) = nullptr;
  void (*destroy_arguments)(void* arguments) = nullptr;  // null: there are none
  bool repeatable = true;                                // false: a restart becomes a stop
};

template <typename A, typename... Args>
constexpr ActorFactory MakeActorFactory() {
  ActorFactory f{};
  if constexpr (sizeof...(Args) == 0) {
    f.construct = [](void* memory, void*, bool) { ::new (memory) A(); };
  } else {
    using Kept = std::tuple<Args...>;
    constexpr bool kCopyable = (std::is_copy_constructible_v<Args> && ...);
    f.repeatable = kCopyable;
    f.construct = [](void* memory, void* arguments, bool last) {
      Kept& kept = *static_cast<Kept*>(arguments);
      if constexpr (kCopyable) {
        if (!last) {
          std::apply([&](const Args&... a) { ::new (memory) A(Args(a)...); }, kept);
          return;
        }
      }
      (void)last;
      std::apply([&](Args&... a) { ::new (memory) A(std::move(a)...); }, kept);
    };
    f.destroy_arguments = [](void* arguments) { delete static_cast<Kept*>(arguments); };
  }
  return f;
}

template <typename A, typename... Args>
inline constexpr ActorFactory kActorFactory = MakeActorFactory<A, Args...>();

template <typename... Args>
void* KeepArguments(Args&&... args) {
  if constexpr (sizeof...(Args) == 0) {
    return nullptr;
  } else {
    return new std::tuple<std::decay_t<Args>...>(std::forward<Args>(args)...);
  }
}

// The sentence that the compiler prints.
template <typename Actor, typename... Arguments>
void this_actor_cannot_be_constructed_from_these_arguments() = delete;

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_INTERNAL_ACTOR_CLASS_H_
