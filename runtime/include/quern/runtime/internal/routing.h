// What a router knows of the messages it forwards, with their types erased: how to copy one, its
// key, whether a reply is a success.

#ifndef QUERN_RUNTIME_INTERNAL_ROUTING_H_
#define QUERN_RUNTIME_INTERNAL_ROUTING_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "quern/runtime/internal/cell.h"
#include "quern/runtime/internal/envelope.h"
#include "quern/runtime/internal/signature.h"
#include "quern/runtime/internal/spawn.h"
#include "quern/runtime/status.h"

namespace quern {

struct RouterOptions;

// Made by RouteBy(). Empty: no message has a key.
class RouteKey {
 public:
  // For the runtime itself.
  struct Entry {
    const internal::Signature* signature;
    std::function<std::string(const void* message)> key;
  };
  explicit operator bool() const { return !entries_.empty(); }
  const Entry* Find(const internal::Signature* signature) const {
    for (const Entry& entry : entries_) {
      if (entry.signature == signature) return &entry;
    }
    return nullptr;
  }
  std::vector<Entry> entries_;
};

namespace internal {

template <typename... S, typename Key>
RouteKey MakeRouteKey(const SignatureList<S...>*, Key key) {
  RouteKey made;
  auto shared = std::make_shared<Key>(std::move(key));
  const auto add = [&]<typename Entry>(TypeTag<Entry>) {
    using M = typename SignatureParts<Entry>::Message;
    if constexpr (std::is_invocable_v<Key&, const M&>) {
      made.entries_.push_back({&kSignature<Entry>, [shared](const void* message) {
                                 return std::string((*shared)(*static_cast<const M*>(message)));
                               }});
    }
  };
  (add(TypeTag<S>()), ...);
  return made;
}

struct RouteEntry {
  const Signature* signature;
  // Null: the message cannot be copied.
  Envelope* (*copy)(const void* message, bool ask);
  const Status& (*status)(const void* slot);
  void (*move_slot)(void* to, void* from);  // constructs at `to`
};

struct RouteType {
  const RouteEntry* entries;
  size_t count;

  const RouteEntry* Find(const Signature* signature) const {
    for (size_t i = 0; i < count; ++i) {
      if (entries[i].signature == signature) return &entries[i];
    }
    return nullptr;
  }
};

template <typename S>
constexpr RouteEntry MakeRouteEntry(uint16_t) {
  using M = typename SignatureParts<S>::Message;
  using R = typename SignatureParts<S>::Reply;
  RouteEntry entry{};
  entry.signature = &kSignature<S>;
  if constexpr (std::is_copy_constructible_v<M>) {
    entry.copy = [](const void* message, bool ask) {
      return MakeEnvelope<S>(0, ask, *static_cast<const M*>(message));
    };
  }
  entry.status = [](const void* slot) -> const Status& {
    if constexpr (std::is_void_v<R>) {
      return *static_cast<const Status*>(slot);
    } else {
      return static_cast<const ReplySlot<R>*>(slot)->status();
    }
  };
  entry.move_slot = [](void* to, void* from) {
    std::construct_at(static_cast<ReplySlot<R>*>(to), std::move(*static_cast<ReplySlot<R>*>(from)));
  };
  return entry;
}

template <typename List>
struct RouteTypeOf;
template <typename... S>
struct RouteTypeOf<SignatureList<S...>> {
  static constexpr RouteEntry kEntries[sizeof...(S) + 1] = {MakeRouteEntry<S>(0)..., RouteEntry{}};
  static constexpr RouteType kType = {kEntries, sizeof...(S)};
};
template <typename Api>
inline constexpr const RouteType& kRouteType = RouteTypeOf<SignaturesOf<Api>>::kType;

using RouteeSpawner = std::function<StatusOr<CellPtr<Cell>>(
    Cell* parent, const SpawnOptions& options, std::string_view name)>;

// A child of the router's own actor.
StatusOr<CellPtr<Cell>> SpawnRoutee(Cell* parent, const SpawnRequest& request);

// `spawner` empty: over `given`. INVALID_ARGUMENT the size or another option; codes as
// SpawnActor().
StatusOr<CellPtr<Cell>> NewRouter(SystemCore* core, std::string_view name,
                                  const RouterOptions& options, const RouteType& type,
                                  RouteeSpawner spawner, std::vector<CellPtr<Cell>> given);
Status ResizeRouter(Cell* router, int delta);
std::vector<CellPtr<Cell>> RouteesOf(Cell* router);

}  // namespace internal
}  // namespace quern

#endif  // QUERN_RUNTIME_INTERNAL_ROUTING_H_
