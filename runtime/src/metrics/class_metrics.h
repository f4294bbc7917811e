// What is told apart by class of actor or kind of grain, counted by one worker. ForEach():
// thread-safe beside the rest, which is owner only. A class is known by the address of its name,
// which lasts.

#ifndef QUERN_RUNTIME_SRC_METRICS_CLASS_METRICS_H_
#define QUERN_RUNTIME_SRC_METRICS_CLASS_METRICS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "quern/runtime/histogram.h"
#include "quern/runtime/limits.h"

namespace quern::internal {

class ClassMetrics {
 public:
  struct Entry {
    std::string_view name;
    Histogram handler_nanos;
    Histogram wait_nanos;
    Histogram depth;
    std::atomic<uint64_t> restarts{0};
    std::atomic<uint64_t> stack_bytes{0};  // the most
    uint64_t samples = 0;                  // turns

    // Whether the stack is looked at in this sample: often at first, then rarely.
    bool StackDue() const {
      return (samples & (samples - 1)) == 0 || samples % kStackSampleEvery == 0;
    }
  };

  ClassMetrics() = default;
  ~ClassMetrics() {
    for (auto& slot : entries_) delete slot.load(std::memory_order_relaxed);
  }
  ClassMetrics(const ClassMetrics&) = delete;
  ClassMetrics& operator=(const ClassMetrics&) = delete;

  // Valid as long as this.
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

  template <typename F>
  void ForEach(F f) const {
    for (const auto& slot : entries_) {
      const Entry* entry = slot.load(std::memory_order_acquire);
      if (entry == nullptr) return;
      f(*entry);
    }
  }

  // Of any class, on the stacks that were looked at.
  void NoteStack(size_t bytes) { RaiseTo(stack_bytes_, bytes); }
  uint64_t stack_bytes() const { return stack_bytes_.load(std::memory_order_relaxed); }

  // One writer: no locked instruction.
  static void RaiseTo(std::atomic<uint64_t>& most, uint64_t value) {
    if (value > most.load(std::memory_order_relaxed)) {
      most.store(value, std::memory_order_relaxed);
    }
  }
  static void AddOne(std::atomic<uint64_t>& to) {
    to.store(to.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<Entry*>, kMetricClassesMax> entries_{};
  std::atomic<uint64_t> stack_bytes_{0};
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_METRICS_CLASS_METRICS_H_
