#include "actor/children.h"

#include <algorithm>
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

std::vector<CellPtr<ActorCell>> Children::From(std::string_view first, size_t max) {
  std::vector<CellPtr<ActorCell>> found;
  absl::MutexLock lock(&mutex_);
  std::vector<ActorCell*> later;
  for (ActorCell* cell : cells_) {
    if (cell->name() >= first) later.push_back(cell);
  }
  const size_t count = std::min(max, later.size());
  std::partial_sort(later.begin(), later.begin() + static_cast<ptrdiff_t>(count), later.end(),
                    [](const ActorCell* a, const ActorCell* b) { return a->name() < b->name(); });
  found.reserve(count);
  for (size_t i = 0; i < count; ++i) found.push_back(CellPtr<ActorCell>::Share(later[i]));
  return found;
}

CellPtr<ActorCell> Children::Find(std::string_view name) {
  absl::MutexLock lock(&mutex_);
  auto it = cells_.find(name);
  return it == cells_.end() ? CellPtr<ActorCell>() : CellPtr<ActorCell>::Share(*it);
}

}  // namespace quern::internal
