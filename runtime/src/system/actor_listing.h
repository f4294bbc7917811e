// Finds and lists the actors of a living tree. Thread-safe: holds what it looks at, locks one
// parent's children at a time.

#ifndef QUERN_RUNTIME_SRC_SYSTEM_ACTOR_LISTING_H_
#define QUERN_RUNTIME_SRC_SYSTEM_ACTOR_LISTING_H_

#include <string>
#include <vector>

#include "quern/runtime/actor_info.h"
#include "quern/runtime/internal/cell.h"

namespace quern::internal {

class ActorCell;

struct CellPage {
  std::vector<CellPtr<ActorCell>> cells;
  std::string next;
};

CellPage ListCells(ActorCell& root, const ListOptions& options);
ActorPage ListActors(ActorCell& root, const ListOptions& options);

ActorInfo InfoOf(const ActorCell& cell);

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SYSTEM_ACTOR_LISTING_H_
