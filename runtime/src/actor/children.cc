#include "actor/children.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include <absl/hash/hash.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>

#include "actor/actor_cell.h"
#include "actor/actor_name.h"
#include "quern/runtime/limits.h"

namespace quern::internal {
namespace {

// For what stands around its address.
static_assert(sizeof(void*) == 8 && alignof(ActorCell) > 1 && kChildrenGoneMax < 256);

// No given name begins with the mark of generated ones, so it alone says where those stand among
// the given ones.
std::string_view SortName(const ActorCell* cell) {
  return cell->named() ? cell->given_name() : std::string_view(&ActorName::kGeneratedMark, 1);
}

bool Precedes(const ActorCell* a, const ActorCell* b) {
  if (a->named() || b->named()) return SortName(a) < SortName(b);
  return a->id() < b->id();
}

}  // namespace

size_t Children::NameHash::operator()(std::string_view name) const {
  return absl::Hash<absl::string_view>()({name.data(), name.size()});
}

size_t Children::NameHash::operator()(const ActorCell* cell) const {
  return (*this)(cell->given_name());
}

std::string_view Children::NameEq::NameOf(const ActorCell* cell) { return cell->given_name(); }

Status Children::Add(ActorCell* child) {
  Ended ended;
  absl::MutexLock lock(&mutex_);
  if (stopping_ != Stopping::kNone) {
    return absl::UnavailableError(
        absl::StrCat("spawn ", child->Path(), ": its parent is stopping"));
  }
  if (!child->named()) {
    unnamed_.Add(child);
  } else {
    TakeGone(&ended);  // a name is free again
    if (!named_.insert(child).second) {
      return absl::AlreadyExistsError(
          absl::StrCat("spawn ", child->Path(), ": that name is taken"));
    }
  }
  if (child->spawned_by_start()) ++started_;
  child->AddRef();
  return absl::OkStatus();
}

void Children::End(ActorCell* child) {
  CellPtr<ActorCell> held;  // by who has to come back
  bool takes = false;
  uintptr_t gone = gone_.load(std::memory_order_relaxed);
  uintptr_t next = 0;
  do {
    constexpr uintptr_t kFull = kChildrenGoneMax * kOne;
    const uintptr_t count = std::min((gone & kCount) + kOne, kFull);
    takes = (gone & kWaitedFor) != 0 ? CellOf(gone) == nullptr
                                     : count == kFull && (gone & kCount) != count;
    if (takes && !held) held = CellPtr<ActorCell>::Share(child);
    child->SetNextGone(CellOf(gone));
    next = reinterpret_cast<uintptr_t>(child) | (gone & kWaitedFor) | count;
  } while (!gone_.compare_exchange_weak(gone, next, std::memory_order_acq_rel,
                                        std::memory_order_relaxed));
  if (!takes) return;
  Ended ended;
  absl::MutexLock lock(&mutex_);
  TakeGone(&ended);
}

void Children::TakeGone(Ended* ended) {
  const uintptr_t none = stopping_ == Stopping::kNone ? 0 : kWaitedFor;
  if (gone_.load(std::memory_order_acquire) == none) return;
  ended->first = CellOf(gone_.exchange(none, std::memory_order_acq_rel));
  if (ended->first == nullptr) return;
  for (ActorCell* cell = ended->first; cell != nullptr; cell = cell->next_gone()) TakeOut(cell);
  ended->tell = NoneLeft();
}

void Children::TakeOut(ActorCell* child) {
  if (child->named()) {
    named_.erase(child);
  } else {
    unnamed_.Remove(child);
  }
  if (child->spawned_by_start()) --started_;
  child->LeaveParent();
}

Children::Ended::~Ended() {
  if (tell) first->parent()->SignalChildrenGone();
  while (first != nullptr) std::exchange(first, first->next_gone())->Release();
}

bool Children::NoneLeft() const {
  if (stopping_ == Stopping::kNone) return false;
  if (stopping_ == Stopping::kStarted) return started_ == 0;
  return named_.empty() && unnamed_.size() == 0;
}

bool Children::AllGone() {
  Ended ended;
  absl::MutexLock lock(&mutex_);
  TakeGone(&ended);
  ended.tell = false;
  return NoneLeft();
}

bool Children::StopAll() { return Stop(Stopping::kAll); }

bool Children::StopStarted() { return Stop(Stopping::kStarted); }

bool Children::Stop(Stopping which) {
  Ended ended;
  std::vector<CellPtr<ActorCell>> asked;
  bool none = false;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = which;
    TakeGone(&ended);
    ended.tell = false;
    none = NoneLeft();
    ForEach([&](ActorCell* cell) {
      if (which == Stopping::kStarted && !cell->spawned_by_start()) return;
      asked.push_back(CellPtr<ActorCell>::Share(cell));
    });
  }
  for (const auto& cell : asked) cell->RequestStop();
  return none;
}

void Children::Reopen() {
  Ended ended;
  absl::MutexLock lock(&mutex_);
  stopping_ = Stopping::kNone;
  TakeGone(&ended);
}

std::vector<CellPtr<ActorCell>> Children::All() {
  Ended ended;
  std::vector<CellPtr<ActorCell>> all;
  absl::MutexLock lock(&mutex_);
  TakeGone(&ended);
  all.reserve(named_.size() + unnamed_.size());
  ForEach([&](ActorCell* cell) { all.push_back(CellPtr<ActorCell>::Share(cell)); });
  return all;
}

std::vector<CellPtr<ActorCell>> Children::From(std::string_view first, size_t max) {
  Ended ended;
  std::vector<CellPtr<ActorCell>> found;
  std::vector<ActorCell*> later;
  const std::optional<uint64_t> first_id = ActorName::IdOf(first);
  absl::MutexLock lock(&mutex_);
  TakeGone(&ended);
  for (ActorCell* cell : named_) {
    if (cell->given_name() >= first) later.push_back(cell);
  }
  unnamed_.ForEach([&](ActorCell* cell) {
    const bool from =
        first_id.has_value() ? cell->id() >= *first_id : SortName(cell) >= first.substr(0, 1);
    if (from) later.push_back(cell);
  });
  const size_t count = std::min(max, later.size());
  std::partial_sort(later.begin(), later.begin() + static_cast<ptrdiff_t>(count), later.end(),
                    Precedes);
  found.reserve(count);
  for (size_t i = 0; i < count; ++i) found.push_back(CellPtr<ActorCell>::Share(later[i]));
  return found;
}

CellPtr<ActorCell> Children::Find(std::string_view name) {
  Ended ended;
  absl::MutexLock lock(&mutex_);
  TakeGone(&ended);
  if (const std::optional<uint64_t> id = ActorName::IdOf(name); id.has_value()) {
    return CellPtr<ActorCell>::Share(unnamed_.Find(*id));
  }
  const auto it = named_.find(name);
  return it == named_.end() ? CellPtr<ActorCell>() : CellPtr<ActorCell>::Share(*it);
}

}  // namespace quern::internal
