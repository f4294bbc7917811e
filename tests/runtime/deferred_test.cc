#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "quern/quern.h"
#include "quern/testing/fake_clock.h"

namespace quern {
namespace {

using testing::FakeClock;
using namespace std::chrono_literals;

struct Hold {};
struct HoldVoid {};
struct Release {
  int value = 0;
};
struct ReleaseVoid {
  Status status;
};
struct Lose {};
struct AnswerTwice {};
struct AnswerAndThrow {};
struct Throw {};
struct KeepAndThrow {};
struct Wanted {};
struct Asked {};
struct DeskApi : Protocol<int(Hold), void(HoldVoid), bool(Release), bool(ReleaseVoid), int(Lose),
                          int(AnswerTwice), int(AnswerAndThrow), int(Throw), int(KeepAndThrow),
                          bool(Wanted), bool(Asked)> {};

// Keeps the right to answer, and uses it when told.
struct Desk : Actor<DeskApi> {
  explicit Desk(std::vector<Deferred<int>>* outside = nullptr) : outside_(outside) {}

  void On(const Hold&, Deferred<int> reply) {
    if (outside_ != nullptr) {
      outside_->push_back(std::move(reply));
    } else {
      held_ = std::move(reply);
    }
  }
  void On(const HoldVoid&, Deferred<void> reply) { held_void_ = std::move(reply); }
  bool On(const Release& m) { return held_.Answer(m.value); }
  bool On(const ReleaseVoid& m) { return held_void_.Answer(m.status); }
  void On(const Lose&, Deferred<int>) {}
  void On(const AnswerTwice&, Context&, Deferred<int> reply) {
    const bool first = reply.Answer(1);
    const bool second = reply.Answer(2);
    asked_ = first && !second;
  }
  void On(const AnswerAndThrow&, Deferred<int> reply) {
    reply.Answer(5);
    throw std::runtime_error("afterwards");
  }
  void On(const Throw&, Deferred<int>) { throw std::runtime_error("no such page"); }
  void On(const KeepAndThrow&, Deferred<int> reply) {
    held_ = std::move(reply);
    throw std::runtime_error("lost");
  }
  bool On(const Wanted&) { return held_.wanted(); }
  bool On(const Asked&) { return asked_; }

  std::vector<Deferred<int>>* outside_;
  Deferred<int> held_;
  Deferred<void> held_void_;
  bool asked_ = false;
};

struct Call {};
struct CallVoid {};
struct CallFor {
  Duration timeout;
};
struct Result {};
struct CallerApi : Protocol<void(Call), void(CallVoid), void(CallFor), int(Result)> {};

// Asks a desk on a turn of its own, so that the test's thread is free to release the answer.
struct Caller : Actor<CallerApi> {
  explicit Caller(Ref<DeskApi> desk) : desk_(std::move(desk)) {}
  void On(const Call&) { result_ = desk_.Ask(Hold{}); }
  void On(const CallVoid&) {
    const Status status = desk_.Ask(HoldVoid{});
    result_ = status.ok() ? StatusOr<int>(0) : StatusOr<int>(status);
  }
  void On(const CallFor& m) { result_ = desk_.Ask(Hold{}, m.timeout); }
  StatusOr<int> On(const Result&) { return result_; }

