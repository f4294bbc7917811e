// A service that fails keeps its callers waiting, and their calls keep it from recovering. A
// CircuitBreaker stands between: while most calls fail it refuses new ones at once, and after a
// while lets one through to see whether the service is back.
//
//   auto breaker = quern::CircuitBreaker::New(context.clock(), {.name = "rates"}).value();
//   quern::StatusOr<double> rate = breaker->Call([&] { return rates_.Ask(Get{"EUR"}); });
//   quern::StatusOr<double> safe = breaker->Call([&] { return rates_.Ask(Get{"EUR"}); },
//                                                [&](const quern::Status&) { return last_rate_; });
//
//   closed      every call passes; opens when, of at least `calls_min` within `window`, a share of
//               `failure_share` failed
//   open        every call is refused with UNAVAILABLE for `open_for`
//   half-open   `probes` calls pass; all of them well: closed, one failure: open again
//
// What a call answers decides: an answer that a healthy service gives (OK, INVALID_ARGUMENT,
// NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION, PERMISSION_DENIED, UNAUTHENTICATED, OUT_OF_RANGE)
// is a success, CANCELLED is neither, everything else and every exception is a failure.
// Thread-safe.

#ifndef QUERN_RUNTIME_CIRCUIT_BREAKER_H_
#define QUERN_RUNTIME_CIRCUIT_BREAKER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>

#include "quern/runtime/clock.h"
#include "quern/runtime/fiber_sync.h"
#include "quern/runtime/internal/result_of.h"
#include "quern/runtime/status.h"

namespace quern {

enum class CircuitState : uint8_t { kClosed, kOpen, kHalfOpen };
std::string_view CircuitStateName(CircuitState state);

struct CircuitBreakerOptions {
  std::string name = "circuit breaker";  // in refusals
  double failure_share = 0.5;            // in (0, 1]
  int calls_min = 10;
  Duration window = std::chrono::seconds(60);
  int buckets = 12;  // of the window, which moves on by one at a time; at most kBreakerBucketsMax
  Duration open_for = std::chrono::seconds(30);
  int probes = 1;
  // Told of every change of state, on the thread that caused it and without a lock held. It must
  // not suspend. Changes by two threads at once may be told in either order.
  std::function<void(CircuitState from, CircuitState to)> listener = {};
};

struct CircuitBreakerStats {
  CircuitState state = CircuitState::kClosed;
  uint64_t successes = 0;  // within the window
  uint64_t failures = 0;   // within the window
  uint64_t passed = 0;     // since the start
  uint64_t refused = 0;    // since the start
  uint64_t opened = 0;     // times, since the start
};

class CircuitBreaker {
 public:
  // One call that was let through. Say once how it ended; one that is dropped counts as neither.
  // A call that began before the last change of state is not counted. Move-only; not thread-safe;
  // must not outlive its breaker.
  class Permit {
   public:
    Permit(Permit&& other) noexcept
        : breaker_(std::exchange(other.breaker_, nullptr)), generation_(other.generation_) {}
    Permit& operator=(Permit&&) = delete;
    ~Permit() { Settle(Outcome::kNeither); }

    void Succeeded() { Settle(Outcome::kSuccess); }
    void Failed() { Settle(Outcome::kFailure); }
    // By what was answered, as Call() does.
    void Answered(const Status& answer);

   private:
    friend class CircuitBreaker;
    enum class Outcome : uint8_t { kSuccess, kFailure, kNeither };
    Permit(CircuitBreaker* breaker, uint64_t generation)
        : breaker_(breaker), generation_(generation) {}
    void Settle(Outcome outcome);

    CircuitBreaker* breaker_;
    uint64_t generation_;
  };

