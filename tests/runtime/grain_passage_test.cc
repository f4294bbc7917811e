// A router may let what actors send come past itself, straight to an activation of this process: as
// long as that one is there, nothing is called back, and the node has its lease.

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "grain_shortcut_kit.h"
#include "grain_test_kit.h"
#include "quern/quern.h"

namespace quern::testing {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

// Delivers here, and gives passage, or holds what comes.
class PassingRouter : public KeepingRouter {
 public:
  explicit PassingRouter(NetworkPort& port) : port_(port) {}

  Delivery RouteGrain(const GrainId& target, Message message) override {
    ++asked_;
    if (holds_) {
      port_.Recall(target);
      return KeepingRouter::RouteGrain(target, std::move(message));
    }
    switch (port_.DeliverToGrain(target, {}, message, Passage::kFromNowOn).outcome) {
      case GrainDelivery::Outcome::kAccepted:
        return Delivery::kAccepted;
      case GrainDelivery::Outcome::kRefused:
        return Delivery::kUnreachable;
      default:
        return KeepingRouter::RouteGrain(target, std::move(message));
    }
  }

  void Hold(bool holds) { holds_ = holds; }
  // How many messages have come, since the last call.
  int Asked() { return asked_.exchange(0); }

 private:
  NetworkPort& port_;
  std::atomic<bool> holds_{false};
  std::atomic<int> asked_{0};
};

class GrainPassageTest : public ::testing::Test {
 protected:
  GrainPassageTest() { Scene::current = &scene_; }
  ~GrainPassageTest() override {
    system_.Stop();
    port().SetRouter(nullptr);
    Scene::current = nullptr;
  }

  void SetUp() override {
    ASSERT_TRUE(system_.Host<Tally>().ok());
    ASSERT_TRUE(system_.Host<Room>().ok());
    port().SetRouter(&router_);
    Activate(kId, 1);
    Activate({"room", "a"}, 1);
    doer_ = system_.Spawn<Doer>("doer").value();
    Run([&](Context&) { grain_.Tell(Note{"first"}); });
    journal().Clear();
    router_.Asked();
  }

  void Activate(const GrainId& id, uint64_t counter) {
    port().Activate(id, Epoch{.counter = counter},
                    [](const StatusOr<ActivationInfo>& info) { EXPECT_TRUE(info.ok()); });
    system_.WaitUntilQuiet();
  }
  // In a handler of an actor.
  void Run(std::function<void(Context&)> what) {
    doer_.Tell(Do{std::move(what)});
    system_.WaitUntilQuiet();
  }
  void Tell(std::string text) {
    Run([&](Context&) { told_ = grain_.Tell(Note{std::move(text)}); });
  }
  Status Ask() {
    Status status;
    Run([&](Context&) { status = grain_.Ask(Get{}, hours(1)).status(); });
    return status;
  }
  NetworkPort& port() { return system_.network_port(); }
  Journal& journal() { return scene_.journal; }

