#include "actor/dead_letters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>

#include "collecting_logger.h"
#include "quern/quern.h"
#include "quern/testing/fake_clock.h"
#include "system/system_core.h"

namespace quern {
namespace {

using ::testing::ElementsAre;
using testing::FakeClock;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

struct Note {
  int number;
};
struct Pass {};
struct Reject {};
struct SinkApi : Protocol<void(Note), void(Reject)> {};
struct Sink : Actor<SinkApi> {
  void On(const Note&) {}
  Status On(const Reject&) { return absl::FailedPreconditionError("not now"); }
};

// Tells a Note to another actor.
struct RelayApi : Protocol<bool(Pass)> {};
struct Relay : Actor<RelayApi> {
  explicit Relay(Ref<SinkApi> to) : to_(std::move(to)) {}
  bool On(const Pass&) { return to_.Tell(Note{1}) == Delivery::kAccepted; }
  Ref<SinkApi> to_;
};

// Takes dead letters as messages.
struct UndertakerApi : Protocol<void(DeadLetter)> {};
struct Undertaker : Actor<UndertakerApi> {
  void On(const DeadLetter&) {}
};

std::string Print(const DeadLetter& d) {
  const std::string message = d.message.substr(d.message.rfind(':') + 1);
  return absl::StrCat(d.sender, ">", d.target, " ", message, " ",
                      std::string(DeadLetterReasonName(d.reason)), d.why.empty() ? "" : ": ",
                      d.why);
}

class DeadLettersTest : public ::testing::Test {
 protected:
  std::vector<std::string> Recent() {
    std::vector<std::string> printed;
    for (const DeadLetter& d : system_.RecentDeadLetters()) printed.push_back(Print(d));
    return printed;
  }
  Ref<SinkApi> SpawnStopped() {
    auto sink = system_.Spawn<Sink>("sink").value();
    sink.Stop();
    system_.WaitUntilQuiet();
    return sink;
  }
  void Add(std::string_view target, DeadLetterReason reason = DeadLetterReason::kStopped) {
    system_.core()->dead_letters().Add({.reason = reason, .target = target, .message = "M"});
  }

