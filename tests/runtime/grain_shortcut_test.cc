// What an actor sends through a Ref that it keeps goes straight to the activation that the Ref has
// reached before: as long as that one takes messages, and nobody else has a say in where they go.

#include "grain/shortcut.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "grain/visits.h"
#include "grain_shortcut_kit.h"
#include "grain_test_kit.h"
#include "posix_semaphore.h"
#include "quern/quern.h"
#include "scheduler/biased_lock.h"
#include "scheduler/worker.h"

namespace quern::testing {

struct Strange {};

// As a caller of another version may see it: the kind that is hosted knows no Strange.
struct WiderTallyApi : Protocol<int64_t(Get), int64_t(Strange), void(Wait), void(Note)> {
  static constexpr std::string_view kKind = "tally";
};

}  // namespace quern::testing

namespace quern {
template <>
struct Codec<testing::Strange> : EmptyCodec<testing::Strange> {
  static constexpr std::string_view kName = "test.Strange";
};
}  // namespace quern

namespace quern::testing {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

std::string Numbers(int from, int to) {
  std::vector<std::string> numbers;
  for (int i = from; i < to; ++i) numbers.push_back(std::to_string(i));
  return absl::StrJoin(numbers, ", ");
}

class GrainShortcutTest : public ::testing::Test {
 protected:
  GrainShortcutTest() { Scene::current = &scene_; }
  ~GrainShortcutTest() override {
    system_->Stop();
    system_->network_port().SetRouter(nullptr);
    Scene::current = nullptr;
  }

  void SetUp() override {
    ASSERT_TRUE(system_->Host<Tally>({.idle_timeout = seconds(10)}).ok());
    ASSERT_TRUE(system_->Host<Room>().ok());
    doer_ = system_->Spawn<Doer>("doer").value();
    Reach();
  }

  // The second message finds the grain, and the third goes straight to it.
  void Reach() {
    grain_.Ask(Get{}, hours(1)).value();
    grain_.Ask(Get{}, hours(1)).value();
    system_->WaitUntilQuiet();
    journal().Clear();
  }
  // In a handler.
  void Run(std::function<void(Context&)> what) {
    doer_.Tell(Do{std::move(what)});
    system_->WaitUntilQuiet();
  }
  Journal& journal() { return scene_.journal; }

