// Spawning behind the templates: checks that speak in one error line, then a type-erased request.

#ifndef QUERN_RUNTIME_INTERNAL_SPAWN_H_
#define QUERN_RUNTIME_INTERNAL_SPAWN_H_

#include <string>
#include <string_view>
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
  std::string_view name;
  const ActorClass* actor_class;
  const ActorFactory* factory;
  void* arguments;  // owned
  const SpawnOptions* options;
};

// `parent` null: under the root. INVALID_ARGUMENT the name; ALREADY_EXISTS a living sibling has it;
// UNAVAILABLE the system or the parent is stopping. Thread-safe, never suspends.
StatusOr<CellPtr<Cell>> SpawnActor(SystemCore* core, Cell* parent, const SpawnRequest& request);

template <typename A, typename... Args>
StatusOr<Ref<typename A::Api>> Spawn(SystemCore* core, Cell* parent, const SpawnOptions& options,
                                     std::string_view name, Args&&... args) {
  using Api = typename A::Api;
  if constexpr (!kHandles<A, Api>) {
    RequireHandlers<A>(static_cast<const SignaturesOf<Api>*>(nullptr));
  } else if constexpr (!std::is_constructible_v<A, std::decay_t<Args>&&...>) {
    this_actor_cannot_be_constructed_from_these_arguments<A, std::decay_t<Args>...>();
  } else {
    StatusOr<CellPtr<Cell>> cell =
        SpawnActor(core, parent,
                   {name, &kActorClass<A>, &kActorFactory<A, std::decay_t<Args>...>,
                    KeepArguments(std::forward<Args>(args)...), &options});
    if (!cell.ok()) return cell.status();
    return Ref<Api>::FromCell(*std::move(cell));
  }
}

// The proxy of a grain. INVALID_ARGUMENT answers every message when the kind or key is malformed.
CellPtr<Cell> GrainProxy(SystemCore* core, const WireTable& wire, std::string_view kind,
                         std::string_view key);

template <typename Api>
Ref<Api> GrainRef(SystemCore* core, std::string_view kind, std::string_view key) {
  if constexpr (!kCanBeRemote<Api>) {
    RequireRemotable<Api, Api>();
    return {};
  } else {
    return Ref<Api>::FromCell(
        GrainProxy(core, kWireTable<Api>, kind.empty() ? Api::kKind : kind, key));
  }
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

// The sentence that the compiler prints.
template <typename Actor, typename Arguments>
void these_Arguments_of_the_Api_have_no_quern_Codec() = delete;
template <typename Actor, typename Api>
void this_Api_needs_a_type_Arguments_to_be_spawned_by_kind() = delete;

template <typename A>
StatusOr<CellPtr<Cell>> SpawnFromEncoded(SystemCore* core, std::string_view name,
                                         std::string_view encoded) {
  using Arguments = typename A::Api::Arguments;
  Arguments arguments{};
  Status status = Codec<Arguments>::Decode(encoded, &arguments);
  if (!status.ok()) return status;
  StatusOr<Ref<typename A::Api>> ref =
      Spawn<A>(core, nullptr, SpawnOptions{}, name, std::move(arguments));
  if (!ref.ok()) return ref.status();
  return ref->cell();
}

template <typename A>
Status HostActor(SystemCore* core) {
  using Api = typename A::Api;
  if constexpr (!kCanBeRemote<Api>) {
    RequireRemotable<A, Api>();
    return {};
  } else if constexpr (!requires { typename Api::Arguments; }) {
    this_Api_needs_a_type_Arguments_to_be_spawned_by_kind<A, Api>();
    return {};
  } else if constexpr (!HasCodec<typename Api::Arguments>) {
    these_Arguments_of_the_Api_have_no_quern_Codec<A, typename Api::Arguments>();
    return {};
  } else {
    return HostKind(core, {&kWireTable<Api>, &SpawnFromEncoded<A>});
  }
}

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_INTERNAL_SPAWN_H_
