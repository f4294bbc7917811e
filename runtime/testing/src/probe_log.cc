#include "quern/testing/internal/probe_log.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/time/time.h>

#include "actor/mailbox_cell.h"
#include "actor/turn.h"
#include "quern/runtime/actor_info.h"
#include "quern/testing/fake_clock.h"
#include "scheduler/scheduler.h"
#include "scheduler/step_driver.h"
#include "scheduler/waiter.h"
#include "system/system_core.h"

namespace quern::testing::internal {

using quern::internal::StepDriver;
using quern::internal::Waiter;

bool HasStopped(const quern::internal::Cell& cell) {
  const auto* running = dynamic_cast<const quern::internal::MailboxCell*>(&cell);
  return running != nullptr && running->closed();
}

Status ProbeLog::Take(Context& context, Entry entry, void* slot, const Answering& answer,
                      bool waits) {
  Waiter waiter;
  Pending pending{entry.name, slot, &waiter};
  std::shared_ptr<const void> function;
  {
    absl::MutexLock lock(&mutex_);
    ++arrived_;
    if (auto it = answers_.find(entry.name); it != answers_.end()) function = it->second;
    waits = waits && function == nullptr && context.turn().envelope->is_ask();
    if (waits) pending_ = &pending;
    entries_.push_back(std::move(entry));
  }
  if (function != nullptr) answer(function.get());
  if (!waits) return absl::OkStatus();
  const Waiter::Outcome outcome = waiter.Wait(context.deadline(), /*cancellable=*/true);
  if (outcome == Waiter::Outcome::kWoken) return absl::OkStatus();
  bool replied = false;
  {
    absl::MutexLock lock(&mutex_);
    replied = std::exchange(pending_, nullptr) != &pending;
  }
  if (replied) waiter.Wait();
  // The asker's own deadline is over in the same instant: whoever is first, it is told the same.
  const std::string why = context.path() + ": the test has not replied";
  return outcome == Waiter::Outcome::kTimedOut ? absl::DeadlineExceededError(why)
                                               : absl::CancelledError(why);
}

bool ProbeLog::Await(const std::function<bool()>& done, Duration within) {
  Clock& clock = system_.clock();
  const Time end = within > kNever - clock.Now() ? kNever : clock.Now() + within;
  if (StepDriver* driver = StepDriver::OfThread(); driver != nullptr) {
    return driver->RunUntil(done, end);
  }
  if (system_.core()->scheduler().manual_clock()) {
    system_.WaitUntilQuiet();
    return done();
  }
  constexpr Duration kLookEvery = std::chrono::milliseconds(1);
  for (;;) {
    size_t seen = 0;
    {
      absl::MutexLock lock(&mutex_);
      seen = arrived_;
    }
    if (done()) return true;
    const Duration left = end - clock.Now();
    if (left <= Duration::zero()) return false;
    absl::MutexLock lock(&mutex_);
    const auto more = [this, seen]()
                          ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return arrived_ != seen; };
    mutex_.AwaitWithTimeout(absl::Condition(&more), absl::FromChrono(std::min(left, kLookEvery)));
  }
}

void ProbeLog::Pass(Duration duration, const std::function<bool()>& has_come) {
  if (StepDriver* driver = StepDriver::OfThread(); driver != nullptr) {
    driver->RunUntil([] { return false; }, system_.clock().Now() + duration);
  } else if (auto* clock = dynamic_cast<FakeClock*>(&system_.clock()); clock != nullptr) {
    system_.WaitUntilQuiet();
    clock->AdvanceBy(duration);
    system_.WaitUntilQuiet();
  } else {
    Await(has_come != nullptr ? has_come : [this] { return size() != 0; }, duration);
  }
}

std::shared_ptr<void> ProbeLog::Next(std::string_view name, Duration within) {
  if (!Await([this] { return size() != 0; }, within)) return nullptr;
  absl::MutexLock lock(&mutex_);
  return entries_.front().name == name ? entries_.front().message : nullptr;
}

void ProbeLog::DropFirst() {
  absl::MutexLock lock(&mutex_);
  entries_.pop_front();
}

void ProbeLog::Clear() {
  absl::MutexLock lock(&mutex_);
  entries_.clear();
}

size_t ProbeLog::size() const {
  absl::MutexLock lock(&mutex_);
  return entries_.size();
}

std::string ProbeLog::Describe() const {
  absl::MutexLock lock(&mutex_);
  if (entries_.empty()) return "";
  const Entry& first = entries_.front();
  std::string text = std::string(first.name) + " " + first.print(first.message.get());
  if (entries_.size() > 1) absl::StrAppend(&text, " and ", entries_.size() - 1, " more");
  return text;
}

std::string ProbeLog::DescribeChildren(const std::string& path) const {
  std::string names;
  for (const ActorInfo& actor : system_.ListActors({.under = path}).actors) {
    const std::string name = actor.path.substr(path.size() + 1);
    if (name.find('/') == std::string::npos)
      absl::StrAppend(&names, names.empty() ? "" : ", ", name);
  }
  return names.empty() ? "it has no children" : "it has " + names;
}

void ProbeLog::SetAnswer(std::string_view name, std::shared_ptr<const void> function) {
  absl::MutexLock lock(&mutex_);
  answers_[name] = std::move(function);
}

bool ProbeLog::Reply(std::string_view name, const std::function<void(void* slot)>& write) {
  if (!Await(
          [&] {
            absl::MutexLock lock(&mutex_);
            return pending_ != nullptr;
          },
          Duration::zero())) {
    return false;
  }
  Pending* pending = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    if (pending_ == nullptr || pending_->name != name) return false;
    pending = std::exchange(pending_, nullptr);
  }
  write(pending->slot);
  pending->waiter->Wake();
  return true;
}

}  // namespace quern::testing::internal
