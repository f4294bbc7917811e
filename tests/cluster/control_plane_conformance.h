// What every ControlPlane must do: one suite, control_plane_conformance_test.cc, compiled into the
// test binary of each provider, which instantiates it with its own store:
//
//   INSTANTIATE_TEST_SUITE_P(Embedded, ControlPlaneConformance,
//                            ::testing::Values(Harness{"Embedded", &EmbeddedHarness::Make}));

#ifndef QUERN_TESTS_CLUSTER_CONTROL_PLANE_CONFORMANCE_H_
#define QUERN_TESTS_CLUSTER_CONTROL_PLANE_CONFORMANCE_H_

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "quern/cluster/control_plane.h"

namespace quern::cluster {

// One empty store and the means to reach it.
class ControlPlaneHarness {
 public:
  virtual ~ControlPlaneHarness() = default;

  // A plane of its own: another node, or another connection.
  virtual std::unique_ptr<ControlPlane> Connect() = 0;

  // Takes the store away from every plane and gives it back, its records unharmed.
  virtual void Interrupt() = 0;
};

struct Harness {
  const char* name;
  std::unique_ptr<ControlPlaneHarness> (*make)();
};
inline void PrintTo(const Harness& harness, std::ostream* out) { *out << harness.name; }

class ControlPlaneConformance : public ::testing::TestWithParam<Harness> {
 protected:
  static constexpr Duration kTimeout = std::chrono::seconds(10);

  std::unique_ptr<ControlPlaneHarness> harness_ = GetParam().make();
  std::unique_ptr<ControlPlane> plane_ = harness_->Connect();
};

// Starts a call that takes a callback and waits for its result. A second callback throws.
template <typename T, typename Start>
T AwaitResult(Start start) {
  auto promise = std::make_shared<std::promise<T>>();
  std::future<T> future = promise->get_future();
  start([promise](T result) { promise->set_value(std::move(result)); });
  return future.get();
}

// The calls of a plane, made to wait.
class Calls {
 public:
  explicit Calls(ControlPlane& plane, Duration timeout = std::chrono::seconds(10))
      : plane_(plane), timeout_(timeout) {}

  CasResult Create(std::string_view key, std::string value, Table table = Table::kControl) {
    return AwaitResult<CasResult>(
        [&](auto done) { plane_.Create(table, key, std::move(value), timeout_, done); });
  }
  CasResult Update(std::string_view key, std::string value, uint64_t expected,
                   Table table = Table::kControl) {
    return AwaitResult<CasResult>(
        [&](auto done) { plane_.Update(table, key, std::move(value), expected, timeout_, done); });
  }
  CasResult Delete(std::string_view key, uint64_t expected, Table table = Table::kControl) {
    return AwaitResult<CasResult>(
        [&](auto done) { plane_.Delete(table, key, expected, timeout_, done); });
  }
  StatusOr<Record> Get(std::string_view key, Table table = Table::kControl) {
    return AwaitResult<StatusOr<Record>>(
        [&](auto done) { plane_.Get(table, key, timeout_, done); });
  }
  // "key=value key=value", by key; or the error's code.
  std::string List(std::string_view prefix, Table table = Table::kControl) {
    const auto listed = AwaitResult<StatusOr<std::vector<Record>>>(
        [&](auto done) { plane_.List(table, prefix, timeout_, done); });
    if (!listed.ok()) return absl::StatusCodeToString(listed.status().code());
    std::map<std::string, std::string> sorted;
    for (const Record& record : *listed) sorted[record.key] = record.value;
    std::string text;
    for (const auto& [key, value] : sorted) text += (text.empty() ? "" : " ") + key + "=" + value;
    return text;
  }

 private:
  ControlPlane& plane_;
  const Duration timeout_;
};

inline const char* Name(CasOutcome outcome) {
  switch (outcome) {
    case CasOutcome::kApplied:
      return "applied";
    case CasOutcome::kRefused:
      return "refused";
    case CasOutcome::kUnsent:
      return "unsent";
    case CasOutcome::kUnknown:
      return "unknown";
  }
  return "?";
}

// The events of a watch so far, as text; waits for what must come.
class WatchLog {
 public:
  ControlPlane::WatchCallback callback() {
    return [this](const WatchEvent& event) { Took(event); };
  }

  // "put a=1", "deleted a", "done", "gap", joined by "; "
  std::string Text() const {
    std::lock_guard lock(mutex_);
    std::string text;
    for (const std::string& line : lines_) text += (text.empty() ? "" : "; ") + line;
    return text;
  }

  // False when it has not come within half a minute.
  bool Await(const std::string& line, size_t times = 1) {
    return AwaitThat([&] {
      size_t seen = 0;
      for (const std::string& have : lines_) seen += have == line ? 1 : 0;
      return seen >= times;
    });
  }
  // The same with a limit, for what must not come.
  bool AwaitFor(const std::string& line, Duration limit) {
    const auto seen = [&] { return std::ranges::find(lines_, line) != lines_.end(); };
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, seen);
  }
  bool AwaitValue(const std::string& key, const std::string& value) {
    return AwaitThat([&] {
      const auto found = values_.find(key);
      return found != values_.end() && found->second == value;
    });
  }
  std::map<std::string, std::string> values() const {
    std::lock_guard lock(mutex_);
    return values_;
  }
  bool revisions_never_fell() const {
    std::lock_guard lock(mutex_);
    return revisions_never_fell_;
  }
  size_t size() const {
    std::lock_guard lock(mutex_);
    return lines_.size();
  }

 private:
  void Took(const WatchEvent& event) {
    std::lock_guard lock(mutex_);
    const std::string& key = event.record.key;
    switch (event.kind) {
      case WatchEvent::Kind::kPut:
        lines_.push_back("put " + key + "=" + event.record.value);
        values_[key] = event.record.value;
        revisions_never_fell_ &= event.record.revision >= revisions_[key];
        revisions_[key] = event.record.revision;
        break;
      case WatchEvent::Kind::kDeleted:
        lines_.push_back("deleted " + key);
        values_.erase(key);
        break;
      case WatchEvent::Kind::kInitialDone:
        lines_.push_back("done");
        break;
      case WatchEvent::Kind::kGap:
        lines_.push_back("gap");
        break;
    }
    changed_.notify_all();
  }

  bool AwaitThat(const std::function<bool()>& holds) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30), holds);
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
  std::map<std::string, std::string> values_;
  std::map<std::string, uint64_t> revisions_;
  bool revisions_never_fell_ = true;
};

}  // namespace quern::cluster

#endif  // QUERN_TESTS_CLUSTER_CONTROL_PLANE_CONFORMANCE_H_
