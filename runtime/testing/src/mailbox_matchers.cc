#include "quern/testing/mailbox_matchers.h"

#include "actor/actor_cell.h"
#include "base/short_name.h"
#include "scheduler/scheduler.h"
#include "system/mailbox_census.h"
#include "system/system_core.h"

namespace quern::testing::internal {

using quern::internal::ActorCell;
using quern::internal::CellPtr;

std::optional<size_t> CountMailbox(quern::internal::Cell* cell) {
  auto* actor = dynamic_cast<ActorCell*>(cell);
  if (actor == nullptr || actor->core().stopped()) return std::nullopt;
  return actor->core().census().Count({CellPtr<ActorCell>::Share(actor)}).front();
}

std::optional<std::vector<std::string>> NamesInMailbox(quern::internal::Cell* cell) {
  const auto* actor = dynamic_cast<const ActorCell*>(cell);
  if (actor == nullptr || actor->core().stopped()) return std::nullopt;
  const bool stepped = actor->core().scheduler().step_driver() != nullptr;
  if (!stepped || actor->chosen_mailbox() != nullptr) return std::nullopt;
  std::vector<std::string> names;
  for (std::string_view name : actor->QueuedNames()) {
    names.emplace_back(quern::internal::ShortName(name));
  }
  return names;
}

}  // namespace quern::testing::internal
