// Every single latency of a run, kept in memory that was touched before the clock started.
//
//   Latencies latencies(asks);
//   latencies.Add(Nanoseconds() - before);
//   outcome.p999_ns = latencies.Quantile(0.999);
//
// One owner at a time.

#ifndef QUERN_BENCH_LATENCIES_H_
#define QUERN_BENCH_LATENCIES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace quern::bench {

class Latencies {
 public:
  explicit Latencies(int64_t expected) : values_(static_cast<size_t>(expected), 1) {
    values_.clear();  // the pages stay
  }

  void Add(int64_t nanoseconds) { values_.push_back(nanoseconds); }
  void Add(const Latencies& other) {
    values_.insert(values_.end(), other.values_.begin(), other.values_.end());
  }

  // The smallest that at least this share of all does not exceed. 0: there is none.
  double Quantile(double share) {
    if (values_.empty()) return 0;
    const auto rank = static_cast<size_t>(share * static_cast<double>(values_.size() - 1));
    const auto found = values_.begin() + static_cast<std::ptrdiff_t>(rank);
    std::nth_element(values_.begin(), found, values_.end());
    return static_cast<double>(*found);
  }

  size_t count() const { return values_.size(); }

 private:
  std::vector<int64_t> values_;
};

}  // namespace quern::bench

#endif  // QUERN_BENCH_LATENCIES_H_
