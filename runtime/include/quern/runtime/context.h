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
#include <string>
#include <string_view>
#include <utility>

#include "quern/runtime/clock.h"
#include "quern/runtime/internal/spawn.h"
#include "quern/runtime/place.h"
#include "quern/runtime/ref.h"
#include "quern/runtime/spawn_options.h"
#include "quern/runtime/status.h"

namespace quern {

class Logger;
class Random;

namespace internal {
struct Turn;
}

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
    return internal::Spawn<A>(core(), cell(), SpawnOptions{}, name, std::forward<Args>(args)...);
  }
  template <typename A, typename... Args>
    requires internal::kHandlesAll<A> && internal::kConstructs<A, Args...>
  StatusOr<Ref<typename A::Api>> Spawn(const SpawnOptions& options, std::string_view name,
                                       Args&&... args) {
    return internal::Spawn<A>(core(), cell(), options, name, std::forward<Args>(args)...);
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

  internal::Turn* const turn_;
};

}  // namespace quern

#endif  // QUERN_RUNTIME_CONTEXT_H_