  // INVALID_ARGUMENT a share outside (0, 1], or a count or time that is not above zero. `clock`
  // outlives the breaker.
  static StatusOr<std::unique_ptr<CircuitBreaker>> New(Clock& clock,
                                                       CircuitBreakerOptions options = {});
  CircuitBreaker(const CircuitBreaker&) = delete;
  CircuitBreaker& operator=(const CircuitBreaker&) = delete;

  // UNAVAILABLE: refused, the message says for how long. Thread-safe, never suspends.
  StatusOr<Permit> Allow();

  // Runs `fn`, which returns a Status or StatusOr<T>, and returns its answer, or UNAVAILABLE if it
  // was refused. An exception counts as a failure and goes on. No lock is held: `fn` may suspend.
  template <typename Fn>
  std::invoke_result_t<Fn> Call(Fn&& fn) {
    StatusOr<Permit> permit = Allow();
    if (!permit.ok()) return permit.status();
    return Run(*std::move(permit), std::forward<Fn>(fn));
  }

  // The same, but a refusal or failure is answered by `fallback(status)`.
  template <typename Fn, typename Fallback>
  std::invoke_result_t<Fn> Call(Fn&& fn, Fallback&& fallback) {
    StatusOr<Permit> permit = Allow();
    if (!permit.ok()) return std::forward<Fallback>(fallback)(permit.status());
    std::invoke_result_t<Fn> answer = Run(*std::move(permit), std::forward<Fn>(fn));
    const Status& status = internal::StatusOf(answer);
    if (IsFailure(status)) return std::forward<Fallback>(fallback)(status);
    return answer;
  }

  // As of now. Thread-safe, never suspends.
  CircuitState state();
  CircuitBreakerStats Stats();

  static bool IsFailure(const Status& answer);

 private:
  struct Bucket {
    int64_t index = -1;  // which stretch of time; -1: none
    uint64_t successes = 0;
    uint64_t failures = 0;
  };
  // A change of state to be told once the lock is free.
  struct Change {
    CircuitState from;
    CircuitState to;
  };

  CircuitBreaker(Clock& clock, CircuitBreakerOptions options);

  template <typename Fn>
  static std::invoke_result_t<Fn> Run(Permit permit, Fn&& fn) {
    struct FailedIfThrown {
      ~FailedIfThrown() {
        if (!returned) permit.Failed();
      }
      Permit& permit;
      bool returned = false;
    } guard{permit};
    std::invoke_result_t<Fn> answer = std::forward<Fn>(fn)();
    guard.returned = true;
    permit.Answered(internal::StatusOf(answer));
    return answer;
  }

  Change MoveTo(CircuitState next, Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  Change Refresh(Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  Change Record(Permit::Outcome outcome, uint64_t generation, Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  Change RecordProbe(Permit::Outcome outcome, Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  Bucket& BucketAt(Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  std::pair<uint64_t, uint64_t> SumWindow(Time now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  int64_t IndexAt(Time now) const { return now.time_since_epoch() / bucket_time_; }
  void Tell(Change change) const;

  Clock& clock_;
  const CircuitBreakerOptions options_;
  const Duration bucket_time_;

  internal::TinyLock lock_;
  std::vector<Bucket> buckets_ ABSL_GUARDED_BY(lock_);
  CircuitState state_ ABSL_GUARDED_BY(lock_) = CircuitState::kClosed;
  uint64_t generation_ ABSL_GUARDED_BY(lock_) = 0;  // of the state; rises with each change
  Time opened_at_ ABSL_GUARDED_BY(lock_){};
  int probes_passed_ ABSL_GUARDED_BY(lock_) = 0;
  int probes_succeeded_ ABSL_GUARDED_BY(lock_) = 0;
  uint64_t passed_ ABSL_GUARDED_BY(lock_) = 0;
  uint64_t refused_ ABSL_GUARDED_BY(lock_) = 0;
  uint64_t opened_ ABSL_GUARDED_BY(lock_) = 0;
};

}  // namespace quern

#endif  // QUERN_RUNTIME_CIRCUIT_BREAKER_H_
