// Messages that nobody will handle: counted, grouped by target and message, and logged at most once
// in kDeadLetterLogEvery a group, so that a flood stays readable. Thread-safe; never suspends.

#ifndef QUERN_RUNTIME_SRC_ACTOR_DEAD_LETTERS_H_
#define QUERN_RUNTIME_SRC_ACTOR_DEAD_LETTERS_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "quern/runtime/clock.h"
#include "quern/runtime/logger.h"

namespace quern::internal {

class DeadLetters {
 public:
  DeadLetters(const Clock* clock, Logger* logger) : clock_(clock), logger_(logger) {}

  void Add(std::string_view target, std::string_view message, std::string_view why);

  uint64_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  struct Group {
    Time logged{};
    uint64_t unlogged = 0;
  };

  const Clock* const clock_;
  Logger* const logger_;
  std::atomic<uint64_t> count_{0};
  absl::Mutex mutex_;
  std::map<std::pair<std::string, std::string>, Group, std::less<>> groups_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_DEAD_LETTERS_H_
