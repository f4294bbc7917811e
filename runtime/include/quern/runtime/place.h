// Somewhere else to spawn: a datacenter, by name. Got from System::In and Context::In.
//
//   quern::StatusOr<quern::Ref<ReaderApi>> reader =
//       system.In("us-west").Spawn<ReaderApi>("reader-1", ReaderArguments{...});
//
// The actor class is linked only where it is hosted (System::HostActor); the Api names its kind and
// its `Arguments`. Thread-safe.

#ifndef QUERN_RUNTIME_PLACE_H_
#define QUERN_RUNTIME_PLACE_H_

#include <string>
#include <string_view>
#include <utility>

#include "quern/runtime/internal/spawn.h"
#include "quern/runtime/ref.h"
#include "quern/runtime/spawn_options.h"
#include "quern/runtime/status.h"

namespace quern {

class Place {
 public:
  Place(internal::SystemCore* core, std::string_view where) : core_(core), where_(where) {}

  // Spawns an actor of Api's kind there. FAILED_PRECONDITION no network is installed; NOT_FOUND
  // nobody there hosts the kind; ALREADY_EXISTS the name is taken; UNAVAILABLE the place cannot be
  // reached; DEADLINE_EXCEEDED unknown. Suspends (a plain thread: blocks).
  template <typename Api>
    requires internal::kSpawnableByKind<Api>
  StatusOr<Ref<Api>> Spawn(std::string_view name, const typename Api::Arguments& arguments,
                           const SpawnOptions& options = {}) const {
    std::string encoded;
    Codec<typename Api::Arguments>::Encode(arguments, &encoded);
    auto cell = internal::SpawnRemote(core_, where_, name, internal::kWireTable<Api>,
                                      std::move(encoded), options);
    if (!cell.ok()) return cell.status();
    return Ref<Api>::FromCell(*std::move(cell));
  }
  template <typename Api, typename... Args>
    requires(!internal::kSpawnableByKind<Api>)
  internal::KindMistake<Api, Api> Spawn(Args&&...) const = delete;

 private:
  internal::SystemCore* core_;
  std::string where_;
};

}  // namespace quern

#endif  // QUERN_RUNTIME_PLACE_H_
