#include "quern/runtime/dump.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>

#include "actor/actor_cell.h"
#include "base/short_name.h"
#include "quern/runtime/system.h"
#include "scheduler/scheduler.h"
#include "system/actor_listing.h"
#include "system/mailbox_census.h"
#include "system/parked_handlers.h"
#include "system/system_core.h"

namespace quern {
namespace {

using internal::ActorCell;
using internal::CellPtr;

std::string Describe(const internal::ParkedHandler& handler) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(handler.waited).count();
  std::string text = handler.message.empty()
                         ? std::string(", in a hook")
                         : absl::StrCat(", in ", std::string(internal::ShortName(handler.message)));
  absl::StrAppend(&text, " for ", ms, " ms: ", handler.waits_for, "; ", handler.queued, " queued");
  return text;
}

struct Actors {
  std::vector<CellPtr<ActorCell>> first;
  bool more = false;
};

Actors FirstActors(ActorCell& root, size_t max) {
  Actors actors;
  std::string after;
  do {
    internal::CellPage page = ListCells(root, {.after = after, .limit = max - actors.first.size()});
    actors.first.insert(actors.first.end(), page.cells.begin(), page.cells.end());
    after = page.next;
  } while (!after.empty() && actors.first.size() < max);
  actors.more = !after.empty();
  return actors;
}

}  // namespace

std::string DumpActors(const System& system, size_t actors_max) {
  internal::SystemCore& core = *system.core();
  const CellPtr<ActorCell> root = core.SharedRoot();
  if (!root) return absl::StrCat("system \"", system.name(), "\": stopped\n");
  const internal::ParkedHandlers parked = internal::CollectParked(core.scheduler());
  std::multimap<std::string, const internal::ParkedHandler*> by_path;
  for (const auto& handler : parked.handlers) by_path.emplace(handler.path, &handler);
  const Actors actors = FirstActors(*root, std::max<size_t>(actors_max, 1));
  const std::vector<std::optional<size_t>> queued = core.census().Count(actors.first, &parked);

  std::string text =
      absl::StrCat("system \"", system.name(), "\": ", actors.first.size(),
                   actors.more ? " actors and more, " : " actors, ", parked.handlers.size(),
                   " waiting handlers, ", system.dead_letters(), " dead letters\n");
  for (int worker : parked.silent_workers) {
    absl::StrAppend(&text, "worker ", worker,
                    " is held by a handler; what waits there is missing\n");
  }
  for (size_t i = 0; i < actors.first.size(); ++i) {
    const ActorInfo actor = internal::InfoOf(*actors.first[i]);
    absl::StrAppend(&text, actor.path, "  ", std::string(internal::ShortName(actor.actor_class)),
                    "  ", std::string(actor.state));
    const auto [begin, end] = by_path.equal_range(actor.path);
    for (auto it = begin; it != end; ++it) text += Describe(*it->second);
    if (begin == end && queued[i].value_or(0) > 0) {
      absl::StrAppend(&text, "; ", *queued[i], " queued");
    }
    by_path.erase(begin, end);
    text += '\n';
  }
  for (const auto& [path, handler] : by_path) {  // grains, and actors that came since
    absl::StrAppend(&text, path, Describe(*handler), "\n");
  }
  return text;
}

}  // namespace quern
