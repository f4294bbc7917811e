// What a worker does for others when it has nothing to do (ARCHITECTURE.md, D2).

#include <atomic>

#include "quern/runtime/limits.h"
#include "scheduler/scheduler.h"
#include "scheduler/worker.h"

namespace quern::internal {
namespace {

constexpr size_t kStealAbove = 2;  // below, the owner gets there first

}  // namespace

size_t Worker::StealFrom(Worker& victim, bool all) {
  RunQueue::Loot stolen;
  stolen.newborn.Prepare();
  if (!victim.queue_.Steal(&stolen, all, kStealCellsMax)) return 0;
  const size_t count = stolen.size();
  queue_.Add(&stolen);
  stolen_.fetch_add(count, std::memory_order_relaxed);
  if (count > 1) PassOnWatch();
  return count;
}

Worker* Worker::StealVictim() const {
  if (!CanTake()) return nullptr;
  const auto& workers = scheduler_->workers();
  const size_t count = workers.size();
  for (size_t i = 1; i < count; ++i) {
    Worker& victim = *workers[(static_cast<size_t>(index_) + i) % count];
    if (victim.queue_.size() >= kStealAbove) return &victim;
  }
  return nullptr;
}

bool Worker::Steal() {
  if (!theft_pause_.Over(now_)) return false;
  Worker* victim = StealVictim();
  if (victim == nullptr) return false;
  const bool stolen = StealFrom(*victim, /*all=*/false) != 0;
  stolen ? theft_pause_.Began(now_) : theft_pause_.Failed(now_);
  return stolen;
}

bool Worker::Rescue() {
  bool found = false;
  for (const auto& victim : scheduler_->workers()) {
    if (victim.get() == this) continue;
    const uint64_t turns = victim->turns();
    uint64_t& seen = scheduler_->seen_turns_[static_cast<size_t>(victim->index_)];
    if (seen == turns) {
      found |= victim->tells_.PushForOwner();
      if (CanTake()) {
        TakeHanded(*victim);
        found |= victim->queue_.size() != 0 && StealFrom(*victim, /*all=*/true) != 0;
      }
    }
    seen = turns;
  }
  return found || !queue_.empty();
}

bool Worker::BeginWatch() {
  using Watch = Scheduler::Watch;
  std::atomic<Watch>& watch = scheduler_->watch_;
  const auto needless = [this] { return !BiasedLock::Available() || scheduler_->AllIdle(); };
  if (needless()) {
    Watch asked = Watch::kAskedFor;  // whoever asked sleeps by now
    watch.compare_exchange_strong(asked, Watch::kNobody, std::memory_order_seq_cst);
    // Who is busy again may have seen that it had been asked for.
    if (needless()) return false;
  }
  return watch.exchange(Watch::kOn, std::memory_order_seq_cst) != Watch::kOn;
}

void Worker::EndWatch() {
  scheduler_->watch_.store(Scheduler::Watch::kNobody, std::memory_order_release);
}

void Worker::WatchOnce() {
  if (scheduler_->workers().size() == 1 || !BeginWatch()) return;
  Rescue();
  EndWatch();
}

// Whoever wakes watches before it sleeps again.
void Worker::PassOnWatch() {
  if (scheduler_->HasIdleWorker()) AskForWatch();
}

void Worker::SetOnDuty(bool on) {
  on_duty_.store(on, std::memory_order_seq_cst);
  Notify();
}

// What a worker on duty would have seen to may have come here: a wake-up, the watch.
void Worker::RestOffDuty(std::optional<Duration> timeout) {
  scheduler_->WakeOne();
  Park(timeout);
}

void Worker::AskForWatch() {
  Scheduler::Watch nobody = Scheduler::Watch::kNobody;
  if (scheduler_->watch_.compare_exchange_strong(nobody, Scheduler::Watch::kAskedFor,
                                                 std::memory_order_seq_cst)) {
    scheduler_->WakeOne();
  }
}

}  // namespace quern::internal
