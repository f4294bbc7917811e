#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "posix_semaphore.h"
#include "quern/quern.h"
#include "quern/runtime/limits.h"
#include "quern/testing/fake_clock.h"
#include "scheduler/fiber_stack.h"
#include "test_size.h"

namespace quern {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using testing::FakeClock;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

struct Echo {
  int value = 0;
};
struct EchoLater {
  int value = 0;
  Duration after{};
};
struct Fail {};
struct Seen {};
struct EchoApi : Protocol<int(Echo), int(EchoLater), void(Fail), std::vector<int>(Seen)> {};

struct Echoer : Actor<EchoApi> {
  int On(const Echo& m) {
    seen_.push_back(m.value);
    return m.value;
  }
  StatusOr<int> On(const EchoLater& m, Context& context) {
    if (Status slept = context.Sleep(m.after); !slept.ok()) return slept;
    return m.value;
  }
  Status On(const Fail&) { return absl::FailedPreconditionError("no"); }
  std::vector<int> On(const Seen&) { return seen_; }
  std::vector<int> seen_;
};

// Runs what the test gives it in a handler.
struct Perform {
  std::function<void(Context&)> body;
};
struct RunApi : Protocol<void(Perform)> {};
struct Runner : Actor<RunApi> {
  void On(const Perform& m, Context& context) { m.body(context); }
};

class AskAsyncTest : public ::testing::Test {
 protected:
  // Runs `body` in a handler, and moves the clock until it has returned.
  void InHandler(std::function<void(Context&)> body) {
    std::atomic<bool> done{false};
    std::thread asker([&] {
      EXPECT_TRUE(runner_.Ask(Perform{body}, 1h).ok());
      done = true;
    });
    while (!done) {
      system_.WaitUntilQuiet();
      clock_.AdvanceBy(10ms);
    }
    asker.join();
  }

