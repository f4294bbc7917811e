#include "quern/runtime/circuit_breaker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "quern/runtime/limits.h"
#include "quern/testing/fake_clock.h"

namespace quern {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::FakeClock;

class CircuitBreakerTest : public ::testing::Test {
 protected:
  std::unique_ptr<CircuitBreaker> Make(CircuitBreakerOptions options = {}) {
    options.name = "rates";
    options.listener = [this](CircuitState from, CircuitState to) {
      changes_ +=
          std::string(CircuitStateName(from)) + " > " + std::string(CircuitStateName(to)) + "; ";
    };
    return CircuitBreaker::New(clock_, std::move(options)).value();
  }
  static void Run(CircuitBreaker& breaker, int times, const Status& answer) {
    for (int i = 0; i < times; ++i) breaker.Call([&] { return answer; }).IgnoreError();
  }

  const Status down_ = absl::UnavailableError("down");
  FakeClock clock_;
  std::string changes_;
};

TEST_F(CircuitBreakerTest, OpensWhenHalfOfAtLeastTenCallsFailed) {
  auto breaker = Make();

  Run(*breaker, 9, down_);
  EXPECT_EQ(breaker->state(), CircuitState::kClosed);
  Run(*breaker, 1, absl::OkStatus());
  EXPECT_EQ(breaker->state(), CircuitState::kClosed);  // a success opens nothing
  Run(*breaker, 1, down_);

  EXPECT_EQ(breaker->state(), CircuitState::kOpen);
  EXPECT_EQ(changes_, "closed > open; ");
}

TEST_F(CircuitBreakerTest, StaysClosedBelowItsShareOfFailures) {
  auto breaker = Make();

  Run(*breaker, 51, absl::OkStatus());
  Run(*breaker, 50, down_);
  EXPECT_EQ(breaker->state(), CircuitState::kClosed);
  Run(*breaker, 1, down_);

  EXPECT_EQ(breaker->state(), CircuitState::kOpen);
}

TEST_F(CircuitBreakerTest, RefusesWithoutCallingWhileOpenAndSaysForHowLong) {
  auto breaker = Make();
  Run(*breaker, 10, down_);
  clock_.AdvanceBy(seconds(10));
  int calls = 0;

  const Status refused = breaker->Call([&] {
    ++calls;
    return absl::OkStatus();
  });

  EXPECT_EQ(refused, absl::UnavailableError("rates: open for another 20000 ms"));
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(breaker->Stats().refused, 1u);
}

TEST_F(CircuitBreakerTest, LetsOneProbeThroughWhenItsTimeIsOver) {
  auto breaker = Make();
  Run(*breaker, 10, down_);
  clock_.AdvanceBy(seconds(30));
  EXPECT_EQ(breaker->state(), CircuitState::kHalfOpen);

  auto probe = breaker->Allow();
  ASSERT_TRUE(probe.ok());
  EXPECT_EQ(breaker->Allow().status(),
            absl::UnavailableError("rates: waiting for its probe to answer"));
  probe->Succeeded();

  EXPECT_EQ(breaker->state(), CircuitState::kClosed);
  EXPECT_EQ(breaker->Stats().failures, 0u);
  EXPECT_EQ(changes_, "closed > open; open > half-open; half-open > closed; ");
}

TEST_F(CircuitBreakerTest, AFailedProbeOpensItAgainForTheWholeTime) {
  auto breaker = Make();
  Run(*breaker, 10, down_);
  clock_.AdvanceBy(seconds(30));

  Run(*breaker, 1, down_);
  clock_.AdvanceBy(milliseconds(29'999));
  EXPECT_EQ(breaker->state(), CircuitState::kOpen);
  clock_.AdvanceBy(milliseconds(1));

  EXPECT_EQ(breaker->state(), CircuitState::kHalfOpen);
  EXPECT_EQ(breaker->Stats().opened, 2u);
}

TEST_F(CircuitBreakerTest, AProbeThatIsDroppedOrCancelledMakesRoomForTheNext) {
  auto breaker = Make();
  Run(*breaker, 10, down_);
  clock_.AdvanceBy(seconds(30));

  {
    auto dropped = breaker->Allow();
  }
  Run(*breaker, 1, absl::CancelledError());
  Run(*breaker, 1, absl::OkStatus());

  EXPECT_EQ(breaker->state(), CircuitState::kClosed);
}

TEST_F(CircuitBreakerTest, AsManyProbesAsAreAskedForMustSucceed) {
  auto breaker = Make({.probes = 2});
  Run(*breaker, 10, down_);
  clock_.AdvanceBy(seconds(30));

  Run(*breaker, 1, absl::OkStatus());
  EXPECT_EQ(breaker->state(), CircuitState::kHalfOpen);
  Run(*breaker, 1, absl::OkStatus());

  EXPECT_EQ(breaker->state(), CircuitState::kClosed);
}

TEST_F(CircuitBreakerTest, ForgetsABucketAtATime) {
  auto breaker = Make();
  Run(*breaker, 5, down_);
  clock_.AdvanceBy(seconds(30));
  Run(*breaker, 4, down_);
  EXPECT_EQ(breaker->Stats().failures, 9u);

  clock_.AdvanceBy(seconds(30));

  EXPECT_EQ(breaker->Stats().failures, 4u);
  clock_.AdvanceBy(seconds(60));
  EXPECT_EQ(breaker->Stats().failures, 0u);
}

TEST_F(CircuitBreakerTest, ACallFromBeforeTheLastChangeIsNotCounted) {
  auto breaker = Make();
  auto early = breaker->Allow();
  Run(*breaker, 10, down_);
  clock_.AdvanceBy(seconds(30));
  ASSERT_EQ(breaker->state(), CircuitState::kHalfOpen);

  early->Failed();

  EXPECT_EQ(breaker->state(), CircuitState::kHalfOpen);
}

TEST_F(CircuitBreakerTest, WhatAHealthyServiceAnswersIsNoFailure) {
  auto breaker = Make();

  Run(*breaker, 20, absl::NotFoundError("no such rate"));
  Run(*breaker, 20, absl::InvalidArgumentError("EURO"));
  Run(*breaker, 100, absl::CancelledError());

  EXPECT_EQ(breaker->state(), CircuitState::kClosed);
  EXPECT_EQ(breaker->Stats().successes, 40u);
  EXPECT_EQ(breaker->Stats().failures, 0u);
}

TEST_F(CircuitBreakerTest, AnExceptionIsAFailureAndGoesOn) {
  auto breaker = Make();

  for (int i = 0; i < 10; ++i) {
    EXPECT_THROW(breaker->Call([]() -> Status { throw std::runtime_error("boom"); }).IgnoreError(),
                 std::runtime_error);
  }

  EXPECT_EQ(breaker->state(), CircuitState::kOpen);
}

TEST_F(CircuitBreakerTest, AFallbackAnswersForFailuresAndRefusals) {
  auto breaker = Make();
  const auto call = [&] {
    return breaker->Call(
        [&]() -> StatusOr<int> { return down_; },
        [](const Status& why) -> StatusOr<int> { return why.message() == "down" ? 1 : 2; });
  };

  for (int i = 0; i < 10; ++i) EXPECT_EQ(call().value(), 1);

  EXPECT_EQ(call().value(), 2);
}

TEST_F(CircuitBreakerTest, CountsExactlyFromManyThreads) {
  auto breaker = Make();
  std::vector<std::thread> threads;

  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] { Run(*breaker, 1000, absl::OkStatus()); });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(breaker->Stats().successes, 4000u);
  EXPECT_EQ(breaker->Stats().passed, 4000u);
}

TEST_F(CircuitBreakerTest, RefusesNonsense) {
  const auto code = [&](CircuitBreakerOptions options) {
    return CircuitBreaker::New(clock_, std::move(options)).status().code();
  };

  EXPECT_EQ(code({.failure_share = 0}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.failure_share = 1.1}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.calls_min = 0}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.window = Duration::zero()}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.buckets = 0}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.buckets = kBreakerBucketsMax + 1}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.open_for = Duration::zero()}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.probes = 0}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.buckets = kBreakerBucketsMax}), absl::StatusCode::kOk);
}

}  // namespace
}  // namespace quern