  const GrainId kId{"tally", "a"};
  Scene scene_;
  ManualClock clock_;
  System system_{SystemOptions{.name = "passage", .workers = 2, .clock = &clock_}};
  PassingRouter router_{port()};
  Ref<TallyApi> grain_ = system_.Grain<TallyApi>("a");
  Ref<DoerApi> doer_;
  Delivery told_ = Delivery::kStopped;
};

TEST_F(GrainPassageTest, WhatFollowsGoesStraightAndInOrder) {
  Run([&](Context&) {
    for (int i = 0; i < 3; ++i) grain_.Tell(Note{std::to_string(i)});
    EXPECT_TRUE(grain_.Ask(Get{}, hours(1)).ok());
    grain_.Tell(Note{"3"});
  });

  EXPECT_EQ(journal().Text(), "0, 1, 2, 3");
  EXPECT_EQ(router_.Asked(), 0);
}

TEST_F(GrainPassageTest, EachMessageOfARefOfItsOwnComesToTheRouter) {
  Run([&](Context& context) {
    for (int i = 0; i < 3; ++i) context.Grain<TallyApi>("a").Tell(Note{std::to_string(i)});
  });

  EXPECT_EQ(journal().Text(), "0, 1, 2");
  EXPECT_EQ(router_.Asked(), 3);
}

TEST_F(GrainPassageTest, NothingOvertakesWhatTheRouterHolds) {
  const auto other = system_.Grain<TallyApi>("a");
  router_.Hold(true);
  Run([&](Context&) { other.Tell(Note{"held"}); });

  Tell("later");

  EXPECT_EQ(router_.Asked(), 2);
  EXPECT_EQ(journal().Text(), "");
  router_.Hold(false);
  for (int i = 0; i < 2; ++i) {
    auto [target, message] = router_.Take();
    port().DeliverToGrain(target, {}, message);
  }
  system_.WaitUntilQuiet();
  EXPECT_EQ(journal().Text(), "held, later");
}

TEST_F(GrainPassageTest, AfterARecallTheRouterMayGivePassageAgain) {
  port().Recall(kId);
  Tell("asked");
  Tell("straight");

  EXPECT_EQ(journal().Text(), "asked, straight");
  EXPECT_EQ(router_.Asked(), 1);
}

TEST_F(GrainPassageTest, AnActivationThatHasLeftIsNotReachedAndItsSuccessorIsAskedFor) {
  port().Deactivate(kId, absl::OkStatus());
  system_.WaitUntilQuiet();
  journal().Clear();

  Tell("elsewhere");
  auto [target, message] = router_.Take();
  EXPECT_EQ(journal().Text(), "");
  EXPECT_EQ(message.type_name(), "test.Note");
  std::move(message).Complete({}, {});

  Activate(kId, 2);
  router_.Asked();
  Tell("back");
  Tell("straight");
  EXPECT_EQ(journal().Text(), "made, activated, back, straight");
  EXPECT_EQ(router_.Asked(), 1);
}

TEST_F(GrainPassageTest, WhatMeetsItOnItsWayOutComesToTheRouter) {
  scene_.stage.Lock();
  Run([&](Context&) { grain_.Tell(Wait{}); });
  port().Deactivate(kId, absl::OkStatus());
  Tell("unhandled");  // behind the handler that waits
  scene_.stage.Unlock();
  auto [target, message] = router_.Take();

  EXPECT_EQ(target, kId);
  EXPECT_EQ(message.sender().actor_id, doer_.id());
  std::string body;
  message.Encode(&body);
  EXPECT_EQ(body, "unhandled");
  std::move(message).Complete({}, {});
}

TEST_F(GrainPassageTest, WithoutALeaseNothingGoesStraight) {
  port().SetServingUntil(clock_.Now() + seconds(10));
  Tell("served");
  EXPECT_EQ(router_.Asked(), 0);

  clock_.Advance(seconds(10));

  EXPECT_TRUE(absl::IsUnavailable(Ask()));
  Tell("refused");
  EXPECT_EQ(told_, Delivery::kUnreachable);
  EXPECT_EQ(router_.Asked(), 2);
  port().SetServingUntil(clock_.Now() + seconds(10));
  Tell("served again");
  EXPECT_EQ(journal().Text(), "served, served again");
}

TEST_F(GrainPassageTest, AtTheEndOfTheLeaseAtOnce) {
  port().SetServingUntil(Time::min());

  EXPECT_TRUE(absl::IsUnavailable(Ask()));
  EXPECT_EQ(router_.Asked(), 1);
  EXPECT_EQ(journal().Text(), "");
  port().SetServingUntil(kNever);
}

TEST_F(GrainPassageTest, WhatOneRouterHasGivenDoesNotCountForTheNext) {
  port().SetRouter(nullptr);
  port().SetRouter(&router_);

  Tell("asked");
  Tell("straight");

  EXPECT_EQ(journal().Text(), "asked, straight");
  EXPECT_EQ(router_.Asked(), 1);
}

TEST_F(GrainPassageTest, WhatAGrainSendsSaysUnderWhichEpoch) {
  const auto room = system_.Grain<RoomApi>("a");
  const auto tell = [&](std::string text) {
    room.Tell(Act{[&, text = std::move(text)](Context&) {
      grain_.Tell(Note{text});
      return absl::OkStatus();
    }});
    system_.WaitUntilQuiet();
  };
  tell("straight");
  EXPECT_EQ(journal().Text(), "straight");
  EXPECT_EQ(router_.Asked(), 1);  // the one to the room
  scene_.stage.Lock();
  Run([&](Context&) { grain_.Tell(Wait{}); });
  tell("unhandled");
  port().Deactivate(kId, absl::OkStatus());
  scene_.stage.Unlock();
  auto [target, message] = router_.Take();

  EXPECT_EQ(message.sender().grain, GrainId("room", "a"));
  EXPECT_EQ(message.sender().epoch, Epoch{.counter = 1});
  std::move(message).Complete({}, {});
}

TEST_F(GrainPassageTest, TheKeptRefMayGoBeforeWhatWasSentThroughIt) {
  scene_.stage.Lock();
  Run([&](Context&) { grain_.Tell(Wait{}); });
  Run([](Context& context) {
    for (int i = 0; i < 2; ++i) {
      const auto brief = context.Grain<TallyApi>("a");
      brief.Tell(Note{std::to_string(i)});
      brief.Tell(Note{std::to_string(i) + "b"});
    }
  });
  port().Deactivate(kId, absl::OkStatus());
  scene_.stage.Unlock();

  for (const char* wanted : {"0", "0b", "1", "1b"}) {
    auto [target, message] = router_.Take();
    std::string body;
    message.Encode(&body);
    EXPECT_EQ(body, wanted);
    std::move(message).Complete({}, {});
  }
}

}  // namespace
}  // namespace quern::testing
