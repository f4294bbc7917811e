#include "actor/dead_letters.h"

#include "quern/runtime/limits.h"

namespace quern::internal {

void DeadLetters::Add(std::string_view target, std::string_view message, std::string_view why) {
  count_.fetch_add(1, std::memory_order_relaxed);
  if (!logger_->IsOn(LogLevel::kWarn)) return;
  uint64_t times = 0;
  std::pair<std::string, std::string> key{target, message};
  {
    absl::MutexLock lock(&mutex_);
    auto it = groups_.find(key);
    const Time now = clock_->Now();
    if (it == groups_.end()) {
      // The table is full: the rest share a group.
      if (groups_.size() >= kDeadLetterGroupsMax) key = {"(others)", ""};
      it = groups_.try_emplace(key).first;
    } else if (now - it->second.logged < kDeadLetterLogEvery) {
      ++it->second.unlogged;
      return;
    }
    times = it->second.unlogged + 1;
    it->second = {now, 0};
  }
  logger_->Log(LogLevel::kWarn, "message not delivered",
               {{"target", target}, {"message", message}, {"times", times}, {"why", why}});
}

}  // namespace quern::internal
