// The events of one type, as a test expects them. A failed expectation is a GoogleTest failure at
// the caller's line.
//
//   EventProbe<ActorRestarted> restarts(system);
//   order.Tell(Break{});
//   restarts.Within(1s).Expect(Field(&ActorRestarted::path, "/order"));
//   restarts.ExpectNothing(1min);
//
// Time goes by as for a Probe (probe.h): at most kProbePatience, or Within(), of the system's
// clock. Everything belongs to the test's thread. The System outlives it.

#ifndef QUERN_TESTING_EVENT_PROBE_H_
#define QUERN_TESTING_EVENT_PROBE_H_

#include <deque>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <type_traits>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quern/runtime/event_stream.h"
#include "quern/runtime/system.h"
#include "quern/testing/internal/failure.h"
#include "quern/testing/internal/probe_log.h"
#include "quern/testing/probe.h"

namespace quern::testing {

template <typename E>
class EventProbe {
 public:
  // Sees what is published from now on. A subscription that is refused is a failure of the test.
  explicit EventProbe(System& system, SubscribeOptions<E> options = {},
                      std::source_location where = std::source_location::current())
      : log_(system) {
    auto events = system.events().Subscribe<E>(std::move(options));
    if (events.ok()) {
      queue_.emplace(*std::move(events));
    } else {
      internal::Failure(where) << events.status();
    }
  }
  EventProbe(const EventProbe&) = delete;
  EventProbe& operator=(const EventProbe&) = delete;

  // The next expectation waits so long.
  EventProbe& Within(Duration patience) {
    within_ = patience;
    return *this;
  }

  // An event that `matcher` (a matcher, a value, or a predicate over const E&) accepts has come, or
  // comes in time; it is returned, and those before it are forgotten. Empty after a failure: none
  // came, and what came instead stays. May step and move time. Blocks the thread.
  std::optional<E> Expect(std::source_location where = std::source_location::current()) {
    return Take(::testing::Matcher<const E&>(::testing::_), where);
  }
  template <typename Matching>
  std::optional<E> Expect(Matching matcher,
                          std::source_location where = std::source_location::current()) {
    if constexpr (std::is_invocable_r_v<bool, Matching, const E&>) {
      return Take(::testing::Matcher<const E&>(::testing::Truly(std::move(matcher))), where);
    } else {
      return Take(::testing::SafeMatcherCast<const E&>(std::move(matcher)), where);
    }
  }

  // No event is there, and none comes while `duration` goes by. A System with a FakeClock has its
  // clock moved. False after a failure. Blocks the thread.
  bool ExpectNothing(Duration duration = Duration::zero(),
                     std::source_location where = std::source_location::current()) {
    log_.Pass(duration, [this] { return Pull() != 0; });
    if (Pull() == 0) return true;
    internal::Failure(where) << "expected no " << Name() << ", but there is " << Describe();
    return false;
  }

  // Forgets what has come and was not expected.
  void Clear() {
    Pull();
    events_.clear();
  }

  // Events that have come and were not expected yet.
  size_t size() { return Pull(); }

 private:
  static std::string Name() { return std::string(quern::internal::TypeName<E>()); }

  size_t Pull() {
    while (queue_.has_value()) {
      std::optional<E> event = queue_->TryNext();
      if (!event.has_value()) break;
      events_.push_back(*std::move(event));
    }
    return events_.size();
  }

  static std::string Print(const E& event) {
    if constexpr (requires { std::string(event.path); }) {
      return "of " + event.path;
    } else {
      return ::testing::PrintToString(event);
    }
  }
  std::string Describe() const {
    std::string text = Print(events_.front());
    for (size_t i = 1; i < events_.size(); ++i) text += ", " + Print(events_[i]);
    return text;
  }

  std::optional<E> Take(const ::testing::Matcher<const E&>& matcher, std::source_location where) {
    size_t looked_at = 0;
    const auto found = [&] {
      for (const size_t there = Pull(); looked_at < there; ++looked_at) {
        if (matcher.Matches(events_[looked_at])) return true;
      }
      return false;
    };
    if (log_.Await(found, std::exchange(within_, kProbePatience))) {
      const auto at = events_.begin() + static_cast<std::ptrdiff_t>(looked_at);
      E event = std::move(*at);
      events_.erase(events_.begin(), at + 1);
      return event;
    }
    const std::string how = ::testing::DescribeMatcher<const E&>(matcher);
    internal::Failure(where) << "expected " << Name()
                             << (how == "is anything" ? "" : " that " + how) << ", but "
                             << (events_.empty() ? "none came" : "there is " + Describe());
    return std::nullopt;
  }

  internal::ProbeLog log_;
  std::optional<EventQueue<E>> queue_;
  std::deque<E> events_;
  Duration within_ = kProbePatience;
};

}  // namespace quern::testing

#endif  // QUERN_TESTING_EVENT_PROBE_H_
