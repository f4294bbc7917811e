// How often each duration was seen, to within 1.6 %, from a nanosecond to a minute, in 16 KiB that
// are there from the beginning: HdrHistogram's idea, as few lines as it takes.
//
//   histogram.Add(Nanoseconds() - scheduled);
//   total.Add(histogram);                    // of another thread, when that has ended
//   outcome.p99_ns = total.Quantile(0.99);
//
// One owner at a time.

#ifndef QUERN_BENCH_HISTOGRAM_H_
#define QUERN_BENCH_HISTOGRAM_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace quern::bench {

class Histogram {
 public:
  // Less than nothing counts as nothing, more than a minute as a minute.
  void Add(int64_t nanoseconds) {
    const auto value = static_cast<uint64_t>(std::clamp<int64_t>(nanoseconds, 0, kHighest));
    ++counts_[BucketOf(value)];
    ++count_;
    max_ = std::max(max_, value);
  }

  void Add(const Histogram& other) {
    for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
    max_ = std::max(max_, other.max_);
  }

  void Clear() { *this = Histogram(); }

  // The lowest that at least this share of all does not exceed. 0: there is none.
  double Quantile(double share) const {
    const auto wanted = static_cast<uint64_t>(share * static_cast<double>(count_));
    uint64_t seen = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > wanted || (seen == count_ && seen != 0)) {
        return static_cast<double>(std::min(HighestIn(i), max_));
      }
    }
    return 0;
  }

  uint64_t count() const { return count_; }
  double max() const { return static_cast<double>(max_); }

 private:
  static constexpr int64_t kHighest = 60'000'000'000;
  static constexpr uint64_t kFineBits = 6;  // 64 buckets from one power of two to the next
  static constexpr uint64_t kFine = uint64_t{1} << kFineBits;
  static constexpr size_t kBuckets = kFine * (36 - kFineBits + 2);

  static size_t BucketOf(uint64_t value) {
    if (value < kFine) return value;
    const auto shift = static_cast<uint64_t>(std::bit_width(value)) - 1 - kFineBits;
    return kFine * shift + (value >> shift);
  }
  static uint64_t HighestIn(size_t bucket) {
    if (bucket < 2 * kFine) return bucket;
    const size_t shift = bucket / kFine - 1;
    return ((bucket - shift * kFine + 1) << shift) - 1;
  }

  std::array<uint64_t, kBuckets> counts_{};
  uint64_t count_ = 0;
  uint64_t max_ = 0;
};

}  // namespace quern::bench

#endif  // QUERN_BENCH_HISTOGRAM_H_
