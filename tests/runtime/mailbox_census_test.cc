#include "system/mailbox_census.h"
#include "posix_semaphore.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "quern/quern.h"
#include "quern/runtime/dump.h"
#include "quern/runtime/mailbox.h"
#include "quern/testing/fake_clock.h"
#include "quern/testing/step_system.h"

namespace quern {
namespace {

using ::testing::ElementsAre;
using testing::FakeClock;
using ::testing::HasSubstr;
using ::testing::Optional;
using testing::StepSystem;
using namespace std::chrono_literals;

struct Note {};
struct Nap {};
struct Hold {
  PosixSemaphore* held;
  PosixSemaphore* open;
};
struct Fill {
  int count;
};
struct DeskApi : Protocol<void(Note), void(Nap), void(Hold), void(Fill), int(int)> {};
struct Desk : Actor<DeskApi> {
  void On(const Note&) {}
  void On(const Nap&, Context& context) { context.Sleep(1h).IgnoreError(); }
  void On(const Hold& m) {
    m.held->release();
    m.open->acquire();
  }
  void On(const Fill& m) {
    for (int i = 0; i < m.count; ++i) Self().Tell(Note{});
  }
  int On(const int& m) { return m; }
};

std::vector<std::string> Queued(const System& system) {
  std::vector<std::string> lines;
  for (const ActorInfo& actor : system.ListActors({.mailboxes = true}).actors) {
    lines.push_back(absl::StrCat(actor.path, " ",
                                 actor.queued.has_value() ? absl::StrCat(*actor.queued) : "?"));
  }
  return lines;
}

class MailboxCensusTest : public ::testing::Test {
 protected:
  Ref<DeskApi> Spawn(std::string_view name, SpawnOptions options = {}) {
    return system_.Spawn<Desk>(std::move(options), name).value();
  }
  static void Notes(const Ref<DeskApi>& desk, int count) {
    for (int i = 0; i < count; ++i) desk.Tell(Note{});
  }

  FakeClock clock_;
  PosixSemaphore held_{0};
  PosixSemaphore open_{0};
  System system_{SystemOptions{.name = "office", .workers = 1, .clock = &clock_}};
};

TEST_F(MailboxCensusTest, CountsWhatWaitsForIdleSleepingAndSuspendedActors) {
  Spawn("idle");
  auto sleeping = Spawn("sleeping");
  auto reentrant = Spawn("reentrant", {.reentrancy = Reentrancy::kStash});
  auto suspended = Spawn("suspended");
  auto bounded = Spawn("bounded", {.mailbox = BoundedMailbox(10)});
  sleeping.Tell(Nap{});
  reentrant.Tell(Nap{});
  ASSERT_TRUE(suspended.Suspend().ok());
  ASSERT_TRUE(bounded.Suspend().ok());
  system_.WaitUntilQuiet();
  Notes(sleeping, 1);
  Notes(suspended, 3);
  Notes(bounded, 4);
  Notes(reentrant, 2);
  system_.WaitUntilQuiet();

  EXPECT_THAT(Queued(system_),
              ElementsAre("/bounded 4", "/idle 0", "/reentrant 2", "/sleeping 1", "/suspended 3"));
  EXPECT_EQ(system_.ListActors().actors.front().queued, std::nullopt);  // nobody has asked
  ASSERT_TRUE(suspended.Reinstate().ok());
  ASSERT_TRUE(bounded.Reinstate().ok());
  system_.WaitUntilQuiet();
  EXPECT_THAT(Queued(system_),
              ElementsAre("/bounded 0", "/idle 0", "/reentrant 2", "/sleeping 1", "/suspended 0"));
}

TEST_F(MailboxCensusTest, AMailboxWithNoEndIsCountedUpToTheBound) {
  auto desk = Spawn("desk");
  ASSERT_TRUE(desk.Suspend().ok());
  system_.WaitUntilQuiet();
  Notes(desk, static_cast<int>(kMailboxCountMax) + 5);

  EXPECT_THAT(system_.ListActors({.mailboxes = true}).actors.front().queued,
              Optional(kMailboxCountMax));
}

TEST_F(MailboxCensusTest, WhatStandsBehindAHeldWorkerIsNotKnown) {
  Spawn("idle");
  auto holding = Spawn("holding");
  holding.Tell(Hold{&held_, &open_});
  held_.acquire();
  Notes(holding, 2);

  EXPECT_THAT(Queued(system_), ElementsAre("/holding ?", "/idle 0"));
  open_.release();
  system_.WaitUntilQuiet();
  EXPECT_THAT(Queued(system_), ElementsAre("/holding 0", "/idle 0"));
}

TEST_F(MailboxCensusTest, ActorsThatStopMeanwhileHoldUpNobody) {
  for (int round = 0; round < 200; ++round) {
    auto desk = Spawn(absl::StrCat("desk", round));
    desk.Tell(Fill{20});
    desk.Stop();
    for (const ActorInfo& actor : system_.ListActors({.mailboxes = true}).actors) {
      EXPECT_TRUE(actor.queued.has_value()) << actor.path;
    }
  }
}

TEST_F(MailboxCensusTest, TheDumpShowsMailboxesOfThoseWhoDoNotWaitToo) {
  auto suspended = Spawn("suspended");
  ASSERT_TRUE(suspended.Suspend().ok());
  system_.WaitUntilQuiet();
  Notes(suspended, 3);

  EXPECT_THAT(DumpActors(system_), HasSubstr("/suspended  Desk  suspended; 3 queued\n"));
}

TEST(StepMailboxCensusTest, AStepSystemIsCountedAsItStands) {
  StepSystem system;
  auto desk = system.Spawn<Desk>("desk").value();
  auto bounded = system.Spawn<Desk>({.mailbox = BoundedMailbox(10)}, "bounded").value();
  for (int i = 0; i < 3; ++i) desk.Tell(Note{});
  for (int i = 0; i < 2; ++i) bounded.Tell(Note{});

  EXPECT_THAT(Queued(system), ElementsAre("/bounded 2", "/desk 3"));
  EXPECT_EQ(system.steps(), 0u);
  system.RunUntilIdle();
  EXPECT_THAT(Queued(system), ElementsAre("/bounded 0", "/desk 0"));
}

}  // namespace
}  // namespace quern
