// The parts of the test kit that look at mailboxes, events and children; probes: probe_test.cc.

#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>

#include "quern/quern.h"
#include "quern/runtime/lifecycle_events.h"
#include "quern/runtime/mailbox.h"
#include "quern/testing/event_probe.h"
#include "quern/testing/fake_clock.h"
#include "quern/testing/mailbox_matchers.h"
#include "quern/testing/probe.h"
#include "quern/testing/step_system.h"

namespace quern {
namespace {

using ::testing::ElementsAre;
using testing::EventProbe;
using testing::FakeClock;
using ::testing::Field;
using ::testing::Gt;
using testing::HasQueued;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::Probe;
using testing::QueuedMessages;
using testing::StepSystem;
using namespace std::chrono_literals;

struct Hire {
  std::string name;
};
struct Break {};
struct Rest {};
struct TeamApi : Protocol<void(Hire), void(Break), void(Rest)> {};
struct Fetch {};
struct MemberApi : Protocol<int(Fetch)> {};

struct Member : Actor<MemberApi> {
  int On(const Fetch&) { return 1; }
};
struct Team : Actor<TeamApi> {
  void On(const Hire& m, Context& context) {
    if (context.Sleep(10ms).ok()) context.Spawn<Member>(m.name).IgnoreError();
  }
  void On(const Break&) { throw std::runtime_error("broken"); }
  void On(const Rest&) {}
};

// The one failure that `expectation` reports.
template <typename F>
::testing::TestPartResult FailureOf(F expectation) {
  ::testing::TestPartResultArray results;
  {
    ::testing::ScopedFakeTestPartResultReporter reporter(
        ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &results);
    expectation();
  }
  EXPECT_EQ(results.size(), 1);
  return results.GetTestPartResult(0);
}

class KitTest : public ::testing::Test {
 protected:
  StepSystem system_;
  Ref<TeamApi> team_ = system_.Spawn<Team>("team").value();
};

TEST_F(KitTest, AChildThatIsSpawnedInTimeIsGiven) {
  Probe<MemberApi> probe(system_);
  team_.Tell(Hire{"ada"});

  Ref<MemberApi> ada = probe.ExpectChildSpawned<MemberApi>(team_, "ada");

  EXPECT_EQ(ada.Ask(Fetch{}).value(), 1);
}

TEST_F(KitTest, AChildThatIsNotSpawnedIsAFailureThatNamesThoseThatAre) {
  Probe<MemberApi> probe(system_);
  EXPECT_NONFATAL_FAILURE(probe.Within(5ms).ExpectChildSpawned<MemberApi>(team_, "ada"),
                          "expected /team to spawn ada, but it has no children");
  team_.Tell(Hire{"bea"});
  team_.Tell(Hire{"cleo"});
  EXPECT_NONFATAL_FAILURE(probe.ExpectChildSpawned<MemberApi>(team_, "ada"),
                          "expected /team to spawn ada, but it has bea, cleo");
  EXPECT_NONFATAL_FAILURE(probe.ExpectChildSpawned<TeamApi>(team_, "bea"),
                          "expected /team to spawn bea, but ");
  EXPECT_NONFATAL_FAILURE(probe.ExpectChildSpawned<MemberApi>(Ref<TeamApi>(), "ada"),
                          "expected an empty Ref to spawn ada");
}

TEST_F(KitTest, WhatWaitsInAMailboxIsCountedAndNamed) {
  EXPECT_THAT(team_, HasQueued(0));
  team_.Tell(Hire{"ada"});
  team_.Tell(Rest{});
  team_.Tell(Break{});

  EXPECT_THAT(QueuedMessages(team_), ElementsAre("Hire", "Rest", "Break"));
  system_.RunUntilIdle();  // it sleeps in the first
  EXPECT_THAT(QueuedMessages(team_), ElementsAre("Rest", "Break"));
  EXPECT_THAT(team_, HasQueued(2));
  EXPECT_THAT(team_, HasQueued(Gt(1)));
  EXPECT_EQ(system_.RunUntilIdle(), 0u);
}

TEST_F(KitTest, AMailboxThatIsNotAsExpectedSaysHow) {
  EXPECT_NONFATAL_FAILURE(EXPECT_THAT(team_, HasQueued(2)), "/team has 0 queued");
  EXPECT_NONFATAL_FAILURE(EXPECT_THAT(team_, HasQueued(Gt(1))),
                          "has a number of messages queued that is > 1");
  EXPECT_NONFATAL_FAILURE(EXPECT_THAT(Ref<TeamApi>(), HasQueued(0)), "cannot be counted");
  auto bounded = system_.Spawn<Team>({.mailbox = BoundedMailbox(2)}, "bounded").value();
  EXPECT_THAT(bounded, HasQueued(0));
  EXPECT_NONFATAL_FAILURE(QueuedMessages(bounded), "the mailbox of /bounded cannot be read");
}

TEST_F(KitTest, EventsAreExpectedInTimeAndThoseBeforeAreForgotten) {
  EventProbe<ActorFailed> failures(system_);
  EventProbe<ActorRestarted> restarts(
      system_, {.filter = [](const ActorRestarted& e) { return e.path == "/team"; }});
  auto other = system_.Spawn<Team>("other").value();
  other.Tell(Break{});
  system_.RunUntilIdle();
  team_.Tell(Break{});

  auto failed = failures.Expect(Field(&ActorFailed::path, "/team"));

  ASSERT_TRUE(failed.has_value());
  EXPECT_THAT(std::string(failed->why.message()), HasSubstr("broken"));
  EXPECT_TRUE(failures.ExpectNothing());
  EXPECT_TRUE(restarts.Expect([](const ActorRestarted& e) { return e.at > Time(); }));
  EXPECT_TRUE(restarts.ExpectNothing(1h));
}

TEST_F(KitTest, EventsThatDoNotComeSayWhichDid) {
  EventProbe<ActorFailed> failures(system_);
  EXPECT_NONFATAL_FAILURE(failures.Expect(), "expected quern::ActorFailed, but none came");
  team_.Tell(Break{});
  EXPECT_NONFATAL_FAILURE(failures.Within(1ms).Expect(Field(&ActorFailed::path, "/other")),
                          "but there is of /team");
  EXPECT_NONFATAL_FAILURE(failures.ExpectNothing(),
                          "expected no quern::ActorFailed, but there is of /team");
  EXPECT_EQ(failures.size(), 1u);
  failures.Clear();
  EXPECT_TRUE(failures.ExpectNothing());
}

TEST_F(KitTest, FailuresPointAtTheCallersLine) {
  Probe<MemberApi> probe(system_);
  EventProbe<ActorFailed> failures(system_);
  const auto child = FailureOf([&] { probe.ExpectChildSpawned<MemberApi>(team_, "ada"); });
  const int first = __LINE__ - 1;
  const auto event = FailureOf([&] { failures.Expect(); });
  const auto names = FailureOf([&] { QueuedMessages(Ref<TeamApi>()); });
  team_.Tell(Break{});
  system_.RunUntilIdle();
  const auto nothing = FailureOf([&] { failures.ExpectNothing(); });
  const auto depth = FailureOf([&] { EXPECT_THAT(team_, HasQueued(7)); });

  EXPECT_EQ(child.line_number(), first);
  EXPECT_EQ(event.line_number(), first + 2);
  EXPECT_EQ(names.line_number(), first + 3);
  EXPECT_EQ(nothing.line_number(), first + 6);
  EXPECT_EQ(depth.line_number(), first + 7);
  EXPECT_THAT(child.file_name(), HasSubstr("kit_test.cc"));
}

TEST(KitOnARealSystemTest, LooksAtMailboxesEventsAndChildren) {
  FakeClock clock;
  System system({.name = "test", .workers = 2, .clock = &clock});
  EventProbe<ActorStarted> starts(system);
  Probe<MemberApi> probe(system);
  auto team = system.Spawn<Team>("team").value();
  EXPECT_TRUE(starts.Expect(Field(&ActorStarted::path, "/team")));
  team.Tell(Hire{"ada"});
  team.Tell(Rest{});
  system.WaitUntilQuiet();

  EXPECT_THAT(team, HasQueued(1));
  clock.AdvanceBy(10ms);
  EXPECT_TRUE(probe.ExpectChildSpawned<MemberApi>(team, "ada"));
  EXPECT_THAT(team, HasQueued(0));
  EXPECT_NONFATAL_FAILURE(QueuedMessages(team), "no actor of a StepSystem");
  starts.Clear();
  EXPECT_TRUE(starts.ExpectNothing(1h));
}

}  // namespace
}  // namespace quern
