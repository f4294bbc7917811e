#include "system/mailbox_census.h"

#include <utility>
#include <vector>

#include <absl/time/time.h>

#include "actor/actor_cell.h"
#include "scheduler/scheduler.h"
#include "scheduler/worker.h"
#include "system/parked_handlers.h"
#include "system/system_core.h"

namespace quern::internal {
namespace {

// Real time: it is a thread that is waited for, which a test's clock does not move.
constexpr absl::Duration kPatience = absl::Seconds(1);

}  // namespace

std::vector<std::optional<size_t>> MailboxCensus::Count(
    const std::vector<CellPtr<ActorCell>>& cells, const ParkedHandlers* parked) {
  std::vector<std::optional<size_t>> counts(cells.size());
  const bool stepped = core_.scheduler().step_driver() != nullptr;
  std::vector<CellPtr<ActorCell>> busy;
  for (size_t i = 0; i < cells.size(); ++i) {
    // The workers of a step system stand still while their thread is here.
    counts[i] = stepped ? cells[i]->CountQueued() : cells[i]->CountIfIdle();
    if (!counts[i].has_value()) busy.push_back(cells[i]);
  }
  if (busy.empty()) return counts;
  Round round;
  Ask(busy, parked != nullptr ? *parked : CollectParked(core_.scheduler()), round);
  for (size_t i = 0; i < cells.size(); ++i) {
    if (!counts[i].has_value()) counts[i] = round.counts[cells[i]->id()];
  }
  return counts;
}

void MailboxCensus::Ask(const std::vector<CellPtr<ActorCell>>& cells, const ParkedHandlers& parked,
                        Round& round) {
  for (const ParkedHandler& handler : parked.handlers) {
    round.counts[handler.cell_id] = handler.queued;
  }
  std::vector<CellPtr<ActorCell>> left;
  for (const auto& cell : cells) {
    if (round.counts.emplace(cell->id(), std::nullopt).second) left.push_back(cell);
  }
  // Those of the calling worker cannot run now.
  if (Worker::Current() != nullptr || left.empty()) return;
  round.missing = left.size();
  {
    absl::MutexLock lock(&mutex_);
    rounds_.push_back(&round);
  }
  for (const auto& cell : left) {
    if (!cell->SignalToCount()) Report(cell->id(), 0);
  }
  // Behind a held worker nobody will answer.
  const absl::Duration patience = parked.silent_workers.empty() ? kPatience : kPatience / 10;
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(
      absl::Condition(+[](size_t* missing) { return *missing == 0; }, &round.missing), patience);
  std::erase(rounds_, &round);
}

void MailboxCensus::Report(uint64_t cell_id, size_t queued) {
  absl::MutexLock lock(&mutex_);
  for (Round* round : rounds_) {
    const auto found = round->counts.find(cell_id);
    if (found == round->counts.end() || found->second.has_value()) continue;
    found->second = queued;
    --round->missing;
  }
}

}  // namespace quern::internal
