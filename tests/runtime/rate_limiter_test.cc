#include "quern/runtime/rate_limiter.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "quern/quern.h"
#include "quern/testing/fake_clock.h"

namespace quern {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::FakeClock;

struct Work {
  Duration patience;
  int64_t permits = 1;
};
struct Done {};
struct CallerApi : Protocol<void(Work), int(Done)> {};

// Waits in its handler; tells how often it was let through.
struct Caller : Actor<CallerApi> {
  explicit Caller(RateLimiter* limiter) : limiter_(limiter) {}
  Status On(const Work& m) {
    Status let = limiter_->Acquire(m.patience, m.permits);
    if (let.ok()) ++done_;
    if (absl::IsCancelled(let)) limiter_ = nullptr;
    return let;
  }
  int On(const Done&) { return done_; }
  RateLimiter* limiter_;
  int done_ = 0;
};

class RateLimiterTest : public ::testing::Test {
 protected:
  std::unique_ptr<RateLimiter> Make(RateLimiterOptions options) {
    return RateLimiter::New(clock_, options).value();
  }
  int Taken(RateLimiter& limiter) {
    int taken = 0;
    while (limiter.TryAcquire()) ++taken;
    return taken;
  }
  void Advance(Duration d) {
    system_.WaitUntilQuiet();
    clock_.AdvanceBy(d);
    system_.WaitUntilQuiet();
  }

  FakeClock clock_;
  System system_{SystemOptions{.name = "test", .workers = 2, .clock = &clock_}};
};

TEST_F(RateLimiterTest, StartsFullAndRefillsAtItsRateUpToTheBurst) {
  auto limiter = Make({.permits = 10, .per = seconds(1), .burst = 3});

  EXPECT_EQ(Taken(*limiter), 3);
  clock_.AdvanceBy(milliseconds(99));
  EXPECT_EQ(Taken(*limiter), 0);
  clock_.AdvanceBy(milliseconds(1));
  EXPECT_EQ(Taken(*limiter), 1);
  clock_.AdvanceBy(std::chrono::hours(1000));
  EXPECT_EQ(Taken(*limiter), 3);
}

TEST_F(RateLimiterTest, NeverRoundsPermitsAway) {
  auto limiter = Make({.permits = 3, .per = seconds(1), .burst = 2});
  int taken = Taken(*limiter);

  for (int i = 0; i < 10'000; ++i) {
    clock_.AdvanceBy(milliseconds(1));
    taken += Taken(*limiter);
  }

  EXPECT_EQ(taken, 2 + 30);
}

TEST_F(RateLimiterTest, TakesSeveralAtOnceOrNone) {
  auto limiter = Make({.permits = 5});

  EXPECT_TRUE(limiter->TryAcquire(3));
  EXPECT_FALSE(limiter->TryAcquire(3));
  EXPECT_TRUE(limiter->TryAcquire(2));
  EXPECT_FALSE(limiter->TryAcquire(6));
  EXPECT_FALSE(limiter->TryAcquire(0));
}

TEST_F(RateLimiterTest, AcquireWaitsInLineAndFreesTheWorkerMeanwhile) {
  auto limiter = Make({.permits = 1, .per = seconds(1), .burst = 1});
  auto a = system_.Spawn<Caller>("a", limiter.get()).value();
  auto b = system_.Spawn<Caller>("b", limiter.get()).value();
  ASSERT_TRUE(limiter->TryAcquire());

  a.Tell(Work{seconds(10)});
  system_.WaitUntilQuiet();
  b.Tell(Work{seconds(10)});
  Advance(milliseconds(999));
  EXPECT_FALSE(limiter->TryAcquire());
  Advance(milliseconds(1));
  EXPECT_EQ(a.Ask(Done{}).value(), 1);
  Advance(seconds(1));

  EXPECT_EQ(b.Ask(Done{}).value(), 1);
}

TEST_F(RateLimiterTest, AcquireSaysAtOnceThatItWouldBeTooLateAndTakesNothing) {
  auto limiter = Make({.permits = 1, .per = seconds(1), .burst = 1});
  auto caller = system_.Spawn<Caller>("caller", limiter.get()).value();
  ASSERT_TRUE(limiter->TryAcquire());

  const Status late = caller.Ask(Work{milliseconds(999)});

  EXPECT_EQ(late.code(), absl::StatusCode::kResourceExhausted);
  clock_.AdvanceBy(seconds(1));
  EXPECT_TRUE(limiter->TryAcquire());
}

TEST_F(RateLimiterTest, AnAskThatEndsSoonerShortensTheWait) {
  auto limiter = Make({.permits = 1, .per = seconds(10), .burst = 1});
  auto caller = system_.Spawn<Caller>("caller", limiter.get()).value();
  ASSERT_TRUE(limiter->TryAcquire());

  EXPECT_EQ(caller.Ask(Work{seconds(60)}, seconds(5)).code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(RateLimiterTest, AStopCancelsTheWaitAndGivesThePermitsBack) {
  auto limiter = Make({.permits = 2, .per = seconds(1), .burst = 2});
  auto caller = system_.Spawn<Caller>("caller", limiter.get()).value();
  ASSERT_TRUE(limiter->TryAcquire(2));
  caller.Tell(Work{seconds(10), 2});
  Advance(milliseconds(500));

  caller.Stop();
  Advance(milliseconds(500));

  EXPECT_TRUE(limiter->TryAcquire(2));
}

TEST_F(RateLimiterTest, APlainThreadIsServedWhileItNeedNotWait) {
  auto limiter = Make({.permits = 1});

  EXPECT_TRUE(limiter->Acquire(seconds(1)).ok());
  EXPECT_EQ(limiter->Acquire(seconds(1)).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(limiter->Acquire(seconds(1), 2).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(RateLimiterTest, RefusesNonsense) {
  const auto code = [&](RateLimiterOptions options) {
    return RateLimiter::New(clock_, options).status().code();
  };

  EXPECT_EQ(code({.permits = 0}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.per = Duration::zero()}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.burst = -1}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.permits = int64_t{1} << 40}), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace quern
