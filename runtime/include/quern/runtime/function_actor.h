// An actor made of functions, for what is too small to be a class.
//
//   auto greeter = quern::SpawnFunction<GreeterApi>(system, "greeter",
//       [](const Greet& m) { return "Hello, " + m.name + "!"; },
//       [count = 0](const Count&) mutable { return ++count; }).value();
//   auto quiet = quern::SpawnFunction<PingApi>(context, [](const Ping&) { return true; });
//
// One function a message, in any form that a member On may have (a Context&, a Deferred, a
// StatusOr). Captures are the actor's state; a restart begins with copies as they were at the
// spawn. What a function returns is an answer; what it throws is a failure for the supervisor.

#ifndef QUERN_RUNTIME_FUNCTION_ACTOR_H_
#define QUERN_RUNTIME_FUNCTION_ACTOR_H_

#include <concepts>
#include <string_view>
#include <type_traits>
#include <utility>

#include "quern/runtime/actor.h"
#include "quern/runtime/internal/actor_class.h"
#include "quern/runtime/internal/handler_table.h"
#include "quern/runtime/ref.h"
#include "quern/runtime/status.h"

namespace quern {

template <typename ActorApi, typename... Functions>
class FunctionActor : public Actor<ActorApi>, public Functions... {
 public:
  using IsFunctionActor = void;

  explicit FunctionActor(Functions... functions) : Functions(std::move(functions))... {}

  using Functions::operator()...;
};

namespace internal {

template <typename F>
concept IsName = std::convertible_to<F, std::string_view>;

template <typename Api, typename... Functions>
using FunctionActorOf = FunctionActor<Api, std::decay_t<Functions>...>;

template <typename Api, typename... Functions>
inline constexpr bool kFunctionsHandle = kHandlesAll<FunctionActorOf<Api, Functions...>>;

}  // namespace internal

// Spawns one under a System, or as a child under a Context. Codes as its Spawn().
template <typename Api, typename Spawner, typename... Functions>
  requires internal::kFunctionsHandle<Api, Functions...>
StatusOr<Ref<Api>> SpawnFunction(Spawner& spawner, std::string_view name,
                                 Functions&&... functions) {
  return spawner.template Spawn<internal::FunctionActorOf<Api, Functions...>>(
      name, std::forward<Functions>(functions)...);
}

// The same without a name: SpawnUnnamed().
template <typename Api, typename Spawner, typename First, typename... Functions>
  requires(!internal::IsName<First>) && internal::kFunctionsHandle<Api, First, Functions...>
StatusOr<Ref<Api>> SpawnFunction(Spawner& spawner, First&& first, Functions&&... functions) {
  return spawner.template SpawnUnnamed<internal::FunctionActorOf<Api, First, Functions...>>(
      std::forward<First>(first), std::forward<Functions>(functions)...);
}

template <typename Api, typename Spawner, typename... Functions>
  requires(!internal::kFunctionsHandle<Api, Functions...>)
internal::HandlerMistake<internal::FunctionActorOf<Api, Functions...>> SpawnFunction(
    Spawner& spawner, std::string_view name, Functions&&... functions) = delete;

}  // namespace quern

#endif  // QUERN_RUNTIME_FUNCTION_ACTOR_H_
