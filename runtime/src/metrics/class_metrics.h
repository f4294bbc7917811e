// Distributions by class of actor, sampled by one worker. Sample(): owner only; ForEach():
// thread-safe beside it. A class is known by the address of its name, which lasts.

#ifndef QUERN_RUNTIME_SRC_METRICS_CLASS_METRICS_H_
#define QUERN_RUNTIME_SRC_METRICS_CLASS_METRICS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <string_view>

#include "quern/runtime/clock.h"
#include "quern/runtime/histogram.h"
#include "quern/runtime/limits.h"

namespace quern::internal {

class ClassMetrics {
 public:
  struct Entry {
    std::string_view name;
    Histogram turn_nanos;
    Histogram depth;
  };

  ClassMetrics() = default;
  ~ClassMetrics() {
    for (auto& slot : entries_) delete slot.load(std::memory_order_relaxed);
  }
  ClassMetrics(const ClassMetrics&) = delete;
  ClassMetrics& operator=(const ClassMetrics&) = delete;

  void Sample(std::string_view name, Duration turn, size_t depth) {
    Entry& entry = EntryOf(name);
    entry.turn_nanos.Record(static_cast<uint64_t>(turn.count() < 0 ? 0 : turn.count()));
    entry.depth.Record(depth);
  }

  template <typename F>
  void ForEach(F f) const {
    for (const auto& slot : entries_) {
      const Entry* entry = slot.load(std::memory_order_acquire);
      if (entry == nullptr) return;
      f(*entry);
    }
  }

 private:
  Entry& EntryOf(std::string_view name) {
    for (size_t i = 0; i < entries_.size(); ++i) {
      Entry* entry = entries_[i].load(std::memory_order_relaxed);
      if (entry == nullptr) {
        entry = new Entry;
        entry->name = i + 1 < entries_.size() ? name : std::string_view("(others)");
        entries_[i].store(entry, std::memory_order_release);
        return *entry;
      }
      if (entry->name.data() == name.data() || i + 1 == entries_.size()) return *entry;
    }
    return *entries_.back().load(std::memory_order_relaxed);
  }

  std::array<std::atomic<Entry*>, kMetricClassesMax> entries_{};  // from the front; the last shared
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_METRICS_CLASS_METRICS_H_
