// What happens in a system, told to whoever asked: lifecycle of actors, dead letters, stuck
// handlers, and any event of one's own. An event is a copyable value; subscriptions go by its type.
//
//   auto stops = system.events().Subscribe<ActorStopped>().value();         // pulled, in order
//   while (auto stop = stops.Next(); stop.ok()) Log(stop->path);
//
//   auto to_actor = system.events().Subscribe<DeadLetter>(auditor);         // a message of its Api
//   auto called = system.events().Subscribe<ActorStopped>(
//       [](const ActorStopped& e) { ... }, {.filter = [](const auto& e) { return e.path == "/db";
//       }});
//
//   system.events().Publish(OrderShipped{42});
//
// A subscription lasts as long as the object that Subscribe() returned. Nobody subscribed: a
// Publish costs one relaxed load. Publishing is thread-safe, never suspends, and runs filters and
// callbacks on the publisher's thread, possibly on several at once: they must not block, ask or
// destroy their own subscription. What a callback or filter throws is dropped and counted.
// Queues are bounded, and what falls out of them is counted, never hidden.

#ifndef QUERN_RUNTIME_EVENT_STREAM_H_
#define QUERN_RUNTIME_EVENT_STREAM_H_

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "quern/runtime/clock.h"
#include "quern/runtime/delivery.h"
#include "quern/runtime/internal/signature.h"
#include "quern/runtime/limits.h"
#include "quern/runtime/ref.h"
#include "quern/runtime/status.h"

namespace quern {

// What a full queue of a subscription gives up.
enum class Overflow : uint8_t { kDropOldest, kDropNewest };

template <typename E>
struct SubscribeOptions {
  std::function<bool(const E&)> filter;  // null: every event of the type
  // Of a pulled subscription; the others hand over at once.
  size_t capacity = kEventQueueDefault;
  Overflow overflow = Overflow::kDropOldest;
};

namespace internal {

class SystemCore;

struct EventType {
  std::string_view name;
  uint64_t bit;  // of EventHubFlags::wanted; types may share one
};

constexpr uint64_t EventBit(std::string_view name) {
  uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return uint64_t{1} << (hash >> 58);
}

template <typename E>
inline constexpr EventType kEventType{TypeName<E>(), EventBit(TypeName<E>())};

using AnyEvent = std::shared_ptr<const void>;  // one copy for all subscribers
using AnyFilter = std::function<bool(const void*)>;
enum class EventTaken : uint8_t { kYes, kDropped, kNoMore };
using AnyCallback = std::function<EventTaken(const void*)>;

class EventHub;
class EventQueueSink;
class EventCallbackSink;

struct EventHubFlags {
  std::atomic<uint64_t> wanted{0};
};

template <typename E>
AnyFilter EraseFilter(std::function<bool(const E&)> filter) {
  if (filter == nullptr) return nullptr;
  return [filter = std::move(filter)](const void* e) { return filter(*static_cast<const E*>(e)); };
}

// One pulled subscription without its type.
class PulledEvents {
 public:
  PulledEvents(std::shared_ptr<EventHub> hub, std::shared_ptr<EventQueueSink> sink);
  ~PulledEvents();
  PulledEvents(PulledEvents&& other) noexcept;
  PulledEvents& operator=(PulledEvents&& other) noexcept;

  StatusOr<AnyEvent> Next(Duration timeout);
  AnyEvent TryNext();
  uint64_t dropped() const;

 private:
  void Leave();
  std::shared_ptr<EventHub> hub_;  // outlives the system, for subscriptions that do
  std::shared_ptr<EventQueueSink> sink_;
};

}  // namespace internal

// Pulled. Movable. One fiber or thread at a time.
template <typename E>
class EventQueue {
 public:
  explicit EventQueue(internal::PulledEvents events) : events_(std::move(events)) {}

  // The oldest event, waited for on the system's clock. DEADLINE_EXCEEDED none came within
  // `timeout`; CANCELLED the actor whose handler waits is being stopped; UNAVAILABLE the system has
  // stopped and the queue is empty. Suspends (a plain thread: blocks).
  StatusOr<E> Next(Duration timeout = kNoTimeout) {
    StatusOr<internal::AnyEvent> event = events_.Next(timeout);
    if (!event.ok()) return event.status();
    return *static_cast<const E*>(event->get());
  }

  // The oldest event, if there is one. Never suspends.
  std::optional<E> TryNext() {
    const internal::AnyEvent event = events_.TryNext();
    if (event == nullptr) return std::nullopt;
    return *static_cast<const E*>(event.get());
  }

  // Events that fell out of the full queue, since the start. Thread-safe.
  uint64_t dropped() const { return events_.dropped(); }

  static constexpr Duration kNoTimeout = Duration::max();

