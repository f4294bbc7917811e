#include "actor/children.h"

#include <algorithm>
#include <string>

#include <absl/hash/hash.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>

#include "actor/actor_cell.h"

namespace quern::internal {

size_t Children::NameHash::operator()(std::string_view name) const {
  return absl::Hash<absl::string_view>()({name.data(), name.size()});
}

size_t Children::NameHash::operator()(const ActorCell* cell) const { return (*this)(cell->name()); }

std::string_view Children::NameEq::NameOf(const ActorCell* cell) { return cell->name(); }

Status Children::Add(ActorCell* child) {
  absl::MutexLock lock(&mutex_);
  if (stopping_ != Stopping::kNone) {
    return absl::UnavailableError(
        absl::StrCat("spawn ", child->Path(), ": its parent is stopping"));
  }
  if (!cells_.insert(child).second) {
    return absl::AlreadyExistsError(absl::StrCat("spawn ", child->Path(), ": that name is taken"));
  }
  if (child->spawned_by_start()) ++started_;
  child->AddRef();
  return absl::OkStatus();
}

bool Children::NoneLeft() const {
  if (stopping_ == Stopping::kNone) return false;
  return stopping_ == Stopping::kAll ? cells_.empty() : started_ == 0;
}

bool Children::Remove(ActorCell* child) {
  absl::MutexLock lock(&mutex_);
  if (cells_.erase(child) != 0 && child->spawned_by_start()) --started_;
  return NoneLeft();
}

bool Children::Gone() {
  absl::MutexLock lock(&mutex_);
  return NoneLeft();
}

bool Children::StopAll() { return Stop(Stopping::kAll); }

bool Children::StopStarted() { return Stop(Stopping::kStarted); }

bool Children::Stop(Stopping which) {
  std::vector<CellPtr<ActorCell>> asked;
  bool none = false;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = which;
    none = NoneLeft();
    for (ActorCell* cell : cells_) {
      if (which == Stopping::kStarted && !cell->spawned_by_start()) continue;
      asked.push_back(CellPtr<ActorCell>::Share(cell));
    }
  }
  for (const auto& cell : asked) cell->RequestStop();
  return none;
}

void Children::Reopen() {
  absl::MutexLock lock(&mutex_);
  stopping_ = Stopping::kNone;
}

std::vector<CellPtr<ActorCell>> Children::All() {
  absl::MutexLock lock(&mutex_);
  std::vector<CellPtr<ActorCell>> all;
  all.reserve(cells_.size());
  for (ActorCell* cell : cells_) all.push_back(CellPtr<ActorCell>::Share(cell));
  return all;
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
