#include "quern/runtime/circuit_breaker.h"

#include <chrono>
#include <optional>
#include <tuple>
#include <utility>

#include <absl/strings/str_cat.h>

#include "quern/runtime/limits.h"

namespace quern {
namespace {

int64_t CeilMs(Duration d) { return std::chrono::ceil<std::chrono::milliseconds>(d).count(); }

Status Validate(const CircuitBreakerOptions& o) {
  const auto refuse = [&](const char* what) {
    return absl::InvalidArgumentError(absl::StrCat(o.name, ": ", what));
  };
  if (!(o.failure_share > 0.0 && o.failure_share <= 1.0)) {
    return refuse("failure_share must be above 0 and at most 1");
  }
  if (o.calls_min < 1) return refuse("calls_min must be at least 1");
  if (o.buckets < 1 || o.buckets > kBreakerBucketsMax) {
    return refuse("buckets must be 1 to kBreakerBucketsMax");
  }
  if (o.window < Duration(o.buckets)) return refuse("window must be a positive time");
  if (o.open_for <= Duration::zero()) return refuse("open_for must be a positive time");
  if (o.probes < 1) return refuse("probes must be at least 1");
  return absl::OkStatus();
}

}  // namespace

std::string_view CircuitStateName(CircuitState state) {
  switch (state) {
    case CircuitState::kClosed:
      return "closed";
    case CircuitState::kOpen:
      return "open";
    case CircuitState::kHalfOpen:
      return "half-open";
  }
  return "?";
}

StatusOr<std::unique_ptr<CircuitBreaker>> CircuitBreaker::New(Clock& clock,
                                                              CircuitBreakerOptions options) {
  if (Status valid = Validate(options); !valid.ok()) return valid;
  return std::unique_ptr<CircuitBreaker>(new CircuitBreaker(clock, std::move(options)));
}

CircuitBreaker::CircuitBreaker(Clock& clock, CircuitBreakerOptions options)
    : clock_(clock),
      options_(std::move(options)),
      bucket_time_(options_.window / options_.buckets),
      buckets_(static_cast<size_t>(options_.buckets)) {}

bool CircuitBreaker::IsFailure(const Status& answer) {
  switch (answer.code()) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
      return false;
    default:
      return true;
  }
}

void CircuitBreaker::Permit::Answered(const Status& answer) {
  if (answer.code() == absl::StatusCode::kCancelled) return Settle(Outcome::kNeither);
  Settle(IsFailure(answer) ? Outcome::kFailure : Outcome::kSuccess);
}

void CircuitBreaker::Permit::Settle(Outcome outcome) {
  CircuitBreaker* breaker = std::exchange(breaker_, nullptr);
  if (breaker == nullptr) return;
  const Time now = breaker->clock_.Now();
  Change change{};
  {
    internal::TinyLockHolder lock(breaker->lock_);
    change = breaker->Record(outcome, generation_, now);
  }
  breaker->Tell(change);
}

StatusOr<CircuitBreaker::Permit> CircuitBreaker::Allow() {
  const Time now = clock_.Now();
  Change change{};
  std::optional<uint64_t> generation;
  Duration left{};
  {
    internal::TinyLockHolder lock(lock_);
    change = Refresh(now);
    const bool pass = state_ == CircuitState::kClosed ||
                      (state_ == CircuitState::kHalfOpen && probes_passed_ < options_.probes);
    if (pass) {
      if (state_ == CircuitState::kHalfOpen) ++probes_passed_;
      ++passed_;
      generation = generation_;
    } else {
      ++refused_;
      if (state_ == CircuitState::kOpen) left = opened_at_ + options_.open_for - now;
    }
  }
  Tell(change);
  if (generation.has_value()) return Permit(this, *generation);
  if (left > Duration::zero()) {
    return absl::UnavailableError(
        absl::StrCat(options_.name, ": open for another ", CeilMs(left), " ms"));
  }
  return absl::UnavailableError(absl::StrCat(options_.name, ": waiting for its probe to answer"));
}

CircuitState CircuitBreaker::state() { return Stats().state; }

CircuitBreakerStats CircuitBreaker::Stats() {
  const Time now = clock_.Now();
  Change change{};
  CircuitBreakerStats stats;
  {
    internal::TinyLockHolder lock(lock_);
    change = Refresh(now);
    stats.state = state_;
    std::tie(stats.successes, stats.failures) = SumWindow(now);
    stats.passed = passed_;
    stats.refused = refused_;
    stats.opened = opened_;
  }
  Tell(change);
  return stats;
}

CircuitBreaker::Change CircuitBreaker::MoveTo(CircuitState next, Time now) {
  const Change change{state_, next};
  state_ = next;
  ++generation_;
  probes_passed_ = 0;
  probes_succeeded_ = 0;
  if (next == CircuitState::kOpen) {
    opened_at_ = now;
    ++opened_;
  }
  // What was counted led to the opening; the next closed state judges afresh.
  if (next == CircuitState::kClosed) buckets_.assign(buckets_.size(), Bucket{});
  return change;
}

CircuitBreaker::Change CircuitBreaker::Refresh(Time now) {
  if (state_ == CircuitState::kOpen && now - opened_at_ >= options_.open_for) {
    return MoveTo(CircuitState::kHalfOpen, now);
  }
  return {state_, state_};
}

CircuitBreaker::Change CircuitBreaker::Record(Permit::Outcome outcome, uint64_t generation,
                                              Time now) {
  const Change none{state_, state_};
  if (generation != generation_) return none;
  if (state_ == CircuitState::kHalfOpen) return RecordProbe(outcome, now);
  if (outcome == Permit::Outcome::kNeither) return none;
  Bucket& bucket = BucketAt(now);
  if (outcome == Permit::Outcome::kSuccess) {
    ++bucket.successes;
    return none;
  }
  ++bucket.failures;
  const auto [successes, failures] = SumWindow(now);
  const uint64_t calls = successes + failures;
  const bool too_many =
      static_cast<double>(failures) >= options_.failure_share * static_cast<double>(calls);
  if (calls < static_cast<uint64_t>(options_.calls_min) || !too_many) return none;
  return MoveTo(CircuitState::kOpen, now);
}

CircuitBreaker::Change CircuitBreaker::RecordProbe(Permit::Outcome outcome, Time now) {
  const Change none{state_, state_};
  if (outcome == Permit::Outcome::kFailure) return MoveTo(CircuitState::kOpen, now);
  if (outcome == Permit::Outcome::kNeither) {
    --probes_passed_;
    return none;
  }
  if (++probes_succeeded_ < options_.probes) return none;
  return MoveTo(CircuitState::kClosed, now);
}

CircuitBreaker::Bucket& CircuitBreaker::BucketAt(Time now) {
  const int64_t index = IndexAt(now);
  Bucket& bucket = buckets_[static_cast<size_t>(index) % buckets_.size()];
  if (bucket.index != index) bucket = Bucket{index, 0, 0};
  return bucket;
}

std::pair<uint64_t, uint64_t> CircuitBreaker::SumWindow(Time now) const {
  const int64_t oldest = IndexAt(now) - options_.buckets + 1;
  std::pair<uint64_t, uint64_t> sums{0, 0};
  for (const Bucket& bucket : buckets_) {
    if (bucket.index < oldest) continue;
    sums.first += bucket.successes;
    sums.second += bucket.failures;
  }
  return sums;
}

void CircuitBreaker::Tell(Change change) const {
  if (change.from != change.to && options_.listener) options_.listener(change.from, change.to);
}

}  // namespace quern
