// The actor kinds that can be spawned here from encoded arguments. Thread-safe.

#ifndef QUERN_RUNTIME_SRC_NETWORK_ACTOR_KINDS_H_
#define QUERN_RUNTIME_SRC_NETWORK_ACTOR_KINDS_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "quern/runtime/internal/spawn.h"
#include "quern/runtime/status.h"

namespace quern::internal {

class ActorKinds {
 public:
  // INVALID_ARGUMENT the kind's name; ALREADY_EXISTS.
  Status Add(const HostedActorKind& kind);
  std::optional<HostedActorKind> Find(std::string_view kind) const;
  std::vector<std::string> Names() const;

 private:
  mutable absl::Mutex mutex_;
  std::map<std::string, HostedActorKind, std::less<>> kinds_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_NETWORK_ACTOR_KINDS_H_
