#include "network/actor_kinds.h"

#include "quern/runtime/grain_id.h"
#include "system/system_core.h"

namespace quern::internal {

Status ActorKinds::Add(const HostedActorKind& kind) {
  Status valid = GrainId(kind.wire->kind, "actor").Validate();
  if (!valid.ok()) return valid;
  absl::MutexLock lock(&mutex_);
  if (kinds_.try_emplace(std::string(kind.wire->kind), kind).second) return absl::OkStatus();
  return absl::AlreadyExistsError("host actor kind " + std::string(kind.wire->kind) +
                                  ": it is hosted already");
}

std::optional<HostedActorKind> ActorKinds::Find(std::string_view kind) const {
  absl::MutexLock lock(&mutex_);
  auto it = kinds_.find(kind);
  if (it == kinds_.end()) return std::nullopt;
  return it->second;
}

std::vector<std::string> ActorKinds::Names() const {
  absl::MutexLock lock(&mutex_);
  std::vector<std::string> names;
  for (const auto& [name, kind] : kinds_) names.push_back(name);
  return names;
}

Status HostKind(SystemCore* core, const HostedActorKind& kind) {
  return core->actor_kinds().Add(kind);
}

}  // namespace quern::internal
