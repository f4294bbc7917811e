// The subscribers of an event stream, types erased. A hub is shared by the stream and every
// subscription, so that either may go first. Thread-safe; no lock is held while a subscriber takes
// an event.

#ifndef QUERN_RUNTIME_SRC_EVENT_EVENT_HUB_H_
#define QUERN_RUNTIME_SRC_EVENT_EVENT_HUB_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "quern/runtime/event_stream.h"
#include "quern/runtime/status.h"

namespace quern::internal {

class Waiter;

class EventSink {
 public:
  explicit EventSink(AnyFilter filter) : filter_(std::move(filter)) {}
  virtual ~EventSink() = default;

  // False: it wants no more.
  bool Offer(const AnyEvent& event);
  // No more events will come.
  virtual void Close() {}

  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 protected:
  virtual EventTaken Take(const AnyEvent& event) = 0;
  void CountDrop() { dropped_.fetch_add(1, std::memory_order_relaxed); }

 private:
  const AnyFilter filter_;
  std::atomic<uint64_t> dropped_{0};
};

// A bounded queue and the one who waits at it.
class EventQueueSink final : public EventSink {
 public:
  EventQueueSink(SystemCore* core, AnyFilter filter, size_t capacity, Overflow overflow);
  ~EventQueueSink() override;

  StatusOr<AnyEvent> Next(Duration timeout);
  AnyEvent TryNext();
  void Close() override;

 private:
  EventTaken Take(const AnyEvent& event) override;
  AnyEvent PopLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool StopWaiting(Waiter* waiter);

  SystemCore* const core_;  // counted
  const size_t capacity_;
  const Overflow overflow_;
  absl::Mutex mutex_;
  std::deque<AnyEvent> events_ ABSL_GUARDED_BY(mutex_);
  Waiter* waiting_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

class EventCallbackSink final : public EventSink {
 public:
  EventCallbackSink(AnyFilter filter, AnyCallback callback)
      : EventSink(std::move(filter)), callback_(std::move(callback)) {}

  // The callback does not run once this has returned. Blocks the thread while it does.
  void End();
  void Close() override;
  bool active() const;

 private:
  EventTaken Take(const AnyEvent& event) override;

  AnyCallback callback_;
  mutable absl::Mutex mutex_;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

class EventHub : public EventHubFlags {
 public:
  // RESOURCE_EXHAUSTED, UNAVAILABLE: EventStream::Subscribe().
  Status Add(const EventType& type, std::shared_ptr<EventSink> sink);
  void Remove(const EventSink* sink);
  void Deliver(const EventType& type, const AnyEvent& event);
  void Close();

 private:
  // Replaced as a whole, so that Deliver() walks one without the lock.
  using Sinks = std::vector<std::shared_ptr<EventSink>>;
  struct Entry {
    const EventType* type;
    std::shared_ptr<const Sinks> sinks;
  };

  std::shared_ptr<const Sinks> SinksOf(const EventType& type);
  void NoteWanted() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  std::vector<Entry> entries_ ABSL_GUARDED_BY(mutex_);  // few types
  size_t count_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_EVENT_EVENT_HUB_H_
