// GoogleMock matchers for Status and StatusOr.
//
//   EXPECT_THAT(system.Spawn<Till>("a/b"), StatusIs(absl::StatusCode::kInvalidArgument));
//   EXPECT_THAT(till.Ask(Total{}), IsOkAndHolds(Gt(5)));
//   EXPECT_THAT(till.Ask(Total{}), ReasonIs(quern::Reason::kAskCycle));
//
// Thread-safe: they hold nothing but what they are given.

#ifndef QUERN_TESTING_STATUS_MATCHERS_H_
#define QUERN_TESTING_STATUS_MATCHERS_H_

#include <string>

#include <gmock/gmock.h>

#include "quern/runtime/internal/result_of.h"
#include "quern/runtime/status.h"

namespace quern::testing {
namespace internal {

using quern::internal::StatusOf;

}  // namespace internal

MATCHER(IsOk, negation ? "isn't OK" : "is OK") {
  *result_listener << internal::StatusOf(arg).ToString();
  return arg.ok();
}

MATCHER_P(StatusIs, code,
          std::string(negation ? "isn't " : "is ") + absl::StatusCodeToString(code)) {
  *result_listener << internal::StatusOf(arg).ToString();
  return internal::StatusOf(arg).code() == code;
}

// `message`: a matcher for the message, or a string.
MATCHER_P2(StatusIs, code, message,
           std::string(negation ? "isn't " : "is ") + absl::StatusCodeToString(code) +
               " with a message that " + ::testing::DescribeMatcher<std::string>(message)) {
  const Status& status = internal::StatusOf(arg);
  *result_listener << status.ToString();
  return status.code() == code &&
         ::testing::ExplainMatchResult(message, std::string(status.message()), result_listener);
}

MATCHER_P(ReasonIs, reason,
          (negation ? "hasn't the reason " : "has the reason ") + std::string(ReasonName(reason))) {
  *result_listener << internal::StatusOf(arg).ToString();
  return ReasonOf(internal::StatusOf(arg)) == reason;
}

// `inner`: a matcher for the value, or a value.
MATCHER_P(IsOkAndHolds, inner, negation ? "isn't OK, or holds something else" : "is OK and holds") {
  if (!arg.ok()) {
    *result_listener << internal::StatusOf(arg).ToString();
    return false;
  }
  return ::testing::ExplainMatchResult(inner, *arg, result_listener);
}

}  // namespace quern::testing

#endif  // QUERN_TESTING_STATUS_MATCHERS_H_
