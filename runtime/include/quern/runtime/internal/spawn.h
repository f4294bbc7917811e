// Spawning behind the templates: checks that speak in one error line, then a type-erased request.

#ifndef QUERN_RUNTIME_INTERNAL_SPAWN_H_
#define QUERN_RUNTIME_INTERNAL_SPAWN_H_

#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "quern/runtime/internal/actor_class.h"
#include "quern/runtime/internal/cell.h"
#include "quern/runtime/internal/wire_table.h"
#include "quern/runtime/ref.h"
#include "quern/runtime/spawn_options.h"
#include "quern/runtime/status.h"

namespace quern::internal {

class SystemCore;

struct SpawnRequest {
  std::optional<std::string_view> name;  // none: one is made from its id
  const ActorFactory* factory;
  void* arguments;              // a std::tuple<Args&&...>
  const SpawnOptions* options;  // null: as SpawnOptions()
};

// `parent` null: under the root. INVALID_ARGUMENT the name or an option; ALREADY_EXISTS a living
// sibling has it; UNAVAILABLE the system or the parent is stopping. Thread-safe, never suspends.
StatusOr<CellPtr<Cell>> SpawnActor(SystemCore* core, Cell* parent, const SpawnRequest& request);

template <typename A, typename... Args>
StatusOr<Ref<typename A::Api>> Spawn(SystemCore* core, Cell* parent, const SpawnOptions* options,
                                     std::optional<std::string_view> name, Args&&... args) {
  std::tuple<Args&&...> forwarded(std::forward<Args>(args)...);
  StatusOr<CellPtr<Cell>> cell =
      SpawnActor(core, parent, {name, &kActorFactory<A, Args...>, &forwarded, options});
  if (!cell.ok()) return cell.status();
  return Ref<typename A::Api>::FromCell(*std::move(cell));
}

// Whether a call begins with options, and not with the actor's first argument.
template <typename... Args>
inline constexpr bool kBeginsWithOptions = false;
template <typename First, typename... Rest>
inline constexpr bool kBeginsWithOptions<First, Rest...> =
    std::is_same_v<std::remove_cvref_t<First>, SpawnOptions>;

// The proxy of a grain. INVALID_ARGUMENT answers every message when the kind or key is malformed.
CellPtr<Cell> GrainProxy(SystemCore* core, const WireTable& wire, std::string_view kind,
                         std::string_view key);

template <typename Api>
Ref<Api> GrainRef(SystemCore* core, std::string_view kind, std::string_view key) {
  return Ref<Api>::FromCell(
      GrainProxy(core, kWireTable<Api>, kind.empty() ? Api::kKind : kind, key));
}

// Spawns by kind wherever `where` is ("" here, in this cluster). Suspends.
StatusOr<CellPtr<Cell>> SpawnRemote(SystemCore* core, std::string_view where, std::string_view name,
                                    const WireTable& wire, std::string arguments,
                                    const SpawnOptions& options);

// A hosted kind: makes an actor from encoded arguments.
struct HostedActorKind {
  const WireTable* wire;
  StatusOr<CellPtr<Cell>> (*spawn)(SystemCore* core, std::string_view name,
                                   std::string_view encoded_arguments);
};
Status HostKind(SystemCore* core, const HostedActorKind& kind);

// The sentences that the compiler prints: what a deleted function appears to return.
template <typename Target, typename Arguments>
struct these_Arguments_of_the_Api_have_no_quern_Codec;
template <typename Target, typename Api>
struct this_Api_needs_a_type_Arguments_to_be_spawned_by_kind;

template <typename Api>
concept HasArguments = requires { typename Api::Arguments; };

template <typename Api>
constexpr bool CanBeSpawnedByKind() {
  if constexpr (kCanBeRemote<Api> && HasArguments<Api>) {
    return HasCodec<typename Api::Arguments>;
  } else {
    return false;
  }
}
template <typename Api>
inline constexpr bool kSpawnableByKind = CanBeSpawnedByKind<Api>();

template <typename Target, typename Api>
auto KindMistakeOf() {
  if constexpr (kSpawnableByKind<Api>) {
    return TypeTag<void>();
  } else if constexpr (!kCanBeRemote<Api>) {
    return TypeTag<WireMistake<Target, Api>>();
  } else if constexpr (!HasArguments<Api>) {
    return TypeTag<this_Api_needs_a_type_Arguments_to_be_spawned_by_kind<Target, Api>>();
  } else {
    return TypeTag<
        these_Arguments_of_the_Api_have_no_quern_Codec<Target, typename Api::Arguments>>();
  }
}
template <typename Target, typename Api>
using KindMistake = typename decltype(KindMistakeOf<Target, Api>())::Type;

template <typename A>
StatusOr<CellPtr<Cell>> SpawnFromEncoded(SystemCore* core, std::string_view name,
                                         std::string_view encoded) {
  using Arguments = typename A::Api::Arguments;
  Arguments arguments{};
  Status status = Codec<Arguments>::Decode(encoded, &arguments);
  if (!status.ok()) return status;
  StatusOr<Ref<typename A::Api>> ref =
      Spawn<A>(core, nullptr, /*options=*/nullptr, name, std::move(arguments));
  if (!ref.ok()) return ref.status();
  return ref->cell();
}

template <typename A>
inline constexpr bool kIsHostableActor = kHandlesAll<A> && kSpawnableByKind<typename A::Api>;

template <typename A>
auto HostedActorMistakeOf() {
  if constexpr (!kHandlesAll<A>) {
    return TypeTag<HandlerMistake<A>>();
  } else {
    return TypeTag<KindMistake<A, typename A::Api>>();
  }
}
template <typename A>
using HostedActorMistake = typename decltype(HostedActorMistakeOf<A>())::Type;

template <typename A>
Status HostActor(SystemCore* core) {
  return HostKind(core, {&kWireTable<typename A::Api>, &SpawnFromEncoded<A>});
}

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_INTERNAL_SPAWN_H_
