#include "scheduler/watchdog.h"

#include <algorithm>
#include <string>
#include <utility>

#include "quern/runtime/event_stream.h"
#include "quern/runtime/lifecycle_events.h"
#include "quern/runtime/logger.h"
#include "scheduler/scheduler.h"
#include "scheduler/thread_stack.h"
#include "scheduler/waiter.h"
#include "scheduler/worker.h"
#include "system/system_core.h"

namespace quern::internal {
namespace {

constexpr int kLooksPerLimit = 4;
constexpr int kUnansweredMax = 5;  // looks at a worker that does not say what it does

}  // namespace

Watchdog::Watchdog(SystemCore* core, Duration limit, std::vector<std::thread>* threads)
    : core_(core), limit_(limit), threads_(threads), seen_(threads->size()), thread_([this] {
        Body();
      }) {}

Watchdog::~Watchdog() { Stop(); }

void Watchdog::Stop() {
  Waiter* sleeping = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    sleeping = std::exchange(sleeping_, nullptr);
  }
  if (sleeping != nullptr) sleeping->Wake();
  if (thread_.joinable()) thread_.join();
}

void Watchdog::Body() {
  do {
    Look();
  } while (SleepUntil(core_->clock().Now() + limit_ / kLooksPerLimit));
}

bool Watchdog::SleepUntil(Time due) {
  Waiter waiter(core_);
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) return false;
    sleeping_ = &waiter;
  }
  if (waiter.Wait(due) == Waiter::Outcome::kWoken) return false;
  {
    absl::MutexLock lock(&mutex_);
    if (std::exchange(sleeping_, nullptr) != nullptr) return true;
  }
  waiter.Wait();
  return false;
}

void Watchdog::Look() {
  const Time now = core_->clock().Now();
  const auto workers = core_->scheduler().workers();
  seen_.resize(workers.size());
  for (size_t i = 0; i < seen_.size(); ++i) {
    Worker& worker = *workers[i];
    Seen& seen = seen_[i];
    const uint32_t beat = worker.beat();
    if (worker.idle() || beat != seen.beat || seen.looks == 0) {
      seen = {.beat = beat, .since = now, .looks = 1};
      continue;
    }
    // A clock that was moved by hand, or a machine that slept, may pass the limit in one leap.
    if (++seen.looks > kLooksPerLimit && !seen.reported && now - seen.since >= limit_) {
      AskWhatItDoes(worker, &seen, now);
    }
  }
  const size_t held =
      static_cast<size_t>(std::ranges::count_if(seen_, [](const Seen& seen) { return seen.held; }));
  // A spare one that is held as well counts: it needs another one.
  const size_t count = core_->scheduler().worker_count();
  core_->scheduler().KeepSpares(held < count ? 0 : static_cast<int>(held - count + 1));
  core_->scheduler().depot().TrimAfterBurst();
  looks_.fetch_add(1, std::memory_order_release);
}

void Watchdog::AskWhatItDoes(Worker& worker, Seen* seen, Time now) {
  std::thread& thread = (*threads_)[static_cast<size_t>(worker.index())];
  const ThreadStack stack = CaptureStack(worker, thread.native_handle());
  const bool answered = !stack.text.empty();
  // It may have no core just now; or it does not take signals, ever.
  if (!answered && ++seen->unanswered < kUnansweredMax) return;
  seen->reported = true;
  // Between turns there is no handler to report: it is on its way, giving back stacks for example.
  seen->held = stack.cell || !answered;
  if (seen->held) Report(worker, stack, now - seen->since);
}

void Watchdog::Report(const Worker& worker, const ThreadStack& stack, Duration held) {
  WorkerHeld event{.path = stack.cell ? stack.cell->Path() : std::string(),
                   .message = std::string(stack.message),
                   .worker = worker.index(),
                   .held = held,
                   .stack = stack.text,
                   .at = core_->clock().Now()};
  core_->logger().Log(
      LogLevel::kWarn,
      "a handler holds its worker: handlers that wait there and timers stand still",
      {{"actor", event.path},
       {"message", event.message},
       {"worker", event.worker},
       {"held_ms", std::chrono::duration_cast<std::chrono::milliseconds>(held).count()},
       {"advice", "what blocks a thread belongs into quern::Offload"},
       {"stack", event.stack}});
  core_->events().Publish(std::move(event));
}

}  // namespace quern::internal
