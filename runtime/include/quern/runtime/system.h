// The one object that users hold: worker threads, the tree of actors, the grains hosted here.
//
//   quern::System system("hello");
//   auto greeter = system.Spawn<Greeter>("greeter").value();
//   std::cout << greeter.Ask(Greet{"world"}).value() << "\n";
//
// Thread-safe. The destructor stops everything; Refs may outlive it.

#ifndef QUERN_RUNTIME_SYSTEM_H_
#define QUERN_RUNTIME_SYSTEM_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quern/runtime/actor.h"
#include "quern/runtime/actor_info.h"
#include "quern/runtime/clock.h"
#include "quern/runtime/context.h"
#include "quern/runtime/dead_letter.h"
#include "quern/runtime/grain.h"
#include "quern/runtime/grain_info.h"
#include "quern/runtime/internal/spawn.h"
#include "quern/runtime/place.h"
#include "quern/runtime/ref.h"
#include "quern/runtime/router.h"
#include "quern/runtime/shutdown.h"
#include "quern/runtime/spawn_options.h"
#include "quern/runtime/status.h"
#include "quern/runtime/system_options.h"

namespace quern {

class EventStream;
class Logger;
class MetricsSnapshot;
class NetworkPort;

namespace internal {
template <typename List>
inline constexpr std::array<const Signature*, 0> kSignatures{};
template <typename... S>
inline constexpr std::array<const Signature*, sizeof...(S)> kSignatures<SignatureList<S...>> = {
    &kSignature<S>...};

StatusOr<CellPtr<Cell>> FindActor(SystemCore* core, std::string_view path,
                                  const Signature* const* signatures, size_t count);
Status HostGrain(SystemCore* core, const GrainType& type, GrainOptions options);
std::optional<GrainInfo> PeekGrain(SystemCore* core, const GrainId& id);
Status DeactivateGrain(SystemCore* core, Cell* grain);
}  // namespace internal

class System {
 public:
  // INVALID_ARGUMENT: SystemOptions::Validate().
  static StatusOr<std::unique_ptr<System>> Start(SystemOptions options);

  // The same for options that are known to be valid: others stop the program.
  explicit System(std::string_view name);
  explicit System(SystemOptions options);
  // Stops. Never on a worker thread. Blocks the thread.
  ~System();
  System(const System&) = delete;
  System& operator=(const System&) = delete;