  Scene scene_;
  PosixSemaphore gone_{0};  // outlives the workers that wait at it
  ManualClock clock_;
  KeepingRouter router_;
  std::unique_ptr<System> system_ =
      std::make_unique<System>(SystemOptions{.name = "shortcut", .workers = 2, .clock = &clock_});
  Ref<TallyApi> grain_ = system_->Grain<TallyApi>("a");
  Ref<DoerApi> doer_;
};

TEST_F(GrainShortcutTest, KeepsTheOrderOfTellsAndAsks) {
  Run([&](Context&) {
    for (int i = 0; i < 200; ++i) {
      EXPECT_EQ(grain_.Tell(Note{std::to_string(i)}), Delivery::kAccepted);
    }
    EXPECT_TRUE(grain_.Ask(Get{}, hours(1)).ok());
    journal().Add("answered");
    for (int i = 200; i < 400; ++i) grain_.Tell(Note{std::to_string(i)});
  });

  EXPECT_EQ(journal().Text(), Numbers(0, 200) + ", answered, " + Numbers(200, 400));
}

TEST_F(GrainShortcutTest, KeepsTheOrderAcrossTwoRefsToOneGrain) {
  const Ref<TallyApi> other = system_->Grain<TallyApi>("a");
  other.Ask(Get{}, hours(1)).value();

  Run([&](Context&) {
    for (int i = 0; i < 100; ++i) (i % 10 < 7 ? grain_ : other).Tell(Note{std::to_string(i)});
  });

  EXPECT_EQ(journal().Text(), Numbers(0, 100));
}

TEST_F(GrainShortcutTest, WhatMeetsAGrainOnItsWayOutIsHandledByTheNextInOrder) {
  Run([&](Context&) {
    for (int i = 0; i < 10; ++i) grain_.Tell(Note{std::to_string(i)});
    grain_.Tell(Leave{});
    for (int i = 10; i < 100; ++i) grain_.Tell(Note{std::to_string(i)});
  });

  EXPECT_EQ(journal().Text(),
            Numbers(0, 10) + ", deactivated OK, destroyed, made, activated, " + Numbers(10, 100));
  EXPECT_EQ(system_->dead_letters(), 0u);
}

TEST_F(GrainShortcutTest, WhatWasHeldWhileItsGrainWentIsHandledByTheNextInOrder) {
  scene_.on_deactivate = [&](const Status&) { gone_.release(); };
  Run([&](Context&) {
    grain_.Tell(Leave{});
    for (int i = 0; i < 20; ++i) grain_.Tell(Note{std::to_string(i)});
    gone_.acquire();  // holds the worker; the last tells have not been pushed yet
  });
  journal().Await(24);

  EXPECT_EQ(journal().Text(), "deactivated OK, destroyed, made, activated, " + Numbers(0, 20));
}

TEST_F(GrainShortcutTest, WhatAHandlerThatDoesNotComeBackHasToldIsHandled) {
  if (!internal::BiasedLock::Available()) GTEST_SKIP() << "this kernel has no membarrier";
  doer_.Tell(Do{[&](Context&) {
    for (int i = 0; i < 20; ++i) grain_.Tell(Note{std::to_string(i)});
    gone_.acquire();
  }});

  EXPECT_EQ(journal().Await(20), Numbers(0, 20));
  gone_.release();
}

TEST_F(GrainShortcutTest, AnAskThatMeetsAGrainOnItsWayOutIsAnsweredByTheNext) {
  StatusOr<int64_t> answer = absl::UnknownError("");
  Run([&](Context&) {
    grain_.Tell(Leave{});
    answer = grain_.Ask(Get{}, hours(1));
  });

  EXPECT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(journal().Text(), "deactivated OK, destroyed, made, activated");
}

TEST_F(GrainShortcutTest, NothingThatComesWhileItDeactivatesIsTakenByTheLeavingOne) {
  scene_.stage.Lock();
  scene_.on_deactivate = [&](const Status&) {
    journal().Add("leaves");
    FiberMutexLock lock(scene_.stage);
  };
  grain_.Tell(Leave{});
  journal().Await(2);
  scene_.on_deactivate = nullptr;

  Run([&](Context&) { grain_.Tell(Note{"late"}); });
  const std::string before = journal().Text();
  scene_.stage.Unlock();
  system_->WaitUntilQuiet();

  EXPECT_EQ(before, "deactivated OK, leaves");
  EXPECT_EQ(journal().Text(), "deactivated OK, leaves, destroyed, made, activated, late");
}

TEST_F(GrainShortcutTest, TheObjectGoesThoughARefHasReachedIt) {
  clock_.Advance(seconds(10));
  system_->WaitUntilQuiet();

  EXPECT_EQ(journal().Text(), "deactivated OK, destroyed");
  EXPECT_EQ(system_->CountGrains("tally"), 0u);
}

TEST_F(GrainShortcutTest, WhatComesThatWayCountsAsActivity) {
  clock_.Advance(seconds(6));
  Run([&](Context&) { grain_.Tell(Note{"1"}); });
  clock_.Advance(seconds(6));
  system_->WaitUntilQuiet();
  const std::string after_twelve = journal().Text();
  clock_.Advance(seconds(4));
  system_->WaitUntilQuiet();

  EXPECT_EQ(after_twelve, "1");
  EXPECT_EQ(journal().Text(), "1, deactivated OK, destroyed");
}

TEST_F(GrainShortcutTest, WhatComesThatWayIsCountedAsWaiting) {
  scene_.stage.Lock();
  Run([&](Context&) {
    grain_.Tell(Wait{});
    for (int i = 0; i < 10; ++i) grain_.Tell(Note{"n"});
  });
  const size_t waiting = system_->Peek<TallyApi>("a").value().messages;
  scene_.stage.Unlock();
  system_->WaitUntilQuiet();

  EXPECT_EQ(waiting, 11u);
  EXPECT_EQ(system_->Peek<TallyApi>("a").value().messages, 0u);
}

TEST_F(GrainShortcutTest, ANewRouterHasItsSayAtOnce) {
  Run([&](Context&) { grain_.Tell(Note{"here"}); });
  system_->network_port().SetRouter(&router_);
  Run([&](Context&) { grain_.Tell(Note{"there"}); });
  auto [target, message] = router_.Take();
  std::string body;
  message.Encode(&body);
  std::move(message).Complete({}, {});
  system_->network_port().SetRouter(nullptr);
  Run([&](Context&) { grain_.Tell(Note{"here again"}); });

  EXPECT_EQ(target, GrainId("tally", "a"));
  EXPECT_EQ(body, "there");
  EXPECT_EQ(journal().Text(), "here, here again");
}

TEST_F(GrainShortcutTest, WhatALeavingGrainHasNotHandledGoesToANewRouter) {
  scene_.stage.Lock();
  StatusOr<int64_t> answer = absl::UnknownError("");
  Run([&](Context&) {
    grain_.Tell(Wait{});
    grain_.Tell(Note{"told"});
    answer = grain_.Ask(Get{}, hours(1));
  });
  system_->network_port().SetRouter(&router_);
  EXPECT_TRUE(system_->Deactivate(grain_).ok());
  scene_.stage.Unlock();
  auto [told_target, told] = router_.Take();
  auto [asked_target, asked] = router_.Take();

  EXPECT_EQ(told_target, GrainId("tally", "a"));
  EXPECT_EQ(told.type_name(), "test.Note");
  EXPECT_EQ(told.sender().actor_id, doer_.id());
  std::string body;
  told.Encode(&body);
  EXPECT_EQ(body, "told");
  std::move(told).Complete({}, {});
  EXPECT_EQ(asked_target, GrainId("tally", "a"));
  EXPECT_EQ(asked.type_name(), "test.Get");
  EXPECT_EQ(asked.call_chain(), std::vector<std::string>{"/doer"});
  std::string seven;
  Codec<int64_t>::Encode(7, &seven);
  std::move(asked).Complete(seven, {});
  system_->WaitUntilQuiet();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(*answer, 7);
}

TEST_F(GrainShortcutTest, WhatTheKindDoesNotKnowIsAnsweredByALeavingGrainToo) {
  const auto wider = system_->Grain<WiderTallyApi>("a");
  wider.Ask(Get{}, hours(1)).value();
  scene_.stage.Lock();
  StatusOr<int64_t> answer = absl::UnknownError("");
  Run([&](Context&) {
    wider.Tell(Wait{});
    answer = wider.Ask(Strange{}, hours(1));
  });
  EXPECT_TRUE(system_->Deactivate(grain_).ok());
  scene_.stage.Unlock();
  system_->WaitUntilQuiet();

  EXPECT_EQ(answer.status().code(), absl::StatusCode::kNotFound) << answer.status();
}

TEST_F(GrainShortcutTest, AnAskInACircleIsRefused) {
  const auto room = system_->Grain<RoomApi>("r");
  const Act nothing{[](Context&) { return absl::OkStatus(); }};
  ASSERT_TRUE(room.Ask(nothing, hours(1)).ok());
  ASSERT_TRUE(room.Ask(nothing, hours(1)).ok());

  // The grain asks the actor, which asks the grain.
  const Status status = room.Ask(
      Act{[&](Context&) {
        return doer_.Ask(Act{[&](Context&) { return room.Ask(nothing, hours(1)); }}, hours(1));
      }},
      hours(1));

  EXPECT_EQ(OutcomeOf(status), "FAILED_PRECONDITION ask_cycle") << status;
}

TEST_F(GrainShortcutTest, AGrainWithABoundRefusesWhatIsTooMuch) {
  ASSERT_TRUE(system_->Host<Tally>({.kind = "bounded", .mailbox_capacity = 2}).ok());
  const auto bounded = system_->Grain<TallyApi>("b", "bounded");
  bounded.Ask(Get{}, hours(1)).value();
  bounded.Ask(Get{}, hours(1)).value();
  scene_.stage.Lock();
  bounded.Tell(Wait{});
  system_->WaitUntilQuiet();

  std::vector<Delivery> deliveries;
  Run([&](Context&) {
    for (int i = 0; i < 3; ++i) deliveries.push_back(bounded.Tell(Note{"n"}));
  });
  scene_.stage.Unlock();

  EXPECT_EQ(deliveries, (std::vector{Delivery::kAccepted, Delivery::kAccepted, Delivery::kFull}));
}

TEST_F(GrainShortcutTest, ActorsOfAnotherSystemReachItInOrderToo) {
  System other(SystemOptions{.name = "other", .workers = 1, .clock = &clock_});
  const auto doer = other.Spawn<Doer>("doer").value();

  doer.Tell(Do{[&](Context&) {
    for (int i = 0; i < 100; ++i) grain_.Tell(Note{std::to_string(i)});
  }});
  other.WaitUntilQuiet();
  system_->WaitUntilQuiet();

  EXPECT_EQ(journal().Text(), Numbers(0, 100));
}

TEST_F(GrainShortcutTest, ARefOutlivesTheSystemThatItLedInto) {
  System other(SystemOptions{.name = "other", .workers = 1, .clock = &clock_});
  const auto doer = other.Spawn<Doer>("doer").value();
  Run([&](Context&) { grain_.Tell(Note{"in time"}); });
  system_->Stop();
  system_.reset();

  std::optional<Delivery> told;
  Status asked;
  doer.Tell(Do{[&](Context&) {
    told = grain_.Tell(Note{"too late"});
    asked = grain_.Ask(Get{}, hours(1)).status();
  }});
  other.WaitUntilQuiet();
  system_ = std::make_unique<System>(SystemOptions{.name = "next", .clock = &clock_});

  EXPECT_EQ(told, Delivery::kStopped);
  EXPECT_EQ(asked.code(), absl::StatusCode::kUnavailable) << asked;
  EXPECT_EQ(grain_.Tell(Note{"too late"}), Delivery::kStopped);
}

TEST(VisitsTest, ThoseWhoWantNobodyInsideWaitForAVisitor) {
  ManualClock clock;
  PosixSemaphore inside(0);
  PosixSemaphore seen(0);
  System system(SystemOptions{.name = "visits", .workers = 1, .clock = &clock});
  internal::Visits visits(1);
  alignas(64) static char somewhere;  // compared alone
  auto* activation = reinterpret_cast<internal::Activation*>(&somewhere);
  std::atomic<internal::Activation*> found{activation};
  std::atomic<bool> nobody{false};
  system.Spawn<Doer>("doer").value().Tell(Do{[&](Context&) {
    const internal::Visit visit(visits, *internal::Worker::Current(), found);
    EXPECT_EQ(visit.get(), activation);
    inside.release();
    seen.acquire();
    EXPECT_FALSE(nobody.load());
  }});
  inside.acquire();

  found.exchange(nullptr);
  std::thread waiting([&] {
    visits.AwaitNone(activation);
    nobody.store(true);
  });
  visits.AwaitNone(reinterpret_cast<internal::Activation*>(&inside));  // nobody is in that one
  seen.release();
  waiting.join();

  EXPECT_TRUE(nobody.load());
}

TEST(VisitsTest, WhatWasTakenAwayIsNotVisited) {
  ManualClock clock;
  System system(SystemOptions{.name = "visits", .workers = 1, .clock = &clock});
  internal::Visits visits(1);
  std::atomic<internal::Activation*> found{nullptr};
  std::optional<bool> visited;
  system.Spawn<Doer>("doer").value().Tell(Do{[&](Context&) {
    const internal::Visit visit(visits, *internal::Worker::Current(), found);
    visited = static_cast<bool>(visit);
  }});
  system.WaitUntilQuiet();

  EXPECT_EQ(visited, false);
}

}  // namespace
}  // namespace quern::testing
