// Messages that nobody will handle: counted by reason, kept in a ring, published as events, and
// logged at most once in kDeadLetterLogEvery a group (target, message, reason), so that a flood
// stays readable. Thread-safe; never suspends.
//
//   core.dead_letters().Add({.reason = DeadLetterReason::kFull, .target = path, .message = name});

#ifndef QUERN_RUNTIME_SRC_ACTOR_DEAD_LETTERS_H_
#define QUERN_RUNTIME_SRC_ACTOR_DEAD_LETTERS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "quern/runtime/clock.h"
#include "quern/runtime/dead_letter.h"

namespace quern::internal {

class SystemCore;

class DeadLetters {
 public:
  // Keeps the last `kept`.
  DeadLetters(SystemCore* core, size_t kept) : core_(core), kept_max_(kept) {}

  struct Letter {
    DeadLetterReason reason;
    std::string_view target;
    std::string_view message;
    uint64_t sender_id = 0;
    std::string_view why = {};
  };
  void Add(const Letter& letter);

  uint64_t count() const;
  uint64_t count(DeadLetterReason reason) const {
    return counts_[static_cast<size_t>(reason)].load(std::memory_order_relaxed);
  }

  // The oldest first.
  std::vector<DeadLetter> Recent() const;

 private:
  using GroupKey = std::tuple<std::string, std::string, DeadLetterReason>;
  struct Group {
    Time logged{};
    uint64_t unlogged = 0;
  };

  void Keep(DeadLetter letter);
  void Log(const DeadLetter& letter);
  struct Line {
    uint64_t times = 0;   // how many letters it stands for; 0: not now
    bool shared = false;  // by groups for which there was no room
  };
  Line TakeLine(const DeadLetter& letter);

  SystemCore* const core_;
  const size_t kept_max_;
  std::array<std::atomic<uint64_t>, kDeadLetterReasons> counts_{};
  mutable absl::Mutex mutex_;
  std::map<GroupKey, Group> groups_ ABSL_GUARDED_BY(mutex_);
  std::vector<DeadLetter> kept_ ABSL_GUARDED_BY(mutex_);  // a ring
  size_t oldest_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_DEAD_LETTERS_H_
