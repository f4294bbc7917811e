// The root's part of eviction: now and then it counts the actors and chooses those that are too
// many.

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "actor/actor_cell.h"
#include "actor/turn.h"
#include "quern/runtime/eviction.h"
#include "scheduler/worker.h"

namespace quern::internal {
namespace {

// The first to go has the lowest.
uint64_t Rank(const ActorExtras& extras, EvictionPolicy policy) {
  const auto last_active = static_cast<uint64_t>(extras.last_active.load());
  switch (policy) {
    case EvictionPolicy::kLeastFrequentlyUsed:
      return extras.handled;
    case EvictionPolicy::kMostRecentlyUsed:
      return ~last_active;
    case EvictionPolicy::kLeastRecentlyUsed:
      break;
  }
  return last_active;
}

}  // namespace

void ActorCell::ArmEviction(Turn& turn) {
  const EvictionOptions& options = core().options().eviction;
  if (options.limit == 0) return;
  const Duration every = std::max<Duration>(options.every, std::chrono::milliseconds(1));
  extras().idle = CellTimer::Arm(*turn.worker, Now(turn) + every, CellPtr<MailboxCell>::Share(this),
                                 kEvictionSignal);
}

void ActorCell::ChooseVictims(Turn& turn) {
  RetireIdle();
  if (state_ != State::kRunning) return;
  const EvictionOptions& options = core().options().eviction;

  size_t count = 0;
  std::vector<std::pair<uint64_t, CellPtr<ActorCell>>> candidates;
  std::vector<CellPtr<ActorCell>> open = LivingChildren();
  while (!open.empty()) {
    const CellPtr<ActorCell> actor = std::move(open.back());
    open.pop_back();
    ++count;
    const std::vector<CellPtr<ActorCell>> children = actor->LivingChildren();
    open.insert(open.end(), children.begin(), children.end());
    const ActorExtras* have = actor->extras_if_any();
    // Without extras it has not started yet.
    if (have == nullptr || !children.empty() || have->to_be_suspended || have->passivation_paused) {
      continue;
    }
    candidates.emplace_back(Rank(*have, options.policy), actor);
  }

  ArmEviction(turn);
  if (count <= options.limit) return;
  const size_t percentage = static_cast<size_t>(std::clamp(options.percentage, 0, 100));
  const size_t wanted = std::max(count - options.limit, count * percentage / 100);
  const size_t chosen = std::min(wanted, candidates.size());
  const auto first_kept = candidates.begin() + static_cast<std::ptrdiff_t>(chosen);
  const auto by_rank = [](const auto& a, const auto& b) { return a.first < b.first; };
  std::nth_element(candidates.begin(), first_kept, candidates.end(), by_rank);
  for (auto it = candidates.begin(); it != first_kept; ++it) it->second->Signal(kEvictionSignal);
}

std::vector<CellPtr<ActorCell>> ActorCell::LivingChildren() const {
  Family* have = family_if_any();
  return have == nullptr ? std::vector<CellPtr<ActorCell>>() : have->children.All();
}

}  // namespace quern::internal