  Ref<DeskApi> desk_;
  StatusOr<int> result_ = absl::UnknownError("nothing yet");
};

class DeferredTest : public ::testing::Test {
 protected:
  FakeClock clock_;
  System system_{SystemOptions{.name = "test", .workers = 2, .clock = &clock_}};
};

TEST_F(DeferredTest, AnswersFromALaterMessage) {
  auto desk = system_.Spawn<Desk>("desk").value();
  auto caller = system_.Spawn<Caller>("caller", desk).value();
  caller.Tell(Call{});
  system_.WaitUntilQuiet();

  EXPECT_TRUE(desk.Ask(Release{42}).value());

  EXPECT_EQ(caller.Ask(Result{}).value(), 42);
}

TEST_F(DeferredTest, AnswersAVoidAskWithAStatus) {
  auto desk = system_.Spawn<Desk>("desk").value();
  auto caller = system_.Spawn<Caller>("caller", desk).value();
  caller.Tell(CallVoid{});
  system_.WaitUntilQuiet();

  EXPECT_TRUE(desk.Ask(ReleaseVoid{absl::FailedPreconditionError("no")}).value());

  EXPECT_TRUE(absl::IsFailedPrecondition(caller.Ask(Result{}).status()));
}

TEST_F(DeferredTest, AnswersFromAnyThread) {
  std::vector<Deferred<int>> outside;
  auto desk = system_.Spawn<Desk>("desk", &outside).value();
  auto caller = system_.Spawn<Caller>("caller", desk).value();
  caller.Tell(Call{});
  system_.WaitUntilQuiet();

  std::thread([reply = std::move(outside.front())]() mutable { reply.Answer(7); }).join();

  EXPECT_EQ(caller.Ask(Result{}).value(), 7);
}

TEST_F(DeferredTest, DroppedUnansweredIsAborted) {
  auto desk = system_.Spawn<Desk>("desk").value();

  EXPECT_TRUE(absl::IsAborted(desk.Ask(Lose{}).status()));
}

TEST_F(DeferredTest, DroppedLaterIsAborted) {
  std::vector<Deferred<int>> outside;
  auto desk = system_.Spawn<Desk>("desk", &outside).value();
  auto caller = system_.Spawn<Caller>("caller", desk).value();
  caller.Tell(Call{});
  system_.WaitUntilQuiet();

  outside.clear();

  EXPECT_TRUE(absl::IsAborted(caller.Ask(Result{}).status()));
}

TEST_F(DeferredTest, OnlyTheFirstAnswerReachesTheAsker) {
  auto desk = system_.Spawn<Desk>("desk").value();

  EXPECT_EQ(desk.Ask(AnswerTwice{}).value(), 1);
  EXPECT_TRUE(desk.Ask(Asked{}).value());
}

TEST_F(DeferredTest, AnAnswerAfterTheAskerHasGoneIsDroppedAndCounted) {
  std::vector<Deferred<int>> outside;
  auto desk = system_.Spawn<Desk>("desk", &outside).value();
  auto caller = system_.Spawn<Caller>("caller", desk).value();
  caller.Tell(CallFor{10ms});
  system_.WaitUntilQuiet();
  EXPECT_TRUE(outside.front().wanted());

  clock_.AdvanceBy(10ms);
  EXPECT_TRUE(absl::IsDeadlineExceeded(caller.Ask(Result{}).status()));

  EXPECT_FALSE(outside.front().wanted());
  EXPECT_EQ(system_.dead_letters(), 0u);
  EXPECT_FALSE(outside.front().Answer(1));
  EXPECT_EQ(system_.dead_letters(), 1u);
  EXPECT_FALSE(outside.front().Answer(1));
  EXPECT_EQ(system_.dead_letters(), 1u);
}

TEST_F(DeferredTest, ATellHasNothingToAnswer) {
  std::vector<Deferred<int>> outside;
  auto desk = system_.Spawn<Desk>("desk", &outside).value();

  desk.Tell(Hold{});
  system_.WaitUntilQuiet();

  EXPECT_FALSE(outside.front());
  EXPECT_FALSE(outside.front().wanted());
  EXPECT_FALSE(outside.front().Answer(1));
  EXPECT_EQ(system_.dead_letters(), 0u);
}

TEST_F(DeferredTest, AThrowInTheHandlerReachesTheAsker) {
  auto desk = system_.Spawn<Desk>("desk").value();

  const Status status = desk.Ask(Throw{}).status();

  EXPECT_EQ(status.code(), absl::StatusCode::kUnknown);
  EXPECT_NE(status.message().find("no such page"), absl::string_view::npos) << status;
}

TEST_F(DeferredTest, AThrowAfterTheAnswerChangesNothingForTheAsker) {
  auto desk = system_.Spawn<Desk>("desk").value();

  EXPECT_EQ(desk.Ask(AnswerAndThrow{}).value(), 5);
}

TEST_F(DeferredTest, OneKeptInAnActorThatFailsIsAborted) {
  auto desk = system_.Spawn<Desk>("desk").value();

  EXPECT_TRUE(absl::IsAborted(desk.Ask(KeepAndThrow{}).status()));
}

TEST_F(DeferredTest, OneKeptInAnActorThatStopsIsAborted) {
  auto desk = system_.Spawn<Desk>("desk").value();
  auto caller = system_.Spawn<Caller>("caller", desk).value();
  caller.Tell(Call{});
  system_.WaitUntilQuiet();
  EXPECT_TRUE(desk.Ask(Wanted{}).value());

  desk.Stop();

  EXPECT_TRUE(absl::IsAborted(caller.Ask(Result{}).status()));
}

TEST(DeferredLifetimeTest, OutlivesItsSystem) {
  std::vector<Deferred<int>> outside;
  FakeClock clock;
  {
    System system({.name = "test", .workers = 1, .clock = &clock});
    auto desk = system.Spawn<Desk>("desk", &outside).value();
    system.Spawn<Caller>("caller", desk).value().Tell(Call{});
    system.WaitUntilQuiet();
  }

  EXPECT_FALSE(outside.front().wanted());
  EXPECT_FALSE(outside.front().Answer(1));
}

// Answers from one thread race the timeouts of the askers.
TEST(DeferredRaceTest, EachAskIsAnsweredOnceOrTimesOut) {
  constexpr int kRounds = 200;
  FakeClock clock;
  System system({.name = "test", .workers = 2, .clock = &clock});
  std::vector<Deferred<int>> outside;
  auto desk = system.Spawn<Desk>("desk", &outside).value();
  auto caller = system.Spawn<Caller>("caller", desk).value();

  for (int i = 0; i < kRounds; ++i) {
    caller.Tell(CallFor{1ms});
    system.WaitUntilQuiet();
    bool taken = false;
    std::thread answer([&] { taken = outside.back().Answer(i); });
    clock.AdvanceBy(1ms);
    answer.join();
    const StatusOr<int> result = caller.Ask(Result{});

    ASSERT_EQ(result.ok(), taken) << result.status();
    ASSERT_EQ(result.value_or(i), i);
  }
}

}  // namespace
}  // namespace quern
