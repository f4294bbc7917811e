#include "system/actor_listing.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actor/actor_cell.h"
#include "quern/runtime/limits.h"
#include "system/mailbox_census.h"

namespace quern::internal {
namespace {

using Level = std::vector<CellPtr<ActorCell>>;

std::string_view FirstName(std::string_view path) { return path.substr(0, path.find('/')); }

std::string_view BehindFirst(std::string_view path) {
  const size_t slash = path.find('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
}

// Walks down in order; `after` is relative to the level: what precedes it is passed over.
class Lister {
 public:
  explicit Lister(size_t limit) : limit_(limit) {}

  void Walk(ActorCell& parent, std::string_view after) {
    const std::string_view first = FirstName(after);
    // One more than wanted shows that there is a next page.
    const Level level = parent.ChildrenFrom(first, limit_ + 1 - page_.cells.size() + 1);
    for (const CellPtr<ActorCell>& child : level) {
      const bool passed = !after.empty() && child->name().text() == first;
      if (!passed && !Take(child)) return;
      Walk(*child, passed ? BehindFirst(after) : std::string_view());
      if (full_) return;
    }
  }

  CellPage Done() && { return std::move(page_); }

 private:
  bool Take(const CellPtr<ActorCell>& cell) {
    if (page_.cells.size() == limit_) {
      page_.next = page_.cells.back()->Path();
      full_ = true;
      return false;
    }
    page_.cells.push_back(cell);
    return true;
  }

  const size_t limit_;
  bool full_ = false;
  CellPage page_;
};

std::string_view WithoutSlash(std::string_view path) {
  if (path.starts_with('/')) path.remove_prefix(1);
  return path;
}

}  // namespace

ActorInfo InfoOf(const ActorCell& cell) {
  return {.path = cell.Path(),
          .actor_class = std::string(cell.ClassName()),
          .state = cell.state_name(),
          .waiting = cell.waiting(),
          .id = cell.id()};
}

CellPage ListCells(ActorCell& root, const ListOptions& options) {
  const std::string_view under = WithoutSlash(options.under);
  const CellPtr<ActorCell> top = root.Find(under);
  if (!top) return {};
  std::string_view after = WithoutSlash(options.after);
  if (!under.empty() && after.starts_with(under)) {
    after = WithoutSlash(after.substr(under.size()));
  }
  Lister lister(std::clamp<size_t>(options.limit, 1, kListActorsMax));
  lister.Walk(*top, after);
  return std::move(lister).Done();
}

ActorPage ListActors(ActorCell& root, const ListOptions& options) {
  CellPage found = ListCells(root, options);
  ActorPage page;
  page.next = std::move(found.next);
  for (const CellPtr<ActorCell>& cell : found.cells) page.actors.push_back(InfoOf(*cell));
  if (!options.mailboxes) return page;
  const std::vector<std::optional<size_t>> counts = root.core().census().Count(found.cells);
  for (size_t i = 0; i < counts.size(); ++i) page.actors[i].queued = counts[i];
  return page;
}

}  // namespace quern::internal