  FakeClock clock_;
  CollectingLogger logger_;
  System system_{SystemOptions{
      .name = "test", .workers = 1, .clock = &clock_, .logger = &logger_, .dead_letters_kept = 4}};
};

TEST_F(DeadLettersTest, ATellToAStoppedActorIsOne) {
  auto sink = SpawnStopped();

  EXPECT_EQ(sink.Tell(Note{1}), Delivery::kStopped);

  EXPECT_THAT(Recent(), ElementsAre(">/sink Note stopped"));
  EXPECT_EQ(system_.dead_letters(DeadLetterReason::kStopped), 1u);
}

TEST_F(DeadLettersTest, NamesTheSender) {
  auto relay = system_.Spawn<Relay>("relay", SpawnStopped()).value();

  EXPECT_FALSE(relay.Ask(Pass{}).value());

  EXPECT_THAT(Recent(), ElementsAre("/relay>/sink Note stopped"));
}

TEST_F(DeadLettersTest, ATellWhoseHandlerReturnsAnErrorIsOne) {
  auto sink = system_.Spawn<Sink>("sink").value();

  sink.Tell(Reject{});
  system_.WaitUntilQuiet();

  EXPECT_THAT(Recent(), ElementsAre(">/sink Reject failed: not now"));
}

TEST_F(DeadLettersTest, AnAskThatFailsIsNone) {
  EXPECT_TRUE(absl::IsUnavailable(SpawnStopped().Ask(Note{1})));

  EXPECT_EQ(system_.dead_letters(), 0u);
}

TEST_F(DeadLettersTest, WhatTheStopOfTheSystemDropsIsCountedAndNotLogged) {
  auto sink = SpawnStopped();
  system_.Stop();

  sink.Tell(Note{1});

  EXPECT_EQ(system_.dead_letters(DeadLetterReason::kSystemStopping), 1u);
  EXPECT_EQ(logger_.Count("message not delivered"), 0u);
}

TEST_F(DeadLettersTest, TheRingKeepsTheLast) {
  for (int i = 0; i < 6; ++i) Add(absl::StrCat("/t", i));

  EXPECT_THAT(Recent(),
              ElementsAre(">/t2 M stopped", ">/t3 M stopped", ">/t4 M stopped", ">/t5 M stopped"));
  EXPECT_EQ(system_.dead_letters(), 6u);
}

TEST_F(DeadLettersTest, AGroupIsLoggedOnceInAWhileWithItsCountAndAdvice) {
  for (int i = 0; i < 5; ++i) Add("/t", DeadLetterReason::kFull);
  EXPECT_EQ(logger_.Count("times=1"), 1u);
  clock_.AdvanceBy(kDeadLetterLogEvery);

  Add("/t", DeadLetterReason::kFull);

  EXPECT_EQ(logger_.Count("message not delivered"), 2u);
  EXPECT_THAT(logger_.lines().back(), HasSubstr("times=5"));
  EXPECT_THAT(logger_.lines().back(), HasSubstr("reason=full"));
  EXPECT_THAT(logger_.lines().back(), HasSubstr("Slow the sender down"));
}

TEST_F(DeadLettersTest, ReasonsAreGroupsOfTheirOwn) {
  Add("/t", DeadLetterReason::kFull);
  Add("/t", DeadLetterReason::kStopped);

  EXPECT_EQ(logger_.Count("message not delivered"), 2u);
}

TEST_F(DeadLettersTest, BeyondTheBoundGroupsShareALineAndSilentOnesMakeRoom) {
  for (size_t i = 0; i < kDeadLetterGroupsMax + 10; ++i) Add(absl::StrCat("/t", i));
  EXPECT_EQ(logger_.Count("message not delivered"), kDeadLetterGroupsMax + 1);
  EXPECT_EQ(logger_.Count("(others)"), 1u);
  clock_.AdvanceBy(kDeadLetterLogEvery);

  Add("/fresh");

  EXPECT_THAT(logger_.lines().back(), HasSubstr("target=/fresh"));
}

TEST_F(DeadLettersTest, EachIsAnEvent) {
  auto letters = system_.events().Subscribe<DeadLetter>().value();

  SpawnStopped().Tell(Note{1});

  EXPECT_EQ(Print(letters.Next(0s).value()), ">/sink Note stopped");
}

TEST_F(DeadLettersTest, AStoppedSubscriberOfDeadLettersMakesNoEndlessRound) {
  auto undertaker = system_.Spawn<Undertaker>("undertaker").value();
  auto subscription = system_.events().Subscribe<DeadLetter>(undertaker).value();
  undertaker.Stop();
  system_.WaitUntilQuiet();

  Add("/t");

  EXPECT_EQ(system_.dead_letters(), 2u);  // and the event itself
  EXPECT_FALSE(subscription.active());
}

TEST_F(DeadLettersTest, EveryReasonHasANameAndAdvice) {
  std::vector<std::string_view> names;
  for (size_t i = 0; i < kDeadLetterReasons; ++i) {
    const auto reason = static_cast<DeadLetterReason>(i);
    names.push_back(DeadLetterReasonName(reason));
    EXPECT_TRUE(DeadLetterAdvice(reason).ends_with('.'));
  }

  EXPECT_THAT(names, ElementsAre("stopped", "system_stopping", "full", "dropped", "unhandled",
                                 "expired", "poison", "failed", "not_found", "unreachable"));
}

TEST_F(DeadLettersTest, AReasonIsReadFromAStatus) {
  EXPECT_EQ(DeadLetterReasonOf(absl::NotFoundError("")), DeadLetterReason::kNotFound);
  EXPECT_EQ(DeadLetterReasonOf(absl::UnavailableError("")), DeadLetterReason::kUnreachable);
  EXPECT_EQ(DeadLetterReasonOf(absl::ResourceExhaustedError("")), DeadLetterReason::kFull);
  EXPECT_EQ(DeadLetterReasonOf(absl::DeadlineExceededError("")), DeadLetterReason::kExpired);
  EXPECT_EQ(DeadLetterReasonOf(absl::InternalError("")), DeadLetterReason::kFailed);
}

}  // namespace
}  // namespace quern
