#include "quern/runtime/event_stream.h"

#include <utility>

#include <absl/strings/str_cat.h>

#include "event/event_hub.h"
#include "system/system_core.h"

namespace quern {
namespace internal {

PulledEvents::PulledEvents(std::shared_ptr<EventHub> hub, std::shared_ptr<EventQueueSink> sink)
    : hub_(std::move(hub)), sink_(std::move(sink)) {}

PulledEvents::PulledEvents(PulledEvents&& other) noexcept = default;

PulledEvents& PulledEvents::operator=(PulledEvents&& other) noexcept {
  Leave();
  hub_ = std::move(other.hub_);
  sink_ = std::move(other.sink_);
  return *this;
}

PulledEvents::~PulledEvents() { Leave(); }

void PulledEvents::Leave() {
  if (sink_ != nullptr) hub_->Remove(sink_.get());
  sink_.reset();
}

StatusOr<AnyEvent> PulledEvents::Next(Duration timeout) { return sink_->Next(timeout); }
AnyEvent PulledEvents::TryNext() { return sink_->TryNext(); }
uint64_t PulledEvents::dropped() const { return sink_->dropped(); }

}  // namespace internal

EventSubscription::EventSubscription(std::shared_ptr<internal::EventHub> hub,
                                     std::shared_ptr<internal::EventCallbackSink> sink)
    : hub_(std::move(hub)), sink_(std::move(sink)) {}

EventSubscription::EventSubscription(EventSubscription&& other) noexcept = default;

EventSubscription& EventSubscription::operator=(EventSubscription&& other) noexcept {
  Leave();
  hub_ = std::move(other.hub_);
  sink_ = std::move(other.sink_);
  return *this;
}

EventSubscription::~EventSubscription() { Leave(); }

void EventSubscription::Leave() {
  if (sink_ == nullptr) return;
  hub_->Remove(sink_.get());
  sink_->End();
  sink_.reset();
}

uint64_t EventSubscription::dropped() const { return sink_ == nullptr ? 0 : sink_->dropped(); }
bool EventSubscription::active() const { return sink_ != nullptr && sink_->active(); }

EventStream::EventStream(internal::SystemCore* core)
    : core_(core), hub_(std::make_shared<internal::EventHub>()), flags_(*hub_) {}

EventStream::~EventStream() { Close(); }

void EventStream::Close() { hub_->Close(); }

StatusOr<internal::PulledEvents> EventStream::Pull(const internal::EventType& type,
                                                   internal::AnyFilter filter, size_t capacity,
                                                   Overflow overflow) {
  if (capacity == 0 || capacity > kEventQueueMax) {
    return absl::InvalidArgumentError(absl::StrCat(
        "subscribe: a queue of ", capacity, " events; 1 to ", kEventQueueMax, " may be kept"));
  }
  auto sink =
      std::make_shared<internal::EventQueueSink>(core_, std::move(filter), capacity, overflow);
  if (Status added = hub_->Add(type, sink); !added.ok()) return added;
  return internal::PulledEvents(hub_, std::move(sink));
}

StatusOr<EventSubscription> EventStream::Call(const internal::EventType& type,
                                              internal::AnyFilter filter,
                                              internal::AnyCallback callback) {
  auto sink = std::make_shared<internal::EventCallbackSink>(std::move(filter), std::move(callback));
  if (Status added = hub_->Add(type, sink); !added.ok()) return added;
  return EventSubscription(hub_, std::move(sink));
}

void EventStream::Deliver(const internal::EventType& type, internal::AnyEvent event) {
  hub_->Deliver(type, event);
}

}  // namespace quern
