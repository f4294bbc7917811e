#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "quern/quern.h"
#include "quern/runtime/circuit_breaker.h"
#include "quern/runtime/fiber_group.h"
#include "quern/runtime/limits.h"
#include "quern/testing/fake_clock.h"

namespace quern {
namespace {

using ::testing::AnyOf;
using testing::FakeClock;
using namespace std::chrono_literals;

struct Fetch {
  int key = 0;
};
struct Release {};
struct StoreApi : Protocol<int(Fetch), void(Release)> {};

// Answers when it is told to.
struct Store : Actor<StoreApi> {
  void On(const Fetch& m, Deferred<int> reply) {
    waiting_.push_back(std::move(reply));
    keys_.push_back(m.key);
  }
  void On(const Release&) {
    for (size_t i = 0; i < waiting_.size(); ++i) waiting_[i].Answer(keys_[i] * 10);
    waiting_.clear();
    keys_.clear();
  }
  std::vector<Deferred<int>> waiting_;
  std::vector<int> keys_;
};

struct Load {
  int key = 0;
  Duration timeout = PipeOptions::kNoTimeout;
  std::shared_ptr<CircuitBreaker> breaker = nullptr;
};
// Stands for an ask that is under way.
struct Ready {
  StatusOr<int> Await() { return value; }
  int value;
};
struct LoadReady {};
struct Throw {
  std::shared_ptr<CircuitBreaker> breaker = nullptr;
};
struct Sleep {
  Duration duration;
  Duration timeout = PipeOptions::kNoTimeout;
};
struct AskMe {};
struct Fill {};
struct Nobody {};
struct Break {};
struct Busy {};
struct Results {};
struct Loaded {
  StatusOr<int> value;
};
struct LoaderApi
    : Protocol<void(Load), void(LoadReady), void(Throw), void(Sleep), void(AskMe), bool(Fill),
               absl::StatusCode(Nobody), void(Break), int(Busy), std::string(Results)> {};

struct Loader : Actor<LoaderApi, void(Loaded), void(Status)> {
  Loader(Ref<StoreApi> store, std::string* log) : store_(std::move(store)), log_(log) {}

  static Loaded Wrap(StatusOr<int> value) { return Loaded{std::move(value)}; }

  void On(const Load& m, Context& context) {
    auto fetch = [store = store_, key = m.key] { return store.Ask(Fetch{key}); };
    started_ = context.PipeTo(Self(), fetch, &Wrap, {.timeout = m.timeout, .breaker = m.breaker});
  }
  void On(const LoadReady&, Context& context) {
    started_ = context.PipeTo(Self(), Ready{3}, &Wrap);
  }
  void On(const Throw& m, Context& context) {
    auto fail = []() -> int { throw std::runtime_error("no rows"); };
    started_ = context.PipeTo(Self(), fail, &Wrap, {.breaker = m.breaker});
  }
  void On(const Sleep& m, Context& context) {
    auto nap = [duration = m.duration] { return SleepFor(duration); };
    started_ = context.PipeTo(Self(), nap, {.timeout = m.timeout});
  }
  void On(const AskMe&, Context& context) {
    auto ask = [self = Self()] { return self.Ask(Busy{}); };
    started_ = context.PipeTo(Self(), ask, &Wrap);
  }
  bool On(const Fill&, Context& context) {
    const auto nap = [] { return SleepFor(1h); };
    for (size_t i = 0; i < kPipesPerActorMax; ++i) {
      if (!context.PipeTo(Self(), nap).ok()) return false;
    }
    return absl::IsResourceExhausted(context.PipeTo(Self(), nap));
  }
  absl::StatusCode On(const Nobody&, Context& context) {
    return context.PipeTo(Ref<Handled>(), [] { return Status(); }).code();
  }
  void On(const Break&) { throw std::runtime_error("broken"); }
  int On(const Busy&) { return 77; }
  std::string On(const Results&) { return *log_; }

  void On(const Loaded& m) {
    *log_ +=
        m.value.ok() ? std::to_string(*m.value) : absl::StatusCodeToString(m.value.status().code());
    *log_ += ' ';
  }
  void On(const Status& m) { *log_ += absl::StatusCodeToString(m.code()) + ' '; }

  Ref<StoreApi> store_;
  std::string* log_;
  Status started_;
};

class PipeToTest : public ::testing::Test {
 protected:
  std::string Results() {
    system_.WaitUntilQuiet();
    return loader_.Ask(quern::Results{}).value();
  }
  void Tell(auto message) {
    loader_.Tell(std::move(message));
    system_.WaitUntilQuiet();
  }

  std::shared_ptr<CircuitBreaker> OpensAfterTwoFailures() {
    return CircuitBreaker::New(clock_, {.name = "rows", .calls_min = 2}).value();
  }