  FakeClock clock_;
  System system_{{.name = "test", .workers = 2, .clock = &clock_}};
  Ref<EchoApi> echo_ = system_.Spawn<Echoer>("echo").value();
  Ref<EchoApi> other_ = system_.Spawn<Echoer>("other").value();
  Ref<RunApi> runner_ = system_.Spawn<Runner>("runner").value();
};

TEST_F(AskAsyncTest, IsSentAtOnceAndAwaitedLater) {
  InHandler([&](Context& context) {
    Pending<int> pending = echo_.AskAsync(Echo{7});
    EXPECT_TRUE(context.Sleep(10ms).ok());

    EXPECT_TRUE(pending.ready());
    EXPECT_EQ(pending.Await().value(), 7);
  });
}

TEST_F(AskAsyncTest, AwaitWaitsForTheReply) {
  InHandler([&](Context&) {
    Pending<int> pending = echo_.AskAsync(EchoLater{7, 50ms});
    EXPECT_FALSE(pending.ready());

    EXPECT_EQ(pending.Await().value(), 7);
  });
}

TEST_F(AskAsyncTest, AWorkerlessThreadAwaitsToo) {
  Pending<int> pending = echo_.AskAsync(Echo{7});
  Pending<void> failing = echo_.AskAsync(Fail{});

  EXPECT_EQ(pending.Await().value(), 7);
  EXPECT_EQ(failing.Await().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(AskAsyncTest, AResultIsThereOnce) {
  Pending<int> pending = echo_.AskAsync(Echo{7});

  EXPECT_TRUE(pending.Await().ok());
  EXPECT_EQ(pending.Await().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Pending<int>().Await().status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(AskAsyncTest, TimesOutWhenAwaitedAndTheLateReplyIsDroppedAndCounted) {
  InHandler([&](Context& context) {
    Pending<int> pending = echo_.AskAsync(EchoLater{7, 500ms}, 100ms);

    EXPECT_EQ(pending.Await().status().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(system_.late_replies(), 0u);
    EXPECT_TRUE(context.Sleep(1s).ok());
  });

  EXPECT_EQ(system_.late_replies(), 1u);
}

TEST_F(AskAsyncTest, AReplyThatCameIsReturnedEvenPastTheDeadline) {
  InHandler([&](Context& context) {
    Pending<int> pending = echo_.AskAsync(EchoLater{7, 50ms}, 100ms);
    EXPECT_TRUE(context.Sleep(1s).ok());

    EXPECT_EQ(pending.Await().value(), 7);
  });
}

TEST_F(AskAsyncTest, ACancelledOneSaysSoOnce) {
  InHandler([&](Context& context) {
    Pending<int> pending = echo_.AskAsync(EchoLater{7, 100ms});
    EXPECT_TRUE(context.Sleep(10ms).ok());  // it has begun
    pending.Cancel();
    pending.Cancel();

    EXPECT_TRUE(pending.ready());
    const Status cancelled = pending.Await().status();
    EXPECT_EQ(cancelled.code(), absl::StatusCode::kCancelled);
    EXPECT_EQ(ReasonOf(cancelled), Reason::kCancelled);
    EXPECT_EQ(pending.Await().status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_TRUE(context.Sleep(1s).ok());
  });

  EXPECT_EQ(system_.late_replies(), 1u);
}

TEST_F(AskAsyncTest, CancellingAnAnsweredOneChangesNothing) {
  InHandler([&](Context& context) {
    Pending<int> pending = echo_.AskAsync(Echo{7});
    EXPECT_TRUE(context.Sleep(10ms).ok());

    pending.Cancel();

    EXPECT_EQ(pending.Await().value(), 7);
  });
}

TEST_F(AskAsyncTest, AnAbandonedOneIsDroppedAndCounted) {
  InHandler([&](Context& context) {
    {
      Pending<int> begun = echo_.AskAsync(EchoLater{7, 100ms});
      EXPECT_TRUE(context.Sleep(10ms).ok());
      Pending<int> queued = echo_.AskAsync(Echo{8});  // it is not run at all
    }
    {
      Pending<int> answered = other_.AskAsync(Echo{9});
      EXPECT_TRUE(context.Sleep(1s).ok());
    }
  });

  EXPECT_EQ(system_.late_replies(), 1u);
  EXPECT_THAT(echo_.Ask(Seen{}).value(), ElementsAre());
}

TEST_F(AskAsyncTest, AwaitAllGivesEachItsOwnResultInOrder) {
  InHandler([&](Context&) {
    Pending<int> slow = echo_.AskAsync(EchoLater{1, 50ms});
    Pending<void> failing = other_.AskAsync(Fail{});
    Pending<int> silent = echo_.AskAsync(EchoLater{3, 1h}, 100ms);

    auto [one, two, three] = AwaitAll(slow, failing, silent);

    EXPECT_EQ(one.value(), 1);
    EXPECT_EQ(two.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(three.status().code(), absl::StatusCode::kDeadlineExceeded);
  });
}

TEST_F(AskAsyncTest, AwaitAnyGivesTheFirstAndLeavesTheOthersPending) {
  InHandler([&](Context&) {
    std::vector<Pending<int>> pending;
    pending.push_back(echo_.AskAsync(EchoLater{1, 100ms}));
    pending.push_back(other_.AskAsync(EchoLater{2, 50ms}));

    Awaited<int> first = AwaitAny(pending);
    Awaited<int> second = AwaitAny(pending);

    EXPECT_EQ(first.index, 1u);
    EXPECT_EQ(first.result.value(), 2);
    EXPECT_EQ(second.index, 0u);
    EXPECT_EQ(second.result.value(), 1);
    EXPECT_EQ(AwaitAny(pending).result.status().code(), absl::StatusCode::kFailedPrecondition);
  });
}

TEST_F(AskAsyncTest, AwaitAnyEndsAtTheSoonestDeadline) {
  InHandler([&](Context&) {
    std::vector<Pending<int>> pending;
    pending.push_back(echo_.AskAsync(EchoLater{1, 1h}, 10s));
    pending.push_back(other_.AskAsync(EchoLater{2, 1h}, 50ms));

    Awaited<int> first = AwaitAny(pending);

    EXPECT_EQ(first.index, 1u);
    EXPECT_EQ(first.result.status().code(), absl::StatusCode::kDeadlineExceeded);
  });
}

TEST_F(AskAsyncTest, AStopCancelsWhatIsAwaited) {
  std::atomic<bool> entered{false};
  std::optional<Status> status;
  PosixSemaphore ended{0};
  runner_.Tell(Perform{[&](Context&) {
    Pending<int> pending = echo_.AskAsync(EchoLater{1, 1h});
    entered = true;
    status = pending.Await().status();
    ended.release();
  }});
  while (!entered) std::this_thread::yield();
  system_.WaitUntilQuiet();

  runner_.Stop();
  ended.acquire();

  EXPECT_EQ(status->code(), absl::StatusCode::kCancelled);
}

TEST_F(AskAsyncTest, ATimeoutOfZeroOrLessIsRefusedAndNothingIsDelivered) {
  EXPECT_EQ(echo_.Ask(Echo{1}, 0ms).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(echo_.Ask(Echo{2}, -1ms).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(echo_.AskAsync(Echo{3}, 0ms).Await().status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(echo_.Ask(Seen{}).value(), ElementsAre());
}

TEST_F(AskAsyncTest, WhatCannotBeSentIsAnsweredAlready) {
  Ref<EchoApi> empty;
  echo_.Stop();
  system_.WaitUntilQuiet();

  EXPECT_EQ(empty.AskAsync(Echo{1}).Await().status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(echo_.AskAsync(Echo{1}).Await().status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(AskAsyncTest, APendingOutlivesItsSystem) {
  Pending<int> pending;
  {
    System other("other");
    pending = other.Spawn<Echoer>("echo").value().AskAsync(EchoLater{1, 1h}, 2h);
  }

  // Whether its handler had begun is chance.
  EXPECT_THAT(pending.Await().status().code(),
              AnyOf(absl::StatusCode::kCancelled, absl::StatusCode::kUnavailable));
}

TEST_F(AskAsyncTest, BatchesKeepTheOrder) {
  const std::vector<Echo> messages = {{1}, {2}, {3}};

  EXPECT_THAT(BatchTell(echo_, messages),
              ElementsAre(Delivery::kAccepted, Delivery::kAccepted, Delivery::kAccepted));
  std::vector<int> replies;
  for (auto& reply : AwaitAll(BatchAsk(echo_, messages))) replies.push_back(reply.value());

  EXPECT_THAT(replies, ElementsAre(1, 2, 3));
  EXPECT_THAT(echo_.Ask(Seen{}).value(), ElementsAre(1, 2, 3, 1, 2, 3));
}

TEST(RunnersTest, StacksTakeAtMostHalfOfTheMappingsOfTheProcess) {
  EXPECT_EQ(internal::RunnersWithin(65530, 2), kRunnersMax);
  EXPECT_EQ(internal::RunnersWithin(65530, 16), 65530u / 4 / 16);
  EXPECT_EQ(internal::RunnersWithin(1000, 16), kRunnersIdleMax);
  EXPECT_GT(internal::MappingsMax(), 0u);
}

// A hundred thousand handlers that ask one who does not answer: as many wait on a stack as there
// are runners, the others in the queue, and every one ends.
TEST(RunnersTest, HandlersBeyondTheRunnersWaitUntilOthersHaveEnded) {
  constexpr int kHandlers = Rounds(100'000, 6'000);
  FakeClock clock;
  System system({.name = "many", .workers = 2, .clock = &clock});
  auto silent = system.Spawn<Echoer>("silent").value();
  std::atomic<int> waiting{0};
  std::atomic<int> most{0};
  std::atomic<int> ended{0};
  for (int i = 0; i < kHandlers; ++i) {
    system.Spawn<Runner>("r" + std::to_string(i)).value().Tell(Perform{[&](Context&) {
      const int now = ++waiting;
      for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
      }
      const Status status = silent.Ask(EchoLater{1, 24h * 3650}, 10s).status();
      --waiting;
      if (absl::IsDeadlineExceeded(status)) ++ended;
    }});
  }

  while (most < static_cast<int>(kRunnersMax) - 1) std::this_thread::yield();
  while (ended < kHandlers) {
    clock.AdvanceBy(1s);
    std::this_thread::yield();
  }

  EXPECT_GE(most, static_cast<int>(kRunnersMax) - 1);
  EXPECT_LE(most, static_cast<int>(2 * kRunnersMax));
}

TEST_F(AskAsyncTest, ManyMoreMayBePendingThanHandlersMayPark) {
  constexpr int kAsks = Rounds(100'000, 10'000);
  InHandler([&](Context&) {
    std::vector<Pending<int>> pending;
    for (int i = 0; i < kAsks; ++i) pending.push_back(echo_.AskAsync(Echo{i}, 1h));
    int right = 0;
    const auto results = AwaitAll(pending);
    for (int i = 0; i < kAsks; ++i) right += results[static_cast<size_t>(i)].value() == i;
    EXPECT_EQ(right, kAsks);
  });
}

}  // namespace
}  // namespace quern