  // Starts an actor under the root. Arguments are decayed and kept for restarts. The constructor
  // and OnStart run on the actor's own turn, after this has returned. A name is 1 to 255 bytes of
  // UTF-8 without '/' and control characters, neither "." nor "..", and does not begin with '$'.
  // INVALID_ARGUMENT the name or an option; ALREADY_EXISTS a living actor has the name; UNAVAILABLE
  // the system is stopping. Never suspends.
  template <typename A, typename... Args>
    requires internal::kHandlesAll<A> && internal::kConstructs<A, Args...>
  StatusOr<Ref<typename A::Api>> Spawn(std::string_view name, Args&&... args) {
    return internal::Spawn<A>(core_, nullptr, /*options=*/nullptr, name,
                              std::forward<Args>(args)...);
  }
  template <typename A, typename... Args>
    requires internal::kHandlesAll<A> && internal::kConstructs<A, Args...>
  StatusOr<Ref<typename A::Api>> Spawn(const SpawnOptions& options, std::string_view name,
                                       Args&&... args) {
    return internal::Spawn<A>(core_, nullptr, &options, name, std::forward<Args>(args)...);
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

  // The same without a name, for actors that nobody looks up: cheaper, and never refused for its
  // name. Its path ends in "$" and a number in base 62, unique in the process, by which it is found
  // and listed like others. UNAVAILABLE, and INVALID_ARGUMENT an option, as above. Never suspends.
  template <typename A, typename... Args>
    requires internal::kHandlesAll<A> && internal::kConstructs<A, Args...> &&
             (!internal::kBeginsWithOptions<Args...>)
  StatusOr<Ref<typename A::Api>> SpawnUnnamed(Args&&... args) {
    return internal::Spawn<A>(core_, nullptr, /*options=*/nullptr, /*name=*/std::nullopt,
                              std::forward<Args>(args)...);
  }
  template <typename A, typename... Args>
    requires internal::kHandlesAll<A> && internal::kConstructs<A, Args...>
  StatusOr<Ref<typename A::Api>> SpawnUnnamed(const SpawnOptions& options, Args&&... args) {
    return internal::Spawn<A>(core_, nullptr, &options, /*name=*/std::nullopt,
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

  // Starts `options.size` actors behind one Ref (router.h), children of an actor of that name; each
  // gets a copy of the arguments. INVALID_ARGUMENT the options; else as Spawn. Never suspends.
  template <typename A, typename... Args>
    requires internal::kHandlesAll<A>
  StatusOr<RouterRef<typename A::Api>> SpawnRouter(std::string_view name,
                                                   const RouterOptions& options, Args&&... args) {
    return internal::SpawnRouter<A>(core_, name, options, std::forward<Args>(args)...);
  }
  template <typename A, typename... Args>
    requires(!internal::kHandlesAll<A>)
  internal::HandlerMistake<A> SpawnRouter(Args&&...) = delete;

  // The same over actors or grains that are there already, and stay when the router stops.
  template <typename Api>
  StatusOr<RouterRef<Api>> RouteOver(std::string_view name, const RouterOptions& options,
                                     const std::vector<Ref<Api>>& routees) {
    return internal::RouteOver<Api>(core_, name, options, routees);
  }

  // Hosts a grain class here, under its Api's kind or the one in `options`. What the grains need
  // (a client, a table, a setting) stands in `args`, of which each grain's constructor gets a copy,
  // made on the worker where it activates. INVALID_ARGUMENT the kind or an option; ALREADY_EXISTS
  // the kind is hosted; UNAVAILABLE the system is stopping. Host before a network layer starts: it
  // tells the others.
  template <typename G, typename... Args>
    requires internal::kIsGrain<G>
  Status Host(GrainOptions options = {}, Args&&... args) {
    return internal::HostGrain(core_, internal::GrainTypeOf<G>(std::forward<Args>(args)...),
                               std::move(options));
  }
  template <typename G, typename... Args>
    requires(!internal::kIsGrain<G>)
  internal::GrainMistake<G> Host(GrainOptions = {}, Args&&...) = delete;

  // Makes an actor class spawnable by its Api's kind, from encoded Api::Arguments.
  template <typename A>
    requires internal::kIsHostableActor<A>
  Status HostActor() {
    return internal::HostActor<A>(core_);
  }
  template <typename A>
    requires(!internal::kIsHostableActor<A>)
  internal::HostedActorMistake<A> HostActor() = delete;

  // A grain, wherever it is or will be. Costs nothing until it is called. `kind` overrides the
  // Api's.
  template <typename Api>
    requires internal::kCanBeRemote<Api>
  Ref<Api> Grain(std::string_view key, std::string_view kind = {}) {
    return internal::GrainRef<Api>(core_, kind, key);
  }
  template <typename Api>
    requires(!internal::kCanBeRemote<Api>)
  internal::WireMistake<Api, Api> Grain(std::string_view, std::string_view = {}) = delete;

  // The activation of a grain here, if there is one. Never activates it, never suspends.
  // Thread-safe.
  template <typename Api>
    requires internal::HasKind<Api>
  std::optional<GrainInfo> Peek(std::string_view key, std::string_view kind = {}) const {
    return internal::PeekGrain(core_, GrainId(kind.empty() ? Api::kKind : kind, key));
  }

  // Asks the activation of a grain here to end after the handler that runs (of a reentrant kind:
  // all that have begun), and returns at once; what is queued reaches the next activation.
  // NOT_FOUND: it is not active here; INVALID_ARGUMENT: `grain` is not a grain of this system;
  // UNAVAILABLE the system has stopped. Thread-safe, never suspends.
  template <typename Api>
  Status Deactivate(const Ref<Api>& grain) {
    return internal::DeactivateGrain(core_, grain.cell().get());
  }

  // A page of the grains that are here, by kind and key (grain_info.h). Looks at all of them: for
  // operators. Thread-safe, never suspends.
  GrainPage ListGrains(const GrainListOptions& options = {}) const;

  // Activations here, of one kind or of all. Thread-safe, never suspends.
  size_t CountGrains(std::string_view kind = {}) const;

  // Another datacenter, to spawn in.
  Place In(std::string_view datacenter) { return Place(core_, datacenter); }

  // A living actor by its path ("/parent/child"). NOT_FOUND there is none; INVALID_ARGUMENT it does
  // not take every message of Api. Thread-safe.
  template <typename Api>
  StatusOr<Ref<Api>> Find(std::string_view path) const {
    StatusOr<internal::CellPtr<internal::Cell>> cell =
        internal::FindActor(core_, path, internal::kSignatures<internal::SignaturesOf<Api>>.data(),
                            internal::kSignatures<internal::SignaturesOf<Api>>.size());
    if (!cell.ok()) return cell.status();
    return Ref<Api>::FromCell(*std::move(cell));
  }

  // The actors here, a page at a time, in an order that does not change. Thread-safe.
  ActorPage ListActors(const ListOptions& options = {}) const;

  // Asks the actor at `path` to stop, and returns at once. NOT_FOUND there is none;
  // INVALID_ARGUMENT the root. Thread-safe.
  Status Kill(std::string_view path);

  // Of SystemOptions::extensions; null: none of this type. Valid as long as the System.
  template <typename T>
  T* Extension() const {
    return extensions().template Find<T>();
  }

  // For network layers.
  NetworkPort& network_port();

  // Stops grains, then actors (children before parents), then the workers, with the hooks of
  // shutdown() between. Waits as long as it takes. Idempotent; a second caller waits for the first.
  // Blocks the thread; never on a worker or from a hook.
  void Stop();

  // The same within `timeout`, and returns what the hooks returned, now and later.
  // DEADLINE_EXCEEDED: some actors still run, and the text names them; a further call goes on from
  // there. Blocks the thread; never on a worker or from a hook.
  Status StopWithin(Duration timeout);

  // Waits for SIGINT, SIGTERM or somebody's Stop(), then stops within
  // SystemOptions::stop_timeout as above. A second signal ends the
  // process at once, with status 128 and its number. Handlers and mask are put back before it
  // returns. FAILED_PRECONDITION another system of this process does the same. Blocks the thread.
  Status RunUntilSignal();

  // Where hooks of the stop are added. Valid as long as the System.
  Shutdown& shutdown();
  // Blocks the thread until somebody has called Stop() (OK), or a failure was escalated to the root
  // and every actor has stopped because of it (that failure). What is left is Stop(). Never on a
  // worker.
  Status WaitUntilStopping();

  // What happens in the system (event_stream.h). Valid as long as the system.
  EventStream& events() const;

  Clock& clock() const;
  Logger& logger() const;
  const std::string& name() const;
  int workers() const;
  // Since the start, on the system's clock.
  Duration uptime() const;

  // What it has done, as numbers (metrics.h). Thread-safe.
  MetricsSnapshot Metrics() const;

  // Messages that nobody handled, since the start.
  uint64_t dead_letters() const;
  uint64_t dead_letters(DeadLetterReason reason) const;

  // The last ones, the oldest first; SystemOptions::dead_letters_kept at most.
  std::vector<DeadLetter> RecentDeadLetters() const;

  // Asks whose handlers ended after the asker had given up, since the start: their replies were
  // dropped.
  uint64_t late_replies() const;

  // Blocks the thread until no worker has anything to do. Meaningful only while nothing outside
  // sends: for tests that have moved a clock by hand.
  void WaitUntilQuiet();

  // For the runtime itself.
  internal::SystemCore* core() const { return core_; }

 private:
  const Extensions& extensions() const;

  internal::SystemCore* const core_;
};

}  // namespace quern

#endif  // QUERN_RUNTIME_SYSTEM_H_
