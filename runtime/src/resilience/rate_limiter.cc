#include "quern/runtime/rate_limiter.h"

#include <algorithm>
#include <limits>

#include <absl/strings/str_cat.h>

#include "actor/turn.h"
#include "scheduler/waiter.h"
#include "scheduler/worker.h"

namespace quern {
namespace {

// Half of what 63 bits hold: room for those that wait.
constexpr int64_t kLevelMax = std::numeric_limits<int64_t>::max() / 2;

}  // namespace

StatusOr<std::unique_ptr<RateLimiter>> RateLimiter::New(Clock& clock, RateLimiterOptions options) {
  if (options.burst == 0) options.burst = options.permits;
  if (options.permits < 1 || options.per < Duration(1) || options.burst < 1) {
    return absl::InvalidArgumentError("rate limiter: permits, per and burst must be above zero");
  }
  if (options.permits > kLevelMax || options.burst > kLevelMax / options.per.count()) {
    return absl::InvalidArgumentError("rate limiter: permits or burst times per is too large");
  }
  return std::unique_ptr<RateLimiter>(new RateLimiter(clock, options));
}

RateLimiter::RateLimiter(Clock& clock, const RateLimiterOptions& options)
    : clock_(clock),
      permits_(options.permits),
      per_(options.per.count()),
      full_(options.burst * options.per.count()),
      level_(full_),
      filled_at_(clock.Now()) {}

void RateLimiter::Refill(Time now) {
  if (now <= filled_at_) return;
  const int64_t passed = (now - filled_at_).count();
  filled_at_ = now;
  const int64_t until_full = (full_ - level_) / permits_ + 1;
  level_ = passed >= until_full ? full_ : std::min(full_, level_ + passed * permits_);
}

bool RateLimiter::TryAcquire(int64_t count) {
  if (count < 1 || count > full_ / per_) return false;
  const Time now = clock_.Now();
  internal::TinyLockHolder lock(lock_);
  Refill(now);
  if (level_ < count * per_) return false;
  level_ -= count * per_;
  return true;
}

Status RateLimiter::Acquire(Duration timeout, int64_t count) {
  if (count < 1 || count > full_ / per_) {
    return absl::InvalidArgumentError(
        absl::StrCat("rate limiter: ", count, " permits asked of a burst of ", full_ / per_));
  }
  const internal::Turn* turn = internal::CurrentTurn();
  const int64_t cost = count * per_;
  const Time now = clock_.Now();
  const Duration patience =
      std::min(timeout, turn == nullptr ? Duration::max() : turn->deadline - now);
  Duration wait{};
  {
    internal::TinyLockHolder lock(lock_);
    Refill(now);
    const int64_t missing = std::max<int64_t>(0, cost - level_);
    wait = Duration(missing / permits_ + (missing % permits_ != 0 ? 1 : 0));
    if (level_ - cost < -kLevelMax) wait = Duration::max();
    if (wait <= patience && wait != Duration::max() &&
        (wait == Duration::zero() || turn != nullptr))
      level_ -= cost;
  }
  if (wait == Duration::zero()) return absl::OkStatus();
  if (wait > patience || wait == Duration::max()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("rate limiter: ", count, " permits are there in ",
                     std::chrono::ceil<std::chrono::milliseconds>(wait).count(), " ms, too late"));
  }
  if (turn == nullptr) {
    return absl::FailedPreconditionError(
        "rate limiter: only a handler can wait for permits; use TryAcquire on a plain thread");
  }
  internal::Waiter waiter;
  if (waiter.Wait(now + wait, /*cancellable=*/true) == internal::Waiter::Outcome::kTimedOut) {
    return absl::OkStatus();
  }
  GiveBack(cost);
  return WithReason(absl::CancelledError("rate limiter: the actor that waits is stopping"),
                    Reason::kCancelled);
}

void RateLimiter::GiveBack(int64_t cost) {
  internal::TinyLockHolder lock(lock_);
  level_ = std::min(full_, level_ + cost);
}

}  // namespace quern
