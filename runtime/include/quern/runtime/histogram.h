// Counts of values in log-linear buckets: exact below 32, then 16 buckets a power of two, so that a
// quantile is at most 1/16 above the true value, whatever the range. A fixed 976 counters; merging
// adds them.
//
//   Histogram latency;
//   latency.Record(812);                     // any unit
//   latency.Snapshot().Quantile(0.99);       // >= the true one, by less than 7 %
//
// Record: one owner at a time (a worker); Snapshot: thread-safe beside it.

#ifndef QUERN_RUNTIME_HISTOGRAM_H_
#define QUERN_RUNTIME_HISTOGRAM_H_

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace quern {

// A copy of a histogram's counts. A value.
class HistogramSnapshot {
 public:
  // Adds the counts of another one.
  void Merge(const HistogramSnapshot& other);

  // The smallest value that at least this share (0 to 1) of the recorded ones does not exceed, by
  // the upper end of its bucket. 0 when nothing has been recorded.
  uint64_t Quantile(double share) const;

  uint64_t count() const { return count_; }
  uint64_t sum() const { return sum_; }

 private:
  friend class Histogram;
  std::vector<uint64_t> counts_;  // empty: all zero
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
};

class Histogram {
 public:
  static constexpr int kExactBits = 5;  // values below 32 have a bucket each
  static constexpr size_t kPerPower = 16;
  static constexpr size_t kBuckets = 32 + (64 - kExactBits) * kPerPower;

  static constexpr size_t BucketOf(uint64_t value) {
    if (value < 32) return static_cast<size_t>(value);
    const int power = static_cast<int>(std::bit_width(value)) - 1;  // 5 to 63
    const auto within = static_cast<size_t>(value >> (power - 4)) - kPerPower;
    return 32 + static_cast<size_t>(power - kExactBits) * kPerPower + within;
  }
  // The largest value of a bucket.
  static constexpr uint64_t UpperEnd(size_t bucket) {
    if (bucket < 32) return bucket;
    const size_t power = (bucket - 32) / kPerPower + kExactBits;
    const size_t within = (bucket - 32) % kPerPower;
    return ((uint64_t{kPerPower + within + 1}) << (power - 4)) - 1;
  }

  void Record(uint64_t value) {
    Add(counts_[BucketOf(value)], 1);
    Add(sum_, value);
  }

  HistogramSnapshot Snapshot() const;

 private:
  // One writer: no locked instruction.
  static void Add(std::atomic<uint64_t>& to, uint64_t what) {
    to.store(to.load(std::memory_order_relaxed) + what, std::memory_order_relaxed);
  }

  std::array<std::atomic<uint64_t>, kBuckets> counts_{};
  std::atomic<uint64_t> sum_{0};
};

}  // namespace quern

#endif  // QUERN_RUNTIME_HISTOGRAM_H_
