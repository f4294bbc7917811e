// Asks of one system: how many are under way, and why some have got no answer in time. What workers
// begin and end they count for themselves (WorkerCounts); here is what other threads do, and what
// happens rarely. Thread-safe.

#ifndef QUERN_RUNTIME_SRC_METRICS_ASK_COUNTS_H_
#define QUERN_RUNTIME_SRC_METRICS_ASK_COUNTS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace quern::internal {

class SystemCore;
struct AnswerWait;

// What the asked one did when the time was up.
enum class TimeoutCause : uint8_t {
  kNotBegun,   // the ask waited in its mailbox
  kRunning,    // its handler ran
  kWaiting,    // its handler waited, for another answer perhaps
  kElsewhere,  // nobody knows: a grain or an actor of another node
  kNotSent,    // no time was left to begin with
};
inline constexpr size_t kTimeoutCauses = 5;
std::string_view TimeoutCauseName(TimeoutCause cause);

// At this moment. The asker's side of the ask is still held.
TimeoutCause CauseOf(const AnswerWait& wait);

class AskCounts {
 public:
  void TimedOut(TimeoutCause cause) {
    timeouts_[static_cast<size_t>(cause)].fetch_add(1, std::memory_order_relaxed);
  }
  uint64_t timeouts(TimeoutCause cause) const {
    return timeouts_[static_cast<size_t>(cause)].load(std::memory_order_relaxed);
  }

  // Handlers of asks that ran on after their askers had given up.
  void RepliedLate() { late_.fetch_add(1, std::memory_order_relaxed); }
  uint64_t late() const { return late_.load(std::memory_order_relaxed); }

  // On threads that are no workers of the system.
  void Begun() { begun_.fetch_add(1, std::memory_order_relaxed); }
  void Ended() { ended_.fetch_add(1, std::memory_order_relaxed); }
  uint64_t begun() const { return begun_.load(std::memory_order_relaxed); }
  uint64_t ended() const { return ended_.load(std::memory_order_relaxed); }

 private:
  std::array<std::atomic<uint64_t>, kTimeoutCauses> timeouts_{};
  std::atomic<uint64_t> late_{0};
  std::atomic<uint64_t> begun_{0};
  std::atomic<uint64_t> ended_{0};
};

// An ask of a cell of `core` that may end on another thread than it began on.
void CountAskBegun(SystemCore& core);
void CountAskEnded(SystemCore& core);

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_METRICS_ASK_COUNTS_H_
