#include "quern/runtime/dump.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <vector>

#include <absl/strings/str_cat.h>

#include "quern/runtime/limits.h"
#include "quern/runtime/system.h"
#include "scheduler/scheduler.h"
#include "system/parked_handlers.h"
#include "system/system_core.h"

namespace quern {
namespace {

// Without the namespaces, which are the same on every line.
std::string ShortName(const std::string& name) {
  const size_t end = std::min(name.find('<'), name.size());
  const size_t colon = name.rfind("::", end);
  return colon == std::string::npos ? name : name.substr(colon + 2);
}

std::string Describe(const internal::ParkedHandler& handler) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(handler.waited).count();
  std::string text = handler.message.empty() ? std::string(", in a hook")
                                             : absl::StrCat(", in ", ShortName(handler.message));
  absl::StrAppend(&text, " for ", ms, " ms: ", handler.waits_for, "; ", handler.queued, " queued");
  return text;
}

struct Actors {
  std::vector<ActorInfo> first;
  bool more = false;
};

Actors FirstActors(const System& system, size_t max) {
  Actors actors;
  std::string after;
  do {
    ActorPage page = system.ListActors({.after = after, .limit = max - actors.first.size()});
    actors.first.insert(actors.first.end(), page.actors.begin(), page.actors.end());
    after = page.next;
  } while (!after.empty() && actors.first.size() < max);
  actors.more = !after.empty();
  return actors;
}

}  // namespace

std::string DumpActors(const System& system, size_t actors_max) {
  internal::SystemCore& core = *system.core();
  if (core.stopped()) return absl::StrCat("system \"", system.name(), "\": stopped\n");
  const internal::ParkedHandlers parked = internal::CollectParked(core.scheduler());
  std::multimap<std::string, const internal::ParkedHandler*> by_path;
  for (const auto& handler : parked.handlers) by_path.emplace(handler.path, &handler);
  const Actors actors = FirstActors(system, std::max<size_t>(actors_max, 1));

  std::string text =
      absl::StrCat("system \"", system.name(), "\": ", actors.first.size(),
                   actors.more ? " actors and more, " : " actors, ", parked.handlers.size(),
                   " waiting handlers, ", system.dead_letters(), " dead letters\n");
  for (int worker : parked.silent_workers) {
    absl::StrAppend(&text, "worker ", worker,
                    " is held by a handler; what waits there is missing\n");
  }
  for (const ActorInfo& actor : actors.first) {
    absl::StrAppend(&text, actor.path, "  ", ShortName(actor.actor_class), "  ",
                    std::string(actor.state));
    const auto [begin, end] = by_path.equal_range(actor.path);
    for (auto it = begin; it != end; ++it) text += Describe(*it->second);
    by_path.erase(begin, end);
    text += '\n';
  }
  for (const auto& [path, handler] : by_path) {  // grains, and actors that came since
    absl::StrAppend(&text, path, Describe(*handler), "\n");
  }
  return text;
}

}  // namespace quern
