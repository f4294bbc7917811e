#include "event/event_hub.h"

#include <boost/context/fiber.hpp>

#include <algorithm>
#include <utility>

#include "quern/runtime/check.h"
#include "scheduler/waiter.h"
#include "scheduler/worker.h"
#include "system/system_core.h"

namespace quern::internal {

bool EventSink::Offer(const AnyEvent& event) {
  EventTaken taken = EventTaken::kYes;
  try {
    if (filter_ != nullptr && !filter_(event.get())) return true;
    taken = Take(event);
  } catch (const boost::context::detail::forced_unwind&) {
    throw;
  } catch (...) {
    taken = EventTaken::kDropped;
  }
  if (taken == EventTaken::kDropped) CountDrop();
  return taken != EventTaken::kNoMore;
}

EventQueueSink::EventQueueSink(SystemCore* core, AnyFilter filter, size_t capacity,
                               Overflow overflow)
    : EventSink(std::move(filter)), core_(core), capacity_(capacity), overflow_(overflow) {
  core_->AddRef();
}

EventQueueSink::~EventQueueSink() { core_->Release(); }

EventTaken EventQueueSink::Take(const AnyEvent& event) {
  Waiter* waiter = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    if (events_.size() >= capacity_) {
      if (overflow_ == Overflow::kDropNewest) return EventTaken::kDropped;
      events_.pop_front();
      CountDrop();
    }
    events_.push_back(event);
    waiter = std::exchange(waiting_, nullptr);
  }
  if (waiter != nullptr) waiter->Wake();
  return EventTaken::kYes;
}

AnyEvent EventQueueSink::PopLocked() {
  if (events_.empty()) return nullptr;
  AnyEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

AnyEvent EventQueueSink::TryNext() {
  absl::MutexLock lock(&mutex_);
  return PopLocked();
}

StatusOr<AnyEvent> EventQueueSink::Next(Duration timeout) {
  static const char kStopped[] = "no more events: the system has stopped";
  Waiter waiter(core_);
  {
    absl::MutexLock lock(&mutex_);
    if (AnyEvent event = PopLocked(); event != nullptr) return event;
    if (closed_) return absl::UnavailableError(kStopped);
    QUERN_CHECK(waiting_ == nullptr);  // one reader at a time
    waiting_ = &waiter;
  }
  Worker* worker = Worker::Current();
  const Time now = worker == nullptr ? core_->clock().Now() : worker->ReadClock();
  const Time deadline = timeout > kNever - now ? kNever : now + timeout;
  const Waiter::Outcome outcome = waiter.Wait(deadline, /*cancellable=*/true);
  if (outcome != Waiter::Outcome::kWoken) {
    if (!StopWaiting(&waiter)) {
      waiter.Wait();
    } else if (outcome == Waiter::Outcome::kTimedOut) {
      return absl::DeadlineExceededError("no event came in time");
    } else {
      return WithReason(absl::CancelledError("the actor that waits for an event is stopping"),
                        Reason::kCancelled);
    }
  }
  absl::MutexLock lock(&mutex_);
  if (AnyEvent event = PopLocked(); event != nullptr) return event;
  return absl::UnavailableError(kStopped);
}

bool EventQueueSink::StopWaiting(Waiter* waiter) {
  absl::MutexLock lock(&mutex_);
  if (waiting_ != waiter) return false;
  waiting_ = nullptr;
  return true;
}

void EventQueueSink::Close() {
  Waiter* waiter = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
    waiter = std::exchange(waiting_, nullptr);
  }
  if (waiter != nullptr) waiter->Wake();
}

EventTaken EventCallbackSink::Take(const AnyEvent& event) {
  {
    absl::MutexLock lock(&mutex_);
    if (ended_) return EventTaken::kNoMore;
    ++running_;
  }
  struct Leave {
    EventCallbackSink* sink;
    ~Leave() {
      absl::MutexLock lock(&sink->mutex_);
      --sink->running_;
    }
  } leave{this};
  return callback_(event.get());
}

void EventCallbackSink::Close() {
  absl::MutexLock lock(&mutex_);
  ended_ = true;
}

void EventCallbackSink::End() {
  absl::MutexLock lock(&mutex_);
  ended_ = true;
  mutex_.Await(absl::Condition(+[](int* running) { return *running == 0; }, &running_));
}

bool EventCallbackSink::active() const {
  absl::MutexLock lock(&mutex_);
  return !ended_;
}

Status EventHub::Add(const EventType& type, std::shared_ptr<EventSink> sink) {
  absl::MutexLock lock(&mutex_);
  if (closed_) return absl::UnavailableError("subscribe: the system has stopped");
  if (count_ >= kEventSubscriptionsMax) {
    return absl::ResourceExhaustedError(
        "subscribe: too many subscriptions; let one go or raise kEventSubscriptionsMax");
  }
  auto entry = std::find_if(entries_.begin(), entries_.end(),
                            [&](const Entry& e) { return e.type == &type; });
  if (entry == entries_.end()) {
    entry = entries_.insert(entry, {&type, std::make_shared<const Sinks>()});
  }
  auto sinks = std::make_shared<Sinks>(*entry->sinks);
  sinks->push_back(std::move(sink));
  entry->sinks = std::move(sinks);
  ++count_;
  NoteWanted();
  return absl::OkStatus();
}

void EventHub::Remove(const EventSink* sink) {
  std::shared_ptr<const Sinks> former;  // destroyed behind the lock
  absl::MutexLock lock(&mutex_);
  for (Entry& entry : entries_) {
    auto left = std::make_shared<Sinks>(*entry.sinks);
    if (std::erase_if(*left, [&](const auto& s) { return s.get() == sink; }) == 0) continue;
    --count_;
    former = std::exchange(entry.sinks, std::move(left));
    if (entry.sinks->empty()) {
      std::erase_if(entries_, [](const Entry& e) { return e.sinks->empty(); });
    }
    NoteWanted();
    return;
  }
}

void EventHub::NoteWanted() {
  uint64_t bits = 0;
  for (const Entry& entry : entries_) bits |= entry.type->bit;
  wanted.store(bits, std::memory_order_relaxed);
}

std::shared_ptr<const EventHub::Sinks> EventHub::SinksOf(const EventType& type) {
  absl::MutexLock lock(&mutex_);
  for (const Entry& entry : entries_) {
    if (entry.type == &type) return entry.sinks;
  }
  return nullptr;
}

void EventHub::Deliver(const EventType& type, const AnyEvent& event) {
  const std::shared_ptr<const Sinks> sinks = SinksOf(type);
  if (sinks == nullptr) return;
  for (const auto& sink : *sinks) {
    if (sink->Offer(event)) continue;
    sink->Close();
    Remove(sink.get());
  }
}

void EventHub::Close() {
  std::vector<Entry> entries;
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
    entries.swap(entries_);
    count_ = 0;
    NoteWanted();
  }
  for (const Entry& entry : entries) {
    for (const auto& sink : *entry.sinks) sink->Close();
  }
}

}  // namespace quern::internal
