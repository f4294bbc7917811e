#include "quern/runtime/histogram.h"

#include <algorithm>
#include <cmath>

namespace quern {

HistogramSnapshot Histogram::Snapshot() const {
  HistogramSnapshot snapshot;
  snapshot.counts_.reserve(kBuckets);
  for (const auto& count : counts_) {
    snapshot.counts_.push_back(count.load(std::memory_order_relaxed));
    snapshot.count_ += snapshot.counts_.back();
  }
  snapshot.sum_ = sum_.load(std::memory_order_relaxed);
  return snapshot;
}

void HistogramSnapshot::Merge(const HistogramSnapshot& other) {
  counts_.resize(std::max(counts_.size(), other.counts_.size()));
  for (size_t i = 0; i < other.counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ += other.sum_;
}

uint64_t HistogramSnapshot::Quantile(double share) const {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(count_));
  const uint64_t rank = std::clamp<uint64_t>(static_cast<uint64_t>(wanted), 1, count_);
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < counts_.size(); ++bucket) {
    seen += counts_[bucket];
    if (seen >= rank) return Histogram::UpperEnd(bucket);
  }
  return Histogram::UpperEnd(Histogram::kBuckets - 1);
}

}  // namespace quern
