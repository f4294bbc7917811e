#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "life_test_kit.h"
#include "quern/runtime/supervision.h"

namespace quern {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using namespace std::chrono_literals;

class SupervisorTest : public LifeTest {};

constexpr RestartBackoff kAtOnce{.min = Duration::zero(), .max = Duration::zero()};
// Restarts without a pause.
Supervisor Prompt() { return Supervisor().Otherwise(Directive::kRestart).Backoff(kAtOnce); }

TEST_F(SupervisorTest, StopEndsTheActorAndItsChildrenAndFreesTheName) {
  auto boss = Spawn("boss");
  auto child = SpawnUnder(boss, "child", {.supervisor = Directive::kStop});
  auto grandchild = SpawnUnder(child, "grandchild");

  child.Tell(Crash{});
  Settle();

  EXPECT_THAT(diary_.Take(), ElementsAre("child gone", "grandchild stopped", "grandchild gone"));
  EXPECT_EQ(grandchild.Tell(Count{}), Delivery::kStopped);
  EXPECT_EQ(CountOf(boss), 1);
  EXPECT_TRUE(boss.Ask(Adopt{"child"}).ok());
}

TEST_F(SupervisorTest, ResumeKeepsTheObject) {
  auto actor = Spawn("a", {.supervisor = Directive::kResume});
  EXPECT_EQ(CountOf(actor), 1);

  EXPECT_EQ(actor.Ask(Crash{}).code(), absl::StatusCode::kUnknown);

  EXPECT_EQ(CountOf(actor), 2);
  EXPECT_THAT(diary_.Take(), IsEmpty());
  EXPECT_EQ(logger_.Count("actor failed and resumes"), 1u);
}

TEST_F(SupervisorTest, RestartKeepsTheRefAndCountsOnce) {
  auto actor = Spawn("a", {.supervisor = Prompt()});
  EXPECT_EQ(CountOf(actor), 1);

  actor.Tell(Crash{});

  EXPECT_EQ(CountOf(actor), 1);
  EXPECT_EQ(actor.Ask(Restarts{}).value(), 1);
  EXPECT_THAT(diary_.Take(), ElementsAre("a gone", "a started"));
}

TEST_F(SupervisorTest, TheFirstRuleThatMatchesTheExceptionDecides) {
  auto actor = Spawn("a", {.supervisor = Prompt()
                                             .On<std::domain_error>(Directive::kResume)
                                             .On<std::logic_error>(Directive::kStop)});
  EXPECT_EQ(CountOf(actor), 1);

  actor.Tell(Crash{Crash::kDomain});  // a logic_error too
  EXPECT_EQ(CountOf(actor), 2);
  actor.Tell(Crash{Crash::kRuntime});
  EXPECT_EQ(CountOf(actor), 1);
  actor.Tell(Crash{Crash::kNoException});
  EXPECT_EQ(CountOf(actor), 1);
  actor.Tell(Crash{Crash::kOutOfRange});
  EXPECT_EQ(CountOf(actor), -1);
}

TEST_F(SupervisorTest, OtherwiseAppliesToEveryError) {
  for (auto kind : {Crash::kRuntime, Crash::kDomain, Crash::kNoException, Crash::kBadStatus}) {
    auto actor = Spawn("a", {.supervisor = Directive::kStop});
    actor.Tell(Crash{kind});
    Settle();
    EXPECT_EQ(CountOf(actor), -1);
  }
}

TEST_F(SupervisorTest, AStatusCodeMatchesWhatAValueThrew) {
  auto actor = Spawn("a", {.supervisor = Supervisor()
                                             .On(absl::StatusCode::kUnavailable, Directive::kResume)
                                             .Otherwise(Directive::kStop)});

  actor.Tell(Crash{Crash::kBadStatus});
  EXPECT_EQ(CountOf(actor), 1);
  actor.Tell(Crash{Crash::kRuntime});
  EXPECT_EQ(CountOf(actor), -1);
}

TEST_F(SupervisorTest, AReturnedErrorIsAnAnswerUnlessAskedOtherwise) {
  auto lenient = Spawn("lenient", {.supervisor = Directive::kStop});
  auto strict = Spawn(
      "strict",
      {.supervisor =
           Supervisor().On(absl::StatusCode::kDataLoss, Directive::kStop).FailOnReturnedErrors()});

  lenient.Tell(ReturnError{});
  EXPECT_EQ(strict.Ask(ReturnError{}).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(CountOf(lenient), 1);
  EXPECT_EQ(CountOf(strict), 1);
  strict.Tell(ReturnError{});

  EXPECT_EQ(CountOf(strict), -1);
}

TEST_F(SupervisorTest, NoMatchingRuleRestartsLoudly) {
  auto events = system_.events().Subscribe<ActorUnsupervised>().value();
  auto actor = Spawn(
      "a", {.supervisor = Supervisor().On<std::domain_error>(Directive::kStop).Backoff(kAtOnce)});

  actor.Tell(Crash{Crash::kRuntime});

  EXPECT_EQ(CountOf(actor), 1);
  EXPECT_THAT(diary_.Take(), ElementsAre("a gone", "a started"));
  EXPECT_EQ(events.TryNext().value().path, "/a");
  EXPECT_EQ(
      logger_.Count("no rule of the supervisor matches this failure; the actor restarts. Give "
                    "the supervisor a rule for it, or an Otherwise()"),
      1u);
}

TEST_F(SupervisorTest, OneForAllStopsTheSiblings) {
  const auto all = Supervisor(Directive::kStop).For(Strategy::kOneForAll);
  auto boss = Spawn("boss");
  auto first = SpawnUnder(boss, "first", {.supervisor = all});
  auto second = SpawnUnder(boss, "second", {.supervisor = all});

  second.Tell(Crash{});
  Settle();

  EXPECT_EQ(CountOf(first), -1);
  EXPECT_EQ(CountOf(second), -1);
  EXPECT_EQ(CountOf(boss), 1);
}

TEST_F(SupervisorTest, OneForAllRestartsTheSiblings) {
  auto boss = Spawn("boss");
  auto first = SpawnUnder(boss, "first");
  auto second = SpawnUnder(boss, "second", {.supervisor = Prompt().For(Strategy::kOneForAll)});
  EXPECT_EQ(CountOf(first), 1);

  second.Tell(Crash{});
  Settle();

  EXPECT_THAT(diary_.Take(), UnorderedElementsAre("second gone", "second started", "first stopped",
                                                  "first gone", "first started"));
  EXPECT_EQ(first.Ask(Restarts{}).value(), 1);
  EXPECT_EQ(boss.Ask(Restarts{}).value(), 0);
}

TEST_F(SupervisorTest, RestForOneTakesTheSiblingsSpawnedAfterTheFailedOne) {
  auto boss = Spawn("boss");
  auto before = SpawnUnder(boss, "before");
  auto failing = SpawnUnder(boss, "failing", {.supervisor = Prompt().For(Strategy::kRestForOne)});
  auto after = SpawnUnder(boss, "after");

  failing.Tell(Crash{});
  Settle();

  EXPECT_EQ(before.Ask(Restarts{}).value(), 0);
  EXPECT_EQ(failing.Ask(Restarts{}).value(), 1);
  EXPECT_EQ(after.Ask(Restarts{}).value(), 1);
}

TEST_F(SupervisorTest, ARestartKeepsTheSubtree) {
  auto boss = Spawn("boss", {.supervisor = Prompt()});
  auto child = SpawnUnder(boss, "child");
  auto grandchild = SpawnUnder(child, "grandchild");
  EXPECT_EQ(CountOf(grandchild), 1);

  boss.Tell(Crash{});
  Settle();

  EXPECT_THAT(diary_.Take(), ElementsAre("boss gone", "boss started", "child stopped", "child gone",
                                         "child started", "grandchild stopped", "grandchild gone",
                                         "grandchild started"));
  for (const auto& ref : {boss, child, grandchild}) {
    EXPECT_EQ(CountOf(ref), 1) << ref.path();
    EXPECT_EQ(ref.Ask(Restarts{}).value(), 1) << ref.path();
  }
  EXPECT_EQ(boss.Ask(Adopt{"child"}).status().code(), absl::StatusCode::kAlreadyExists);
}

struct Fill : Actor<LifeApi> {  // the handlers that a test does not care for
  int On(const Count&) { return 0; }
  void On(const Crash&) { throw std::runtime_error("runtime"); }
  void On(const ReturnError&) {}
  Status AdoptNothing() { return absl::UnimplementedError("no"); }
  StatusOr<Ref<LifeApi>> On(const Adopt&) { return AdoptNothing(); }
  void On(const OrderSelf&) {}
  int64_t On(const Restarts&, Context& context) { return static_cast<int64_t>(context.restarts()); }
};

TEST_F(SupervisorTest, ChildrenThatOnStartSpawnsAreSpawnedAnew) {
  struct Parent : Fill {
    explicit Parent(Diary* diary) : diary_(diary) {}
    Status OnStart(Context& context) {
      return context.Spawn<LifeActor>("child", diary_, "child").status();
    }
    Diary* diary_;
  };
  auto parent = system_.Spawn<Parent>({.supervisor = Prompt()}, "parent", &diary_).value();
  Settle();

  parent.Tell(Crash{});
  Settle();

  EXPECT_THAT(diary_.Take(),
              ElementsAre("child started", "child stopped", "child gone", "child started"));
  EXPECT_EQ(parent.Ask(Restarts{}).value(), 1);
}

TEST_F(SupervisorTest, TheBudgetEndsInAStop) {
  auto actor = Spawn("a", {.supervisor = Prompt().Restarts(2, 10s)});

  for (int i = 0; i < 2; ++i) {
    actor.Tell(Crash{});
    EXPECT_EQ(CountOf(actor), 1);
  }
  actor.Tell(Crash{});

  EXPECT_EQ(CountOf(actor), -1);
  EXPECT_EQ(logger_.Count("actor failed and stops"), 1u);
}

TEST_F(SupervisorTest, AWindowThatHasPassedRenewsTheBudget) {
  auto actor = Spawn("a", {.supervisor = Prompt().Restarts(1, 10s)});

  for (int i = 0; i < 5; ++i) {
    actor.Tell(Crash{});
    EXPECT_EQ(CountOf(actor), 1);
    Advance(10s);
  }

  EXPECT_EQ(actor.Ask(Restarts{}).value(), 5);
}

TEST_F(SupervisorTest, TheBackoffDoublesUpToItsMaxAndHoldsUpNobody) {
  const auto patient = Supervisor().Backoff({.min = 100ms, .max = 300ms, .reset_after = 10s});
  auto boss = Spawn("boss");
  auto child = SpawnUnder(boss, "child", {.supervisor = patient});

  int answered = 0;
  for (Duration pause : {100ms, 200ms, 300ms, 300ms}) {
    child.Tell(Crash{});
    Settle();
    Advance(pause - 1ms);
    EXPECT_THAT(diary_.Take(), ElementsAre("child gone"));
    EXPECT_EQ(CountOf(boss), ++answered);
    Advance(1ms);
    EXPECT_THAT(diary_.Take(), ElementsAre("child started"));
  }
  Advance(10s);
  child.Tell(Crash{});
  Settle();
  Advance(100ms);
  EXPECT_THAT(diary_.Take(), ElementsAre("child gone", "child started"));
}

TEST_F(SupervisorTest, AnEscalationFailsTheParentWithTheChildsNameAndMessage) {
  auto failures = system_.events().Subscribe<ActorFailed>().value();
  auto boss = Spawn("boss", {.supervisor = Directive::kStop});
  auto child = SpawnUnder(boss, "child", {.supervisor = Directive::kEscalate});

  child.Tell(Crash{});
  Settle();

  EXPECT_EQ(failures.TryNext().value().path, "/boss/child");
  const ActorFailed failed = failures.TryNext().value();
  EXPECT_EQ(failed.path, "/boss");
  EXPECT_THAT(failed.why.ToString(), HasSubstr("/boss/child failed on"));
  EXPECT_THAT(failed.why.ToString(), HasSubstr("Crash"));
  EXPECT_EQ(CountOf(boss), -1);
  EXPECT_EQ(CountOf(child), -1);
}

TEST_F(SupervisorTest, WhatTheParentDecidesHoldsForTheChildThatEscalated) {
  const auto by_type = Prompt().On<std::domain_error>(Directive::kResume);
  auto boss = Spawn("boss", {.supervisor = by_type});
  auto child = SpawnUnder(boss, "child", {.supervisor = Directive::kEscalate});
  EXPECT_EQ(CountOf(child), 1);

  child.Tell(Crash{Crash::kDomain});
  EXPECT_EQ(CountOf(child), 2);
  EXPECT_EQ(CountOf(boss), 1);
  child.Tell(Crash{Crash::kRuntime});
  Settle();

  EXPECT_EQ(CountOf(child), 1);
  EXPECT_EQ(CountOf(boss), 1);
  EXPECT_EQ(child.Ask(Restarts{}).value(), 1);
}

TEST_F(SupervisorTest, AChainOfEscalationsIsDecidedByTheFirstWhoKnows) {
  auto top = Spawn("top", {.supervisor = Directive::kResume});
  auto middle = SpawnUnder(top, "middle", {.supervisor = Directive::kEscalate});
  auto bottom = SpawnUnder(middle, "bottom", {.supervisor = Directive::kEscalate});
  for (const auto& ref : {top, middle, bottom}) EXPECT_EQ(CountOf(ref), 1);

  bottom.Tell(Crash{});

  for (const auto& ref : {bottom, middle, top}) EXPECT_EQ(CountOf(ref), 2);
}

TEST_F(SupervisorTest, AStartThatEscalatesAndIsResumedHasItsTriesAllTheSame) {
  struct Broken : Fill {
    explicit Broken(Diary* diary) { diary->Write("made"), throw std::runtime_error("never"); }
  };
  struct Parent : Fill {
    explicit Parent(Diary* diary) : diary_(diary) {}
    Status OnStart(Context& context) {
      return context.Spawn<Broken>({.supervisor = Directive::kEscalate}, "broken", diary_).status();
    }
    Diary* diary_;
  };
  auto parent = system_.Spawn<Parent>({.supervisor = Directive::kResume}, "p", &diary_).value();
  Settle();
  for (int i = 0; i < 10; ++i) Advance(1s);

  EXPECT_EQ(diary_.Take().size(), static_cast<size_t>(kStartTriesDefault));
  EXPECT_EQ(parent.Ask(Count{}).value(), 0);
}

TEST_F(SupervisorTest, ASpentBudgetMayEscalate) {
  auto boss = Spawn("boss", {.supervisor = Directive::kStop});
  auto child =
      SpawnUnder(boss, "child", {.supervisor = Prompt().Restarts(0, 1s, Directive::kEscalate)});

  child.Tell(Crash{});
  Settle();

  EXPECT_EQ(CountOf(boss), -1);
}

TEST_F(SupervisorTest, AnEscalationToTheRootStopsTheSystem) {
  auto bystander = Spawn("bystander");
  auto actor = Spawn("a", {.supervisor = Directive::kEscalate});

  actor.Tell(Crash{});
  const Status why = system_.WaitUntilStopping();

  EXPECT_THAT(why.ToString(), HasSubstr("/a failed on"));
  EXPECT_THAT(diary_.Take(),
              UnorderedElementsAre("a stopped", "a gone", "bystander stopped", "bystander gone"));
  EXPECT_EQ(system_.Spawn<LifeActor>("b", &diary_, "b").status().code(),
            absl::StatusCode::kUnavailable);
  system_.Stop();
  EXPECT_EQ(logger_.Count("a failure has reached the root: every actor stops"), 1u);
}

TEST_F(SupervisorTest, WaitingForTheEndReturnsOkAfterAStop) {
  system_.Stop();

  EXPECT_TRUE(system_.WaitUntilStopping().ok());
}

TEST_F(SupervisorTest, NonsenseIsRefusedAtTheSpawn) {
  Supervisor crowded;
  for (size_t i = 0; i <= kSupervisorRulesMax; ++i) {
    crowded = crowded.On<std::domain_error>(Directive::kStop);
  }
  const std::vector<Supervisor> wrong = {
      crowded,
      Supervisor().Restarts(-1, 1s),
      Supervisor().Restarts(1, -1s),
      Supervisor().Restarts(1, 1s, Directive::kResume),
      Supervisor().Backoff({.min = 2s, .max = 1s}),
      Supervisor().Backoff({.min = -1s, .max = 1s}),
      Supervisor().SkipAfter(-1),
  };

  for (const Supervisor& supervisor : wrong) {
    EXPECT_EQ(
        system_.Spawn<LifeActor>({.supervisor = supervisor}, "a", &diary_, "a").status().code(),
        absl::StatusCode::kInvalidArgument);
  }
}

struct Poison {
  int number;
};
struct Plain {};
struct Taken {};
struct PickyApi : Protocol<void(Poison), void(Plain), void(Taken)> {};
struct Picky : Actor<PickyApi> {
  explicit Picky(Diary* diary) : diary_(diary) {}
  void On(const Poison& m) {
    diary_->Write("poison " + std::to_string(m.number));
    throw std::runtime_error("poisoned");
  }
  void On(const Plain&) { diary_->Write("plain"); }
  void On(Taken&&) {
    diary_->Write("taken");
    throw std::runtime_error("taken");
  }
  Diary* diary_;
};

TEST_F(SupervisorTest, AMessageThatKeepsCrashingIsDeadLetteredAndSkipped) {
  auto letters = system_.events().Subscribe<DeadLetter>().value();
  for (const auto& policy : {Prompt(), Supervisor(Directive::kResume)}) {
    auto picky = system_.Spawn<Picky>({.supervisor = policy.SkipAfter(3)}, "a", &diary_).value();

    picky.Tell(Poison{1});
    picky.Tell(Plain{});
    picky.Tell(Poison{2});
    Settle();

    EXPECT_THAT(diary_.Take(), ElementsAre("poison 1", "poison 1", "poison 1", "plain", "poison 2",
                                           "poison 2", "poison 2"));
    EXPECT_EQ(letters.TryNext().value().reason, DeadLetterReason::kPoison);
    EXPECT_EQ(letters.TryNext().value().reason, DeadLetterReason::kPoison);
    picky.Stop();
    Settle();
  }
}

TEST_F(SupervisorTest, AnAskThatIsSkippedIsAnswered) {
  auto picky = system_.Spawn<Picky>({.supervisor = Prompt().SkipAfter(2)}, "a", &diary_).value();

  const Status answer = picky.Ask(Poison{1});

  EXPECT_EQ(answer.code(), absl::StatusCode::kUnknown);
  EXPECT_THAT(answer.ToString(), HasSubstr("poisoned"));
  EXPECT_THAT(diary_.Take(), ElementsAre("poison 1", "poison 1"));
}

TEST_F(SupervisorTest, AMessageThatItsHandlerTookIsNotTriedAgain) {
  auto picky = system_.Spawn<Picky>({.supervisor = Prompt().SkipAfter(3)}, "a", &diary_).value();

  picky.Tell(Taken{});
  picky.Tell(Plain{});
  Settle();

  EXPECT_THAT(diary_.Take(), ElementsAre("taken", "plain"));
}

TEST_F(SupervisorTest, AMessageThatWaitsForItsNextTryIsDeadLetteredByAStop) {
  auto picky =
      system_.Spawn<Picky>({.supervisor = Supervisor().SkipAfter(3)}, "a", &diary_).value();
  picky.Tell(Poison{1});
  Settle();

  picky.Stop();
  Settle();

  EXPECT_EQ(system_.dead_letters(), 1u);
  EXPECT_THAT(diary_.Take(), ElementsAre("poison 1"));
}

class DefaultSupervisorTest : public LifeTest {
 protected:
  DefaultSupervisorTest() : LifeTest({.supervisor = Directive::kStop}) {}
};

TEST_F(DefaultSupervisorTest, TheSystemsSupervisorStandsInForNone) {
  auto actor = Spawn("a");
  auto other = Spawn("b", {.supervisor = Directive::kResume});

  actor.Tell(Crash{});
  other.Tell(Crash{});

  EXPECT_EQ(CountOf(actor), -1);
  EXPECT_EQ(CountOf(other), 1);
}

}  // namespace
}  // namespace quern
