#include "actor/children.h"

#include <string>

#include <absl/strings/str_cat.h>

#include "actor/actor_cell.h"

namespace quern::internal {

size_t Children::NameHash::operator()(const ActorCell* cell) const {
  return std::hash<std::string_view>()(cell->name());
}

std::string_view Children::NameEq::NameOf(const ActorCell* cell) { return cell->name(); }

Status Children::Add(ActorCell* child) {
  absl::MutexLock lock(&mutex_);
  if (stopping_)
    return absl::UnavailableError(
        absl::StrCat("spawn ", child->Path(), ": its parent is stopping"));
  if (!cells_.insert(child).second) {
    return absl::AlreadyExistsError(absl::StrCat("spawn ", child->Path(), ": that name is taken"));
  }
  child->AddRef();
  return absl::OkStatus();
}

bool Children::Remove(ActorCell* child) {
  bool last = false;
  {
    absl::MutexLock lock(&mutex_);
    cells_.erase(child);
    last = stopping_ && cells_.empty();
  }
  return last;
}

bool Children::StopAll() {
  std::vector<CellPtr<ActorCell>> all;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    all.reserve(cells_.size());
    for (ActorCell* cell : cells_) all.push_back(CellPtr<ActorCell>::Share(cell));
  }
  for (const auto& cell : all) cell->RequestStop();
  return all.empty();
}

void Children::Reopen() {
  absl::MutexLock lock(&mutex_);
  stopping_ = false;
}

CellPtr<ActorCell> Children::Find(std::string_view name) {
  absl::MutexLock lock(&mutex_);
  auto it = cells_.find(name);
  return it == cells_.end() ? CellPtr<ActorCell>() : CellPtr<ActorCell>::Share(*it);
}

}  // namespace quern::internal
