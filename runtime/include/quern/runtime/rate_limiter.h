// Calls that come in bursts, against something that bears only so many: a token bucket. It fills
// with `permits` in each `per`, holds at most `burst`, and every call takes one or more out.
//
//   auto limiter = quern::RateLimiter::New(context.clock(), {.permits = 100, .per = 1s}).value();
//   if (!limiter->TryAcquire()) return absl::ResourceExhaustedError("too many, back off");
//   if (quern::Status s = limiter->Acquire(200ms); !s.ok()) return s;       // in its turn, or not
//
// Thread-safe; those that wait get their permits in the order in which they came. The clock is the
// system's, and only it: a limiter has no timer of its own and costs nothing while nobody calls.

#ifndef QUERN_RUNTIME_RATE_LIMITER_H_
#define QUERN_RUNTIME_RATE_LIMITER_H_

#include <cstdint>
#include <memory>

#include <absl/base/thread_annotations.h>

#include "quern/runtime/clock.h"
#include "quern/runtime/fiber_sync.h"
#include "quern/runtime/status.h"

namespace quern {

struct RateLimiterOptions {
  int64_t permits = 1;
  Duration per = std::chrono::seconds(1);
  int64_t burst = 0;  // at most so many at once; 0: as many as `permits`
};

class RateLimiter {
 public:
  // A full bucket. INVALID_ARGUMENT a count or time below one, or above what 63 bits of
  // permits times nanoseconds hold. `clock` outlives the limiter.
  static StatusOr<std::unique_ptr<RateLimiter>> New(Clock& clock, RateLimiterOptions options);
  RateLimiter(const RateLimiter&) = delete;
  RateLimiter& operator=(const RateLimiter&) = delete;

  // True: `count` permits are taken. False: they are not there, or others wait for them; nothing
  // is taken. Thread-safe, never suspends.
  bool TryAcquire(int64_t count = 1);

  // Waits for `count` permits, `timeout` at most, less within an ask that ends sooner. Failure
  // codes, nothing taken: RESOURCE_EXHAUSTED they will not be there in time (said at once, without
  // waiting); CANCELLED the actor is stopping; INVALID_ARGUMENT `count` is below one or above the
  // burst; FAILED_PRECONDITION a plain thread, which has no clock to sleep by, would have to wait.
  // Suspends.
  Status Acquire(Duration timeout, int64_t count = 1);

 private:
  // The level counts permits times `per` in nanoseconds, so that nothing is ever rounded.
  RateLimiter(Clock& clock, const RateLimiterOptions& options);

  void Refill(Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void GiveBack(int64_t cost);

  Clock& clock_;
  const int64_t permits_;  // the level rises by so much a nanosecond
  const int64_t per_;      // what one permit costs
  const int64_t full_;

  internal::TinyLock lock_;
  int64_t level_ ABSL_GUARDED_BY(lock_);  // negative: promised to those that wait
  Time filled_at_ ABSL_GUARDED_BY(lock_);
};

}  // namespace quern

#endif  // QUERN_RUNTIME_RATE_LIMITER_H_