 private:
  internal::PulledEvents events_;
};

// Handed over: to a callback, or to an actor's mailbox. Movable.
class EventSubscription {
 public:
  EventSubscription() = default;
  EventSubscription(std::shared_ptr<internal::EventHub> hub,
                    std::shared_ptr<internal::EventCallbackSink> sink);
  // The callback does not run once this has returned. Never from the callback itself.
  ~EventSubscription();
  EventSubscription(EventSubscription&& other) noexcept;
  EventSubscription& operator=(EventSubscription&& other) noexcept;

  // Events that were not delivered: the mailbox was full, the callback or filter threw.
  // Thread-safe.
  uint64_t dropped() const;

  // False: the actor has stopped, the system has, or nothing was ever subscribed. Thread-safe.
  bool active() const;

 private:
  void Leave();
  std::shared_ptr<internal::EventHub> hub_;
  std::shared_ptr<internal::EventCallbackSink> sink_;
};

class EventStream {
 public:
  // For the runtime itself.
  explicit EventStream(internal::SystemCore* core);
  ~EventStream();
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;

  // Pulled by whoever holds the queue. RESOURCE_EXHAUSTED kEventSubscriptionsMax are there already;
  // INVALID_ARGUMENT the capacity is 0 or above kEventQueueMax; UNAVAILABLE the system has stopped.
  // Thread-safe.
  template <typename E>
  StatusOr<EventQueue<E>> Subscribe(SubscribeOptions<E> options = {}) {
    StatusOr<internal::PulledEvents> events =
        Pull(internal::kEventType<E>, internal::EraseFilter<E>(std::move(options.filter)),
             options.capacity, options.overflow);
    if (!events.ok()) return events.status();
    return EventQueue<E>(*std::move(events));
  }

  // Calls `callback` with each event. RESOURCE_EXHAUSTED, UNAVAILABLE as above. Thread-safe.
  template <typename E, typename F>
    requires std::invocable<F&, const E&>
  StatusOr<EventSubscription> Subscribe(F callback, SubscribeOptions<E> options = {}) {
    return Call(internal::kEventType<E>, internal::EraseFilter<E>(std::move(options.filter)),
                [callback = std::move(callback)](const void* e) mutable {
                  callback(*static_cast<const E*>(e));
                  return internal::EventTaken::kYes;
                });
  }

  // Tells each event to an actor; ends by itself when the actor has stopped. The bound is that of
  // its mailbox. INVALID_ARGUMENT the Ref is empty; RESOURCE_EXHAUSTED, UNAVAILABLE as above.
  // Thread-safe.
  template <typename E, typename Api>
    requires Accepts<Api, E>
  StatusOr<EventSubscription> Subscribe(Ref<Api> ref, SubscribeOptions<E> options = {}) {
    if (!ref) return absl::InvalidArgumentError("subscribe: the Ref is empty");
    return Call(internal::kEventType<E>, internal::EraseFilter<E>(std::move(options.filter)),
                [ref = std::move(ref)](const void* e) {
                  const Delivery delivery = ref.Tell(E(*static_cast<const E*>(e)));
                  if (delivery == Delivery::kAccepted) return internal::EventTaken::kYes;
                  return delivery == Delivery::kStopped ? internal::EventTaken::kNoMore
                                                        : internal::EventTaken::kDropped;
                });
  }

  // Thread-safe, never suspends.
  template <typename E>
    requires std::copy_constructible<E>
  void Publish(E event) {
    if (Wanted<E>()) Deliver(internal::kEventType<E>, std::make_shared<const E>(std::move(event)));
  }

  // Makes the event only if somebody may want it.
  template <typename Make>
    requires std::invocable<Make&>
  void PublishWith(Make make) {
    using E = std::invoke_result_t<Make&>;
    if (Wanted<E>()) [[unlikely]] {
      Deliver(internal::kEventType<E>, std::make_shared<const E>(make()));
    }
  }

  // False: surely nobody has subscribed to it. Thread-safe.
  template <typename E>
  bool Wanted() const {
    return (flags_.wanted.load(std::memory_order_relaxed) & internal::kEventType<E>.bit) != 0;
  }

  // For the runtime itself: no more events; queues keep what they have.
  void Close();

 private:
  StatusOr<internal::PulledEvents> Pull(const internal::EventType& type, internal::AnyFilter filter,
                                        size_t capacity, Overflow overflow);
  StatusOr<EventSubscription> Call(const internal::EventType& type, internal::AnyFilter filter,
                                   internal::AnyCallback callback);
  void Deliver(const internal::EventType& type, internal::AnyEvent event);

  internal::SystemCore* const core_;
  const std::shared_ptr<internal::EventHub>
      hub_;  // shared with subscriptions, which may outlive it
  const internal::EventHubFlags& flags_;
};

}  // namespace quern

#endif  // QUERN_RUNTIME_EVENT_STREAM_H_