  std::string log_;
  FakeClock clock_;
  System system_{SystemOptions{.name = "test", .workers = 2, .clock = &clock_}};
  Ref<StoreApi> store_ = system_.Spawn<Store>("store").value();
  Ref<LoaderApi> loader_ = system_.Spawn<Loader>("loader", store_, &log_).value();
};

TEST_F(PipeToTest, TheResultArrivesAsAMessageAndTheActorGoesOnMeanwhile) {
  Tell(Load{4});
  Tell(Load{5});
  EXPECT_EQ(loader_.Ask(Busy{}).value(), 77);

  store_.Tell(Release{});

  // Two pipes promise no order: their handlers may have run on two workers.
  EXPECT_THAT(Results(), AnyOf("40 50 ", "50 40 "));
}

TEST_F(PipeToTest, AnAskThatIsUnderWayMayStandForTheFunction) {
  Tell(LoadReady{});

  EXPECT_EQ(Results(), "3 ");
}

TEST_F(PipeToTest, WhatItThrowsArrivesAsAFailure) {
  Tell(Throw{});

  EXPECT_EQ(Results(), "UNKNOWN ");
}

TEST_F(PipeToTest, AStatusIsAMessageOfItsOwn) {
  Tell(Sleep{10ms});
  EXPECT_EQ(Results(), "");

  clock_.AdvanceBy(10ms);

  EXPECT_EQ(Results(), "OK ");
}

TEST_F(PipeToTest, ATimeoutArrivesAsAFailure) {
  Tell(Load{4, 20ms});
  Tell(Sleep{1h, 30ms});

  clock_.AdvanceBy(20ms);
  EXPECT_EQ(Results(), "DEADLINE_EXCEEDED ");
  clock_.AdvanceBy(10ms);
  EXPECT_EQ(Results(), "DEADLINE_EXCEEDED DEADLINE_EXCEEDED ");
}

TEST_F(PipeToTest, ABreakerHearsOfFailuresAndTimeoutsAndRefusesWhatComesThen) {
  auto breaker = OpensAfterTwoFailures();
  Tell(Throw{breaker});
  Tell(Load{4, 20ms, breaker});
  clock_.AdvanceBy(20ms);
  EXPECT_EQ(Results(), "UNKNOWN DEADLINE_EXCEEDED ");
  EXPECT_EQ(breaker->state(), CircuitState::kOpen);

  Tell(Load{5, 20ms, breaker});

  EXPECT_EQ(Results(), "UNKNOWN DEADLINE_EXCEEDED UNAVAILABLE ");
  EXPECT_EQ(breaker->Stats().refused, 1u);
}

TEST_F(PipeToTest, ABreakerHearsOfAnswersAndClosesByAGoodOne) {
  auto breaker = OpensAfterTwoFailures();
  Tell(Throw{breaker});
  Tell(Throw{breaker});
  clock_.AdvanceBy(30s);

  Tell(Load{4, 1min, breaker});
  store_.Tell(Release{});

  EXPECT_EQ(Results(), "UNKNOWN UNKNOWN 40 ");
  EXPECT_EQ(breaker->state(), CircuitState::kClosed);
}

TEST_F(PipeToTest, AStopSaysNothingToTheBreaker) {
  auto breaker = OpensAfterTwoFailures();
  Tell(Load{4, 1min, breaker});

  loader_.Stop();
  system_.WaitUntilQuiet();

  EXPECT_EQ(breaker->Stats().passed, 1u);
  EXPECT_EQ(breaker->Stats().successes + breaker->Stats().failures, 0u);
}

TEST_F(PipeToTest, ItMayAskTheActorItBelongsTo) {
  Tell(AskMe{});

  EXPECT_EQ(Results(), "77 ");
}

TEST_F(PipeToTest, AStopCancelsItAndNothingArrives) {
  Tell(Load{4});
  Tell(Sleep{1h});

  loader_.Stop();
  system_.WaitUntilQuiet();
  store_.Tell(Release{});
  clock_.AdvanceBy(1h);
  system_.WaitUntilQuiet();

  EXPECT_EQ(log_, "");
  EXPECT_EQ(system_.dead_letters(DeadLetterReason::kStopped), 0u);
}

TEST_F(PipeToTest, AFailureOfTheActorCancelsItToo) {
  Tell(Sleep{10ms});

  Tell(Break{});
  clock_.AdvanceBy(1s);

  EXPECT_EQ(Results(), "");
}

TEST_F(PipeToTest, ThereIsABound) { EXPECT_TRUE(loader_.Ask(Fill{}, 1min).value()); }

TEST_F(PipeToTest, AnEmptyRefIsRefused) {
  EXPECT_EQ(loader_.Ask(Nobody{}).value(), absl::StatusCode::kNotFound);
}

TEST_F(PipeToTest, ASystemStopsWithPipesOpen) {
  Tell(Load{4});
  Tell(Sleep{1h});

  system_.Stop();

  EXPECT_EQ(log_, "");
}

}  // namespace
}  // namespace quern
