#include "quern/testing/virtual_time.h"

#include <algorithm>

namespace quern::testing {

std::unique_ptr<VirtualExecutor> VirtualTime::NewExecutor() {
  return std::unique_ptr<VirtualExecutor>(new VirtualExecutor(this));
}

uint64_t VirtualTime::Schedule(VirtualExecutor* owner, Time due, Executor::Closure closure) {
  const uint64_t id = ++last_id_;
  due_[id] = due;
  events_.emplace(Key(due, id), Event{owner, std::move(closure)});
  return id;
}

bool VirtualTime::Cancel(uint64_t id) {
  const auto found = due_.find(id);
  if (found == due_.end()) return false;
  events_.erase(Key(found->second, id));
  due_.erase(found);
  return true;
}

bool VirtualTime::Step() {
  if (events_.empty()) return false;
  auto node = events_.extract(events_.begin());
  const auto [due, id] = node.key();
  due_.erase(id);
  now_ = std::max(now_, due);
  Event& event = node.mapped();
  if (event.owner->frozen_) {
    event.owner->held_.emplace(id, std::move(event.closure));
  } else {
    event.closure();
  }
  return true;
}

void VirtualTime::RunFor(Duration duration) {
  const Time end = now_ + duration;
  while (!events_.empty() && events_.begin()->first.first <= end) Step();
  now_ = end;
}

bool VirtualTime::RunUntil(const std::function<bool()>& done, Duration limit) {
  const Time end = now_ + limit;
  while (!done()) {
    if (events_.empty() || events_.begin()->first.first > end) return false;
    Step();
  }
  return true;
}

VirtualExecutor::~VirtualExecutor() {
  std::erase_if(time_->events_, [this](const auto& entry) {
    if (entry.second.owner != this) return false;
    time_->due_.erase(entry.first.second);
    return true;
  });
}

void VirtualExecutor::Post(Closure closure) {
  time_->Schedule(this, time_->now_, std::move(closure));
}

Executor::TimerId VirtualExecutor::PostAfter(Duration delay, Closure closure) {
  return time_->Schedule(this, time_->now_ + std::max(delay, Duration::zero()), std::move(closure));
}

bool VirtualExecutor::Cancel(TimerId id) { return held_.erase(id) > 0 || time_->Cancel(id); }

void VirtualExecutor::Thaw() {
  frozen_ = false;
  for (auto& [id, closure] : std::exchange(held_, {})) Post(std::move(closure));
}

}  // namespace quern::testing
