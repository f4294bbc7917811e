// What a Probe has been sent, between the probe's actor and the test's thread; knows no Api.

#ifndef QUERN_TESTING_INTERNAL_PROBE_LOG_H_
#define QUERN_TESTING_INTERNAL_PROBE_LOG_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "quern/runtime/clock.h"
#include "quern/runtime/context.h"
#include "quern/runtime/internal/cell.h"
#include "quern/runtime/status.h"
#include "quern/runtime/system.h"

namespace quern::internal {
class Waiter;
}

namespace quern::testing::internal {

// The cell takes no message any more. Thread-safe.
bool HasStopped(const quern::internal::Cell& cell);

class ProbeLog {
 public:
  struct Entry {
    std::string_view name;  // of the type
    std::shared_ptr<void> message;
    std::string (*print)(const void* message);
  };
  using Answering = std::function<void(const void* function)>;

  explicit ProbeLog(System& system) : system_(system) {}
  System& system() { return system_; }

  // By the probe's handler. Records; then `answer` runs with the function set for this message, or
  // an ask (if `waits`) suspends until Reply() has written `slot`. What it returns answers when
  // nobody has written it.
  Status Take(Context& context, Entry entry, void* slot, const Answering& answer, bool waits);

  // By the test, whose thread the rest belongs to.
  bool Await(const std::function<bool()>& done, Duration within);
  // Lets `duration` go by; with a real clock until something `has_come`, by default a message.
  void Pass(Duration duration, const std::function<bool()>& has_come = nullptr);

  // Waits for a message. Null: none came, or the first is no `name`. It stays in the log.
  std::shared_ptr<void> Next(std::string_view name, Duration within);
  void DropFirst();
  void Clear();
  size_t size() const;
  // The first message and how many follow; "" when there is none.
  std::string Describe() const;

  // "it has a, b", or "it has no children".
  std::string DescribeChildren(const std::string& path) const;

  void SetAnswer(std::string_view name, std::shared_ptr<const void> function);
  bool Reply(std::string_view name, const std::function<void(void* slot)>& write);

 private:
  struct Pending {
    std::string_view name;
    void* slot;
    quern::internal::Waiter* waiter;
  };

  System& system_;
  mutable absl::Mutex mutex_;
  std::deque<Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string_view, std::shared_ptr<const void>> answers_ ABSL_GUARDED_BY(mutex_);
  Pending* pending_ ABSL_GUARDED_BY(mutex_) = nullptr;
  size_t arrived_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace quern::testing::internal

#endif  // QUERN_TESTING_INTERNAL_PROBE_LOG_H_
