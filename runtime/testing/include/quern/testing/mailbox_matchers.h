// What waits in an actor's mailbox, to look at in a test.
//
//   order.Tell(Pay{5});                                  // its handler waits for an answer
//   EXPECT_THAT(order, HasQueued(0));
//   order.Tell(Remind{});
//   EXPECT_THAT(order, HasQueued(1));                    // or HasQueued(Gt(0))
//   EXPECT_THAT(QueuedMessages(order), ElementsAre("Remind"));       // of a StepSystem
//
// For actors of this process. Of a StepSystem it is exact and nothing is stepped; of a System that
// runs it was true a moment ago, so let it become quiet first. Belongs to the test's thread.

#ifndef QUERN_TESTING_MAILBOX_MATCHERS_H_
#define QUERN_TESTING_MAILBOX_MATCHERS_H_

#include <cstddef>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "quern/runtime/internal/cell.h"
#include "quern/runtime/ref.h"
#include "quern/testing/internal/failure.h"

namespace quern::testing {
namespace internal {

// Empty: not an actor of this process, or a handler holds its worker.
std::optional<size_t> CountMailbox(quern::internal::Cell* cell);

// Empty: not an actor of a StepSystem.
std::optional<std::vector<std::string>> NamesInMailbox(quern::internal::Cell* cell);

}  // namespace internal

// `depth`: a matcher for the number of messages that wait, or a number. What is not known matches
// nothing. kMailboxCountMax are counted at most. Blocks the thread for a moment.
MATCHER_P(HasQueued, depth,
          std::string(negation ? "hasn't" : "has") + " a number of messages queued that " +
              ::testing::DescribeMatcher<size_t>(depth)) {
  const std::optional<size_t> count = internal::CountMailbox(arg.cell().get());
  if (!count.has_value()) {
    *result_listener << arg.path() << " cannot be counted: no actor here, or its worker is held";
    return false;
  }
  *result_listener << arg.path() << " has " << *count << " queued";
  return ::testing::ExplainMatchResult(depth, *count, result_listener);
}

// The messages that wait, the next one first, by the names of their types without namespaces. Of an
// actor of a StepSystem with the default mailbox; for others a failure of the test.
template <typename Api>
std::vector<std::string> QueuedMessages(
    const Ref<Api>& ref, std::source_location where = std::source_location::current()) {
  auto names = internal::NamesInMailbox(ref.cell().get());
  if (names.has_value()) return *std::move(names);
  internal::Failure(where)
      << "the mailbox of " << ref.path()
      << " cannot be read: it is no actor of a StepSystem, or chose its mailbox";
  return {};
}

}  // namespace quern::testing

#endif  // QUERN_TESTING_MAILBOX_MATCHERS_H_
