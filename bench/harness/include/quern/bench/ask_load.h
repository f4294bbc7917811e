// Latency of asks at a load that does not wait for the answers (an open loop): a pump fires by a
// schedule, and each answer's latency counts from the moment at which it should have been fired, so
// that whoever stalls is charged for all that came due meanwhile (Gil Tene's "coordinated
// omission"). The pump is an actor that tells itself to go on, so that it shares the worker threads
// with the others instead of taking a core from them.
//
//   AskLoad load(setup, 0.5);
//   ...                                       // actors: on a Fire, ask an echo, then
//   load.Answered(asker, scheduled);          // on that asker's turn
//   ...                                       // the pump, on each of its turns
//   if (load.Pump([&](int asker, int64_t scheduled) { Send(askers[asker], ...); })) Again();
//   ...                                       // when it has returned false
//   return load.Result();
//
// The peak is measured first, in the same process and by the same pump: as fast as it can with four
// asks of each asker under way. (With more, what is sent in long runs makes a peak that no even
// schedule reaches.)

#ifndef QUERN_BENCH_ASK_LOAD_H_
#define QUERN_BENCH_ASK_LOAD_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "quern/bench/histogram.h"
#include "quern/bench/stopwatch.h"
#include "quern/bench/workload.h"

namespace quern::bench {

class AskLoad {
 public:
  static constexpr int kAskers = 16;  // each with an echo of its own

  // The setup's size: milliseconds that the load lasts; the peak is measured for half of that.
  // `share`: of the peak.
  AskLoad(const Setup& setup, double share)
      : share_(share),
        load_ns_(setup.size * 1'000'000),
        peak_ns_(std::max<int64_t>(load_ns_ / 2, 1'000'000)),
        lines_(static_cast<size_t>(kAskers)) {}

  // Of one asker, one at a time.
  void Answered(int asker, int64_t scheduled) {
    Line& line = lines_[static_cast<size_t>(asker)];
    line.histogram.Add(Nanoseconds() - scheduled);
    line.answered.store(line.answered.load(std::memory_order_relaxed) + 1,
                        std::memory_order_release);
  }

  // Fires what is due, a few at most. False: all has been answered. One at a time.
  template <typename F>
  bool Pump(F&& fire) {
    const int64_t now = Nanoseconds();
    if (begin_ == 0) begin_ = now;
    if (watch_.has_value()) return PumpLoad(now, fire);
    if (now < begin_ + peak_ns_) {
      for (int64_t i = 0; i < kAtOnce && fired_ - Sum() < kUnderWayMax; ++i) Fire(now, fire);
    } else if (Sum() == fired_) {
      BeginLoad(static_cast<double>(fired_) * 1e9 / static_cast<double>(now - begin_));
    }
    return true;
  }

  Outcome Result() const {
    Histogram all;
    for (const Line& line : lines_) all.Add(line.histogram);
    Outcome outcome{.messages = count_, .took = took_};
    outcome.figures = {{"p50_ns", all.Quantile(0.5)},
                       {"p99_ns", all.Quantile(0.99)},
                       {"p999_ns", all.Quantile(0.999)},
                       {"max_ns", all.max()},
                       {"peak", peak_},
                       {"load", share_}};
    outcome.Check("answers", static_cast<double>(all.count()), static_cast<double>(count_));
    return outcome;
  }

 private:
  static constexpr int64_t kUnderWayMax = 64;
  static constexpr int64_t kAtOnce = 16;

  struct alignas(128) Line {
    Histogram histogram;
    std::atomic<int64_t> answered{0};
  };

  int64_t Sum() const {
    int64_t sum = 0;
    for (const Line& line : lines_) sum += line.answered.load(std::memory_order_acquire);
    return sum;
  }

  template <typename F>
  void Fire(int64_t scheduled, F& fire) {
    fire(static_cast<int>(fired_++ % kAskers), scheduled);
  }

  // Nothing is under way.
  void BeginLoad(double peak) {
    for (Line& line : lines_) line.histogram.Clear();
    peak_ = peak;
    distance_ns_ = 1e9 / (peak * share_);
    count_ =
        std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(load_ns_) / distance_ns_));
    before_ = fired_;
    watch_.emplace();
    begin_ = Nanoseconds();
  }

  template <typename F>
  bool PumpLoad(int64_t now, F& fire) {
    for (int64_t i = 0; i < kAtOnce && fired_ < before_ + count_; ++i) {
      const int64_t due =
          begin_ + static_cast<int64_t>(distance_ns_ * static_cast<double>(fired_ - before_));
      if (now < due) return true;
      Fire(due, fire);
    }
    if (fired_ < before_ + count_ || Sum() < fired_) return true;
    took_ = watch_->Stop();
    return false;
  }

  const double share_;
  const int64_t load_ns_;
  const int64_t peak_ns_;
  // Of the pump.
  double peak_ = 0;
  double distance_ns_ = 0;
  int64_t begin_ = 0;  // of the peak, then of the load
  int64_t fired_ = 0;
  int64_t before_ = 0;  // fired before the load began
  int64_t count_ = 0;
  std::optional<Stopwatch> watch_;  // of the load
  Took took_;

  std::vector<Line> lines_;
};

}  // namespace quern::bench

#endif  // QUERN_BENCH_ASK_LOAD_H_
