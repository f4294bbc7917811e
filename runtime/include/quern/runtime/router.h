// Several actors of one kind behind one Ref: whoever tells or asks it reaches one of them, or all.
//
//   auto pool = system.SpawnRouter<Worker>("pool", {.strategy = quern::Routing::kRoundRobin,
//                                                   .size = 8}, database).value();
//   pool.Ask(Resize{image});                  // RouterRef<Api> is a Ref<Api>
//   pool.Resize(+4);
//   quern::RouterOptions by_user{.strategy = quern::Routing::kConsistentHash, .size = 8};
//   by_user.key = quern::RouteBy<WorkerApi>([](const auto& m) -> std::string { return m.user; });
//
// Routing happens on the sender's thread: the message goes straight into the routee's mailbox, the
// reply straight to the asker; nothing is wrapped and nobody waits in between. Routees that have
// stopped are left out. Without any, a tell is dead-lettered and an ask answered UNAVAILABLE.
// Thread-safe, all of it; for one sender and one routee order holds.

#ifndef QUERN_RUNTIME_ROUTER_H_
#define QUERN_RUNTIME_ROUTER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "quern/runtime/clock.h"
#include "quern/runtime/delivery.h"
#include "quern/runtime/internal/routing.h"
#include "quern/runtime/internal/spawn.h"
#include "quern/runtime/ref.h"
#include "quern/runtime/spawn_options.h"
#include "quern/runtime/status.h"

namespace quern {

enum class Routing : uint8_t {
  kRoundRobin,      // one after the other, in order
  kRandom,          // any, by the system's Random
  kFanOut,          // tells: a copy to every routee; asks are refused, FAILED_PRECONDITION
  kConsistentHash,  // the same key to the same routee; a change of the pool moves few keys
  kLeastMailbox,    // the one with the fewest messages of this router that are not handled yet
  // Asks go to all, the first OK is the answer, the last error if there is none. Tells: as kFanOut.
  kScatterGatherFirst,
  // Asks go to one, after each `interval` or error to one more; answers as above. Tells: to one.
  kTailChopping,
};

struct RouterOptions {
  Routing strategy = Routing::kRoundRobin;
  size_t size = 0;           // routees to spawn, 1 to kRouteesMax
  SpawnOptions routee = {};  // of each: its supervision says what a failure does
  RouteKey key = {};         // of kConsistentHash; a message without a key goes round robin
  int virtual_nodes = 128;   // of each routee on the hash ring
  Duration interval = std::chrono::milliseconds(100);  // of kTailChopping
};

// Which key a message goes by: `key` takes a message of Api and returns what becomes a std::string.
// A message that it does not take has no key.
template <typename Api, typename Key>
RouteKey RouteBy(Key key) {
  return internal::MakeRouteKey(static_cast<const internal::SignaturesOf<Api>*>(nullptr),
                                std::move(key));
}

// The router and its routees. Stop() stops those that it has spawned, and then it.
template <typename Api>
class RouterRef : public Ref<Api> {
 public:
  RouterRef() = default;

  // Spawns `delta` more routees, or stops that many, the newest first; what these have queued is
  // dead-lettered, as with any Stop(). INVALID_ARGUMENT fewer than one or more than kRouteesMax
  // would be left; FAILED_PRECONDITION they were given, not spawned; UNAVAILABLE the router is
  // stopping; NOT_FOUND an empty RouterRef. Thread-safe, never suspends.
  Status Resize(int delta) const { return internal::ResizeRouter(this->cell().get(), delta); }

  // Those that have not stopped, the oldest first. Thread-safe.
  std::vector<Ref<Api>> Routees() const {
    std::vector<Ref<Api>> refs;
    for (internal::CellPtr<internal::Cell>& cell : internal::RouteesOf(this->cell().get())) {
      refs.push_back(Ref<Api>::FromCell(std::move(cell)));
    }
    return refs;
  }

  // Tells every routee, whatever the strategy. How many accepted. Thread-safe.
  template <typename M>
    requires Accepts<Api, M>
  size_t Broadcast(const M& message) const {
    size_t accepted = 0;
    for (const Ref<Api>& routee : Routees()) {
      if (routee.Tell(message) == Delivery::kAccepted) ++accepted;
    }
    return accepted;
  }

  // For the runtime itself.
  static RouterRef FromCell(internal::CellPtr<internal::Cell> cell) {
    RouterRef ref;
    static_cast<Ref<Api>&>(ref) = Ref<Api>::FromCell(std::move(cell));
    return ref;
  }
};

namespace internal {

template <typename A, typename... Args>
StatusOr<RouterRef<typename A::Api>> SpawnRouter(SystemCore* core, std::string_view name,
                                                 const RouterOptions& options, Args&&... args) {
  static_assert((std::is_copy_constructible_v<std::decay_t<Args>> && ...),
                "every routee gets a copy of the arguments");
  RouteeSpawner spawner = [kept = std::tuple<std::decay_t<Args>...>(std::forward<Args>(args)...)](
                              Cell* parent, const SpawnOptions& each, std::string_view routee) {
    return std::apply(
        [&](const std::decay_t<Args>&... a) {
          std::tuple<const std::decay_t<Args>&...> forwarded(a...);
          return SpawnRoutee(
              parent, {routee, &kActorFactory<A, const std::decay_t<Args>&...>, &forwarded, &each});
        },
        kept);
  };
  StatusOr<CellPtr<Cell>> cell = NewRouter(core, name, options, kRouteType<typename A::Api>,
                                           std::move(spawner), std::vector<CellPtr<Cell>>());
  if (!cell.ok()) return cell.status();
  return RouterRef<typename A::Api>::FromCell(*std::move(cell));
}

template <typename Api>
StatusOr<RouterRef<Api>> RouteOver(SystemCore* core, std::string_view name,
                                   const RouterOptions& options,
                                   const std::vector<Ref<Api>>& routees) {
  std::vector<CellPtr<Cell>> cells;
  for (const Ref<Api>& routee : routees) cells.push_back(routee.cell());
  StatusOr<CellPtr<Cell>> cell =
      NewRouter(core, name, options, kRouteType<Api>, nullptr, std::move(cells));
  if (!cell.ok()) return cell.status();
  return RouterRef<Api>::FromCell(*std::move(cell));
}

}  // namespace internal
}  // namespace quern

#endif  // QUERN_RUNTIME_ROUTER_H_
