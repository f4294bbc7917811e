#include "quern/runtime/supervision.h"

#include <utility>

#include "actor/supervisor_policy.h"

namespace quern {
namespace {

// Of a returned error, or of a StatusOr without a value that somebody took the value of; OK else.
absl::StatusCode CodeOf(const Failure& failure) {
  if (failure.thrown == nullptr) return failure.status.code();
  try {
    std::rethrow_exception(failure.thrown);
  } catch (const absl::BadStatusOrAccess& error) {
    return error.status().code();
  } catch (...) {
    return absl::StatusCode::kOk;
  }
}

}  // namespace

template <typename Change>
Supervisor Supervisor::With(Change change) const {
  auto policy = std::make_shared<Policy>(this->policy());
  change(*policy);
  Supervisor changed;
  changed.policy_ = std::move(policy);
  return changed;
}

const Supervisor::Policy& Supervisor::policy() const {
  static const Policy kDefault;
  return policy_ == nullptr ? kDefault : *policy_;
}

Supervisor Supervisor::OnThrown(Matcher matcher, Directive directive) const {
  return With([&](Policy& p) { p.rules.push_back({matcher, absl::StatusCode::kOk, directive}); });
}

Supervisor Supervisor::On(absl::StatusCode code, Directive directive) const {
  return With([&](Policy& p) { p.rules.push_back({nullptr, code, directive}); });
}

Supervisor Supervisor::Otherwise(Directive directive) const {
  return With([&](Policy& p) { p.otherwise = directive; });
}

Supervisor Supervisor::For(Strategy strategy) const {
  return With([&](Policy& p) { p.strategy = strategy; });
}

Supervisor Supervisor::Restarts(int count, Duration window, Directive when_spent) const {
  return With([&](Policy& p) {
    p.restarts_max = count;
    p.restart_window = window;
    p.when_spent = when_spent;
  });
}

Supervisor Supervisor::Backoff(RestartBackoff backoff) const {
  return With([&](Policy& p) { p.backoff = backoff; });
}

Supervisor Supervisor::FailOnReturnedErrors() const {
  return With([](Policy& p) { p.fail_on_returned_errors = true; });
}

Supervisor Supervisor::SkipAfter(int crashes) const {
  return With([&](Policy& p) { p.skip_after = crashes; });
}

Status Supervisor::Validate() const {
  const Policy& p = policy();
  if (p.rules.size() > kSupervisorRulesMax) {
    return absl::InvalidArgumentError("supervisor: more than 64 rules; use base classes");
  }
  if (p.restarts_max < 0 || p.restart_window < Duration::zero()) {
    return absl::InvalidArgumentError("supervisor: the restart budget is negative");
  }
  if (p.skip_after < 0) {
    return absl::InvalidArgumentError(
        "supervisor: a message cannot be skipped after less than 0 crashes");
  }
  if (p.when_spent != Directive::kStop && p.when_spent != Directive::kEscalate) {
    return absl::InvalidArgumentError(
        "supervisor: once the restarts are spent the actor can only stop or escalate");
  }
  if (p.backoff.min < Duration::zero() || p.backoff.max < p.backoff.min ||
      p.backoff.reset_after < Duration::zero()) {
    return absl::InvalidArgumentError("supervisor: the backoff needs 0 <= min <= max");
  }
  return absl::OkStatus();
}

Supervisor::Decision Supervisor::Decide(const Failure& failure) const {
  const Policy& p = policy();
  for (const Policy::Rule& rule : p.rules) {
    const bool matches = rule.matcher == nullptr
                             ? CodeOf(failure) == rule.code
                             : failure.thrown != nullptr && rule.matcher(failure.thrown);
    if (matches) return {rule.directive, true};
  }
  // Nothing was ever said: a restart is what everybody expects.
  if (!p.otherwise.has_value()) return {Directive::kRestart, p.rules.empty()};
  return {*p.otherwise, true};
}

}  // namespace quern
