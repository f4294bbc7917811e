#include "actor/dead_letters.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "actor/mailbox_cell.h"
#include "actor/turn.h"
#include "quern/runtime/event_stream.h"
#include "quern/runtime/internal/signature.h"
#include "quern/runtime/limits.h"
#include "quern/runtime/logger.h"
#include "system/system_core.h"

namespace quern {
namespace {

struct ReasonText {
  std::string_view name;
  std::string_view advice;
};

// In the order of the enum.
constexpr ReasonText kReasonTexts[] = {
    {"stopped", "Watch the target, or look it up again before sending."},
    {"system_stopping", "Nothing: the system is shutting down."},
    {"full", "Slow the sender down when Tell returns kFull, or give the mailbox more room."},
    {"dropped", "The target is slower than its senders: give its mailbox more room, or reject."},
    {"unhandled", "Give the actor a handler for this message, or do not send it in this state."},
    {"expired", "Give the ask a longer deadline, or the target less to do."},
    {"poison", "Look at this message: it makes its handler fail every time."},
    {"failed", "Ask instead of telling if somebody has to see the error."},
    {"not_found", "Check the path or the kind: nobody here answers to it."},
    {"unreachable", "Check the node and the network between; the sender may try again."},
};
static_assert(std::size(kReasonTexts) == kDeadLetterReasons);

}  // namespace

std::string_view DeadLetterReasonName(DeadLetterReason reason) {
  return kReasonTexts[static_cast<size_t>(reason)].name;
}

std::string_view DeadLetterAdvice(DeadLetterReason reason) {
  return kReasonTexts[static_cast<size_t>(reason)].advice;
}

DeadLetterReason DeadLetterReasonOf(const Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return DeadLetterReason::kNotFound;
    case absl::StatusCode::kUnavailable:
      return DeadLetterReason::kUnreachable;
    case absl::StatusCode::kResourceExhausted:
      return DeadLetterReason::kFull;
    case absl::StatusCode::kDeadlineExceeded:
      return DeadLetterReason::kExpired;
    default:
      return DeadLetterReason::kFailed;
  }
}

namespace internal {
namespace {

// An envelope carries its sender's id alone; the path is known while the sender itself runs.
std::string SenderName(uint64_t id) {
  if (id == 0) return std::string();
  const Turn* turn = CurrentTurn();
  if (turn != nullptr && turn->cell_id == id) return turn->cell->Path();
  return absl::StrCat("#", id);
}

}  // namespace

void DeadLetters::Add(const Letter& letter) {
  counts_[static_cast<size_t>(letter.reason)].fetch_add(1, std::memory_order_relaxed);
  DeadLetter kept{std::string(letter.target),   std::string(letter.message),
                  SenderName(letter.sender_id), letter.reason,
                  std::string(letter.why),      core_->clock().Now()};
  if (letter.reason != DeadLetterReason::kSystemStopping) Log(kept);
  // A dead letter's own event that nobody takes is not published: it would go on for ever.
  if (letter.message != TypeName<DeadLetter>()) core_->events().Publish(kept);
  Keep(std::move(kept));
}

void DeadLetters::Keep(DeadLetter letter) {
  absl::MutexLock lock(&mutex_);
  if (kept_.size() < kept_max_) {
    kept_.push_back(std::move(letter));
  } else if (kept_max_ != 0) {
    kept_[oldest_] = std::move(letter);
    oldest_ = (oldest_ + 1) % kept_max_;
  }
}

void DeadLetters::Log(const DeadLetter& letter) {
  if (!core_->logger().IsOn(LogLevel::kWarn)) return;
  const Line line = TakeLine(letter);
  if (line.times == 0) return;
  core_->logger().Log(LogLevel::kWarn, "message not delivered",
                      {{"target", line.shared ? "(others)" : letter.target},
                       {"message", line.shared ? "" : letter.message},
                       {"sender", letter.sender},
                       {"reason", DeadLetterReasonName(letter.reason)},
                       {"times", line.times},
                       {"why", letter.why},
                       {"advice", DeadLetterAdvice(letter.reason)}});
}

DeadLetters::Line DeadLetters::TakeLine(const DeadLetter& letter) {
  absl::MutexLock lock(&mutex_);
  GroupKey key{letter.target, letter.message, letter.reason};
  auto it = groups_.find(key);
  bool shared = false;
  if (it == groups_.end() && groups_.size() >= kDeadLetterGroupsMax) {
    // Groups that have been silent make room; if there are none the rest share one.
    std::erase_if(groups_, [&](const auto& group) {
      return letter.at - group.second.logged >= kDeadLetterLogEvery && group.second.unlogged == 0;
    });
    shared = groups_.size() >= kDeadLetterGroupsMax;
    if (shared) key = {"", "", letter.reason};
    it = groups_.find(key);
  }
  if (it != groups_.end() && letter.at - it->second.logged < kDeadLetterLogEvery) {
    ++it->second.unlogged;
    return {};
  }
  Group& group = groups_[std::move(key)];
  group.logged = letter.at;
  return {std::exchange(group.unlogged, 0) + 1, shared};
}

uint64_t DeadLetters::count() const {
  uint64_t sum = 0;
  for (const auto& count : counts_) sum += count.load(std::memory_order_relaxed);
  return sum;
}

std::vector<DeadLetter> DeadLetters::Recent() const {
  absl::MutexLock lock(&mutex_);
  std::vector<DeadLetter> recent;
  recent.reserve(kept_.size());
  for (size_t i = 0; i < kept_.size(); ++i) {
    recent.push_back(kept_[(oldest_ + i) % kept_.size()]);
  }
  return recent;
}

}  // namespace internal
}  // namespace quern
