#include "scheduler/waiter.h"

#include <boost/fiber/context.hpp>

#include <optional>
#include <utility>

#include "actor/mailbox_cell.h"
#include "actor/turn.h"
#include "metrics/turn_sample.h"
#include "scheduler/futex.h"
#include "scheduler/scheduler.h"
#include "scheduler/step_driver.h"
#include "scheduler/worker.h"
#include "scheduler/worker_algorithm.h"
#include "system/system_core.h"

namespace quern::internal {
namespace {

// Of a plain thread's word.
constexpr uint32_t kWoken = 1;
constexpr uint32_t kLook = 2;    // at the clock again
constexpr uint32_t kSleeps = 4;  // or is about to

}  // namespace

Waiter::Waiter(SystemCore* core) : worker_(Worker::Current()), core_(core) {}

Waiter::Outcome Waiter::Wait(Time deadline, bool cancellable) {
  if (worker_ == nullptr) return WaitOnThread(deadline);
  if (woken_) return Outcome::kWoken;
  worker_->tells().End();
  Turn* turn = cancellable ? worker_->turn() : nullptr;
  if (turn != nullptr && !turn->cancellable) turn = nullptr;
  if (turn != nullptr && !BeginCancellable(*turn)) return Outcome::kCancelled;
  if (deadline != kNever) {
    worker_->timers().Arm(this, deadline, &Waiter::OnTimer);
  }
  Runner* runner = worker_->runner();
  parked_ = runner != nullptr ? runner->context : boost::fibers::context::active();
  if (runner != nullptr) runner->waiter = this;
  since_ = worker_->now();
  if (runner == nullptr || runner->sample == nullptr) [[likely]] {
    parked_->suspend();
  } else {
    SuspendMeasured(*runner->sample);
  }
  if (runner != nullptr) runner->waiter = nullptr;
  if (turn != nullptr) EndCancellable(*turn);
  return outcome_;
}

void Waiter::SuspendMeasured(TurnSample& sample) {
  if (!sample.WaitDue()) return parked_->suspend();
  const Clock& clock = worker_->scheduler().clock();
  const Time began = clock.Now();
  parked_->suspend();
  sample.Waited(clock.Now() - began);
}

// A cell knows one parked turn; the fibers of a group are known to the group.
bool Waiter::BeginCancellable(Turn& turn) {
  if (!turn.in_group) return turn.cell->BeginPark(turn, this);
  if (!turn.cancelled) turn.parked_on = this;
  return !turn.cancelled;
}

void Waiter::EndCancellable(Turn& turn) {
  if (!turn.in_group) {
    turn.cell->EndPark(turn);
  } else {
    turn.parked_on = nullptr;
  }
}

void Waiter::CancelTurn(Turn& turn) {
  turn.cancelled = true;
  if (turn.parked_on != nullptr) turn.parked_on->Resume(Outcome::kCancelled);
}

void Waiter::Wake() {
  if (worker_ == nullptr) {
    // The waiter may be gone as soon as it reads the word.
    std::atomic<uint32_t>* word = &word_;
    if (word_.fetch_or(kWoken, std::memory_order_release) & kSleeps) FutexWake(word);
  } else if (Worker::Current() == worker_) {
    woken_ = true;
    Resume(Outcome::kWoken);
  } else {
    InboxItem::run = &Waiter::OnInbox;
    worker_->Post(this);
  }
}

void Waiter::OnInbox(Worker&, InboxItem* item) {
  auto* waiter = static_cast<Waiter*>(item);
  waiter->woken_ = true;
  waiter->Resume(Outcome::kWoken);
}

void Waiter::OnTimer(TimerNode* node) { static_cast<Waiter*>(node)->Resume(Outcome::kTimedOut); }

void Waiter::Resume(Outcome outcome) {
  if (parked_ == nullptr) return;
  outcome_ = outcome;
  worker_->timers().Cancel(this);
  worker_->algorithm_->awakened(std::exchange(parked_, nullptr));
}

bool Waiter::woken_thread() const { return (word_.load(std::memory_order_acquire) & kWoken) != 0; }

void Waiter::LookAgain() {
  word_.fetch_or(kLook, std::memory_order_release);
  FutexWake(&word_);
}

// The waiting thread is the one that runs the workers.
Waiter::Outcome Waiter::WaitStepping(StepDriver& driver, Time deadline) {
  const auto woken = [this] { return woken_thread(); };
  if (core_ == nullptr) {
    driver.RunUntilCertainly(woken);
    return Outcome::kWoken;
  }
  return driver.RunUntil(woken, deadline) ? Outcome::kWoken : Outcome::kTimedOut;
}

Waiter::Outcome Waiter::WaitOnThread(Time deadline) {
  if (StepDriver* driver = StepDriver::OfThread(); driver != nullptr) {
    return WaitStepping(*driver, deadline);
  }
  const bool timed = deadline != kNever && core_ != nullptr;
  const bool manual = timed && core_->scheduler().manual_clock();
  if (manual) core_->scheduler().thread_waits().Add(this);
  Outcome outcome = Outcome::kWoken;
  for (;;) {
    const uint32_t word = word_.fetch_and(~kLook, std::memory_order_acquire);
    if (word & kWoken) break;
    std::optional<Duration> timeout;
    if (timed) {
      const Duration left = deadline - core_->clock().Now();
      if (left <= Duration::zero()) {
        outcome = Outcome::kTimedOut;
        break;
      }
      if (!manual) timeout = left;
    }
    uint32_t none = 0;
    word_.compare_exchange_strong(none, kSleeps, std::memory_order_relaxed);
    FutexWait(word_, kSleeps, timeout);
  }
  if (manual) core_->scheduler().thread_waits().Remove(this);
  return outcome;
}

}  // namespace quern::internal
