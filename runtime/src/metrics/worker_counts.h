// What a worker counts on its hottest paths: plain numbers of its own, copied now and then (when a
// turn is sampled, and before it sleeps) to where others may look.
//
//   counts.AskBegun();          // one addition
//   counts.Publish(parked);     // now and then
//   counts.seen().asks_begun    // on any thread, as of then

#ifndef QUERN_RUNTIME_SRC_METRICS_WORKER_COUNTS_H_
#define QUERN_RUNTIME_SRC_METRICS_WORKER_COUNTS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace quern::internal {

class WorkerCounts {
 public:
  struct Seen {
    uint64_t asks_begun = 0;
    uint64_t asks_ended = 0;  // of those that began on any worker
    size_t parked = 0;        // handlers and other fibers that wait
  };

  // Owner only.
  void AskBegun() { ++asks_begun_; }
  void AskEnded() { ++asks_ended_; }
  void Publish(size_t parked) {
    seen_begun_.store(asks_begun_, std::memory_order_relaxed);
    seen_ended_.store(asks_ended_, std::memory_order_relaxed);
    seen_parked_.store(parked, std::memory_order_relaxed);
  }

  // Thread-safe.
  Seen seen() const {
    return {seen_begun_.load(std::memory_order_relaxed),
            seen_ended_.load(std::memory_order_relaxed),
            seen_parked_.load(std::memory_order_relaxed)};
  }

 private:
  uint64_t asks_begun_ = 0;
  uint64_t asks_ended_ = 0;
  std::atomic<uint64_t> seen_begun_{0};
  std::atomic<uint64_t> seen_ended_{0};
  std::atomic<size_t> seen_parked_{0};
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_METRICS_WORKER_COUNTS_H_
