// Latencies in log-linear buckets, 16 to the octave (at most 6 % wide), that several readers' can
// be added up. Owner only.

#ifndef QUERN_SAMPLES_FLIGHTS_LATENCY_HISTOGRAM_H_
#define QUERN_SAMPLES_FLIGHTS_LATENCY_HISTOGRAM_H_

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdint>
#include <vector>

namespace flights {

class LatencyHistogram {
 public:
  void Record(std::chrono::nanoseconds latency) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(latency).count();
    Add(Bucket(static_cast<uint64_t>(std::max<int64_t>(us, 0))), 1);
  }

  void Add(size_t bucket, uint64_t count) {
    if (bucket >= counts_.size()) counts_.resize(bucket + 1);
    counts_[bucket] += count;
    total_ += count;
  }

  uint64_t total() const { return total_; }
  const std::vector<uint64_t>& counts() const { return counts_; }

  // The upper bound, in microseconds, of the bucket that holds the given share (0-1); 0 when empty.
  double Quantile(double share) const {
    const double wanted = share * static_cast<double>(total_);
    uint64_t seen = 0;
    for (size_t bucket = 0; bucket < counts_.size(); ++bucket) {
      seen += counts_[bucket];
      if (seen > 0 && static_cast<double>(seen) >= wanted) return UpperBound(bucket);
    }
    return 0;
  }

 private:
  static constexpr uint64_t kPerOctave = 16;

  // Values under 16 have a bucket each; above, the leading bit and the four after it choose.
  static size_t Bucket(uint64_t us) {
    if (us < kPerOctave) return us;
    const auto octave = static_cast<uint64_t>(std::bit_width(us)) - 5;
    return (octave + 1) * kPerOctave + ((us >> octave) - kPerOctave);
  }

  static double UpperBound(size_t bucket) {
    if (bucket < kPerOctave) return static_cast<double>(bucket + 1);
    const size_t octave = bucket / kPerOctave - 1;
    return static_cast<double>((kPerOctave + bucket % kPerOctave + 1) << octave);
  }

  std::vector<uint64_t> counts_;
  uint64_t total_ = 0;
};

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_LATENCY_HISTOGRAM_H_
