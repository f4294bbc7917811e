#include "quern/testing/fake_clock.h"

#include <utility>

namespace quern::testing {

void FakeClock::AdvanceBy(Duration duration) {
  now_.fetch_add(duration.count(), std::memory_order_seq_cst);
  absl::MutexLock lock(&mutex_);
  for (auto& [id, moved] : listeners_) moved();
}

void FakeClock::SetWallTime(WallTime now) {
  wall_ahead_.store((now.time_since_epoch() - Now().time_since_epoch()).count(),
                    std::memory_order_seq_cst);
}

uint64_t FakeClock::AddListener(std::function<void()> moved) {
  absl::MutexLock lock(&mutex_);
  listeners_.emplace(++last_id_, std::move(moved));
  return last_id_;
}

void FakeClock::RemoveListener(uint64_t id) {
  absl::MutexLock lock(&mutex_);
  listeners_.erase(id);
}

}  // namespace quern::testing
