// The grain half of NetworkPort, as a cluster sees it.

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "grain_test_kit.h"
#include "quern/runtime/network_port.h"

namespace quern::testing {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using Outcome = GrainDelivery::Outcome;

Epoch At(uint64_t counter) { return Epoch{0, 1, 1, counter}; }

class GrainHostTest : public ::testing::Test {
 protected:
  GrainHostTest() { Scene::current = &scene_; }
  ~GrainHostTest() override {
    system_.Stop();
    port().SetRouter(nullptr);
    Scene::current = nullptr;
  }

  void SetUp() override {
    ASSERT_TRUE(system_.Host<Tally>().ok());
    port().SetRouter(&router_);
  }

  NetworkPort& port() { return system_.network_port(); }
  Journal& journal() { return scene_.journal; }

  std::future<StatusOr<ActivationInfo>> Activate(const GrainId& id, const Epoch& epoch) {
    auto promise = std::make_shared<std::promise<StatusOr<ActivationInfo>>>();
    auto future = promise->get_future();
    port().Activate(id, epoch, [promise](StatusOr<ActivationInfo> info) {
      promise->set_value(std::move(info));
    });
    return future;
  }
  Epoch ActivatedAt(const Epoch& epoch) {
    const auto info = Activate(kId, epoch).get();
    EXPECT_TRUE(info.ok()) << info.status();
    return info.ok() ? info->epoch : Epoch{};
  }

  // A message as it comes from a peer; its reply arrives at `replies_`.
  template <typename M>
  Message Inbound(const M& message, SenderStamp sender = {}, bool ask = true) {
    body_.clear();
    Codec<M>::Encode(message, &body_);
    InboundMessage inbound;
    inbound.kind = "tally";
    inbound.type_name = Codec<M>::kName;
    inbound.body = body_;
    inbound.sender = std::move(sender);
    if (ask) {
      inbound.on_reply = [this](const EncodedReply& reply) {
        replies_.Add(OutcomeOf(reply.status) + " from " + reply.sender.epoch.ToString());
      };
    }
    StatusOr<Message> decoded = port().Decode(std::move(inbound));
    EXPECT_TRUE(decoded.ok()) << decoded.status();
    return *std::move(decoded);
  }
  template <typename M>
  GrainDelivery Deliver(const M& message, std::optional<Epoch> expected = {}) {
    Message inbound = Inbound(message);
    GrainDelivery delivery = port().DeliverToGrain(kId, expected, inbound);
    if (delivery.outcome == Outcome::kNotHere || delivery.outcome == Outcome::kStale) {
      EXPECT_NE(inbound.get(), nullptr) << "untouched";
      std::move(inbound).Fail(absl::UnavailableError("untouched"));
      replies_.Clear();
    }
    return delivery;
  }
  std::string Told(const Message& message) {
    std::string body;
    message.Encode(&body);
    return body;
  }

  const GrainId kId{"tally", "a"};
  Scene scene_;
  Journal replies_;
  std::string body_;
  ManualClock clock_;
  KeepingRouter router_;
  System system_{SystemOptions{.name = "host", .workers = 2, .clock = &clock_}};
};

TEST_F(GrainHostTest, ActivateRunsUnderTheGivenEpochAndSaysWhatIsThere) {
  const auto info = Activate(kId, At(7)).get();

  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->id, kId);
  EXPECT_EQ(info->epoch, At(7));
  EXPECT_EQ(info->state, ActivationState::kActive);
  EXPECT_EQ(journal().Text(), "made, activated");
}

TEST_F(GrainHostTest, ActivateTwiceActivatesOnceAndTheFirstEpochStays) {
  EXPECT_EQ(ActivatedAt(At(7)), At(7));

  EXPECT_EQ(ActivatedAt(At(7)), At(7));
  EXPECT_EQ(ActivatedAt(At(8)), At(7));
  EXPECT_EQ(journal().Text(), "made, activated");
}

TEST_F(GrainHostTest, OrdersThatComeWhileItActivatesAreAnsweredTogether) {
  scene_.stage.Lock();
  scene_.on_activate = [&] {
    FiberMutexLock lock(scene_.stage);
    return absl::OkStatus();
  };
  auto first = Activate(kId, At(7));
  journal().Await(2);
  auto second = Activate(kId, At(7));
  EXPECT_EQ(port().Activations().front().state, ActivationState::kActivating);

  scene_.stage.Unlock();

  EXPECT_EQ(first.get()->epoch, At(7));
  EXPECT_EQ(second.get()->epoch, At(7));
  EXPECT_EQ(journal().Text(), "made, activated");
}

TEST_F(GrainHostTest, ActivateFailsWithWhatOnActivateReturned) {
  scene_.on_activate = [] { return absl::FailedPreconditionError("not today"); };

  EXPECT_EQ(OutcomeOf(Activate(kId, At(7)).get()), "FAILED_PRECONDITION");
  EXPECT_EQ(OutcomeOf(Activate(GrainId("nobody", "a"), At(7)).get()), "NOT_FOUND");
  scene_.on_activate = nullptr;
  EXPECT_EQ(ActivatedAt(At(7)), At(7)) << "the epoch has not been used up";
}

TEST_F(GrainHostTest, DeliveryFindsTheActivationOrSaysWhatWasHere) {
  EXPECT_EQ(Deliver(Get{}).outcome, Outcome::kNotHere);
  EXPECT_EQ(Deliver(Get{}).epoch, Epoch{});
  ActivatedAt(At(7));

  const GrainDelivery accepted = Deliver(Get{}, At(7));
  EXPECT_EQ(replies_.Await(1), "OK from 0.1.1.7");
  const GrainDelivery stale = Deliver(Get{}, At(8));

  EXPECT_EQ(accepted.outcome, Outcome::kAccepted);
  EXPECT_EQ(accepted.epoch, At(7));
  EXPECT_EQ(stale.outcome, Outcome::kStale);
  EXPECT_EQ(stale.epoch, At(7));
}

TEST_F(GrainHostTest, AnEndedActivationIsReportedAndItsEpochRemembered) {
  ActivatedAt(At(7));

  port().Deactivate(kId, absl::AbortedError("moved"));

  EXPECT_EQ(router_.left.Await(1), "tally/a 0.1.1.7");
  EXPECT_EQ(journal().Text(), "made, activated, deactivated ABORTED, destroyed");
  const GrainDelivery gone = Deliver(Get{});
  EXPECT_EQ(gone.outcome, Outcome::kNotHere);
  EXPECT_EQ(gone.epoch, At(7));
}

TEST_F(GrainHostTest, AnOrderUnderAnEpochThatHasBeenHereIsRefused) {
  ActivatedAt(At(7));
  port().Deactivate(kId, absl::OkStatus());
  router_.left.Await(1);
  system_.WaitUntilQuiet();

  EXPECT_EQ(OutcomeOf(Activate(kId, At(7)).get()), "ABORTED stale_epoch");
  EXPECT_EQ(OutcomeOf(Activate(kId, At(6)).get()), "ABORTED stale_epoch");
  EXPECT_EQ(ActivatedAt(At(8)), At(8));
}

TEST_F(GrainHostTest, IdlenessIsReported) {
  ActivatedAt(At(7));
  system_.WaitUntilQuiet();

  clock_.Advance(minutes(3));

  EXPECT_EQ(router_.left.Await(1), "tally/a 0.1.1.7");
}

TEST_F(GrainHostTest, WhatIsQueuedWhenItEndsIsRoutedAgainInOrder) {
  ActivatedAt(At(7));
  scene_.stage.Lock();
  Deliver(Wait{});
  journal().Await(3);
  for (const char* text : {"one", "two"}) Deliver(Note{text});

  port().Deactivate(kId, absl::AbortedError("moved"));
  scene_.stage.Unlock();

  auto [first_target, first] = router_.Take();
  auto [second_target, second] = router_.Take();
  EXPECT_EQ(first_target, kId);
  EXPECT_EQ(Told(first), "one");
  EXPECT_EQ(Told(second), "two");
  EXPECT_EQ(router_.left.Text(), "tally/a 0.1.1.7") << "reported before";
}

TEST_F(GrainHostTest, AnOrderThatMeetsADeactivatingGrainBeginsAfterIt) {
  ActivatedAt(At(7));
  scene_.stage.Lock();
  scene_.on_deactivate = [&](const Status&) { FiberMutexLock lock(scene_.stage); };
  port().Deactivate(kId, absl::OkStatus());
  journal().Await(3);
  EXPECT_EQ(port().Activations().front().state, ActivationState::kDeactivating);
  const GrainDelivery meanwhile = Deliver(Get{});
  auto next = Activate(kId, At(8));

  scene_.stage.Unlock();

  EXPECT_EQ(next.get()->epoch, At(8));
  EXPECT_EQ(meanwhile.outcome, Outcome::kNotHere);
  EXPECT_EQ(meanwhile.epoch, At(7));
  EXPECT_EQ(journal().Text(), "made, activated, deactivated OK, destroyed, made, activated");
}

TEST_F(GrainHostTest, AFencedHostRunsNothingAndGoesOnWhenTheLeaseIsBack) {
  ActivatedAt(At(7));
  scene_.stage.Lock();
  Deliver(Wait{});
  journal().Await(3);
  Deliver(Get{});

  port().SetServingUntil(Time::min());
  scene_.stage.Unlock();

  EXPECT_EQ(replies_.Await(2), "OK from 0.1.1.7, UNAVAILABLE from 0.1.1.7");
  EXPECT_EQ(Deliver(Get{}).outcome, Outcome::kRefused);
  EXPECT_EQ(OutcomeOf(Activate(GrainId("tally", "b"), At(9)).get()), "UNAVAILABLE");
  replies_.Clear();
  port().SetServingUntil(kNever);
  EXPECT_EQ(Deliver(Get{}).outcome, Outcome::kAccepted);
  EXPECT_EQ(replies_.Await(1), "OK from 0.1.1.7");
}

TEST_F(GrainHostTest, TheFenceFallsByTheClockAlone) {
  ActivatedAt(At(7));
  port().SetServingUntil(clock_.Now() + seconds(16));
  EXPECT_EQ(Deliver(Get{}).outcome, Outcome::kAccepted);
  system_.WaitUntilQuiet();

  clock_.Advance(seconds(16));

  EXPECT_EQ(Deliver(Get{}).outcome, Outcome::kRefused);
}

TEST_F(GrainHostTest, AnActivationHereMakesItsOlderOnesElsewhereUnheard) {
  ActivatedAt(At(7));
  InboundMessage inbound;
  inbound.kind = "tally";
  inbound.type_name = Codec<Get>::kName;
  inbound.sender = {kId, At(6), 0};

  EXPECT_EQ(OutcomeOf(port().Decode(inbound).status()), "ABORTED stale_epoch");
  inbound.sender.epoch = At(7);
  EXPECT_TRUE(port().Decode(inbound).ok());
}

TEST_F(GrainHostTest, WhatAGrainSendsCarriesItsIdentityAndEpoch) {
  ActivatedAt(At(7));

  Deliver(Peer{"b"});

  auto [target, message] = router_.Take();
  EXPECT_EQ(target, GrainId("tally", "b"));
  EXPECT_EQ(message.sender().grain, kId);
  EXPECT_EQ(message.sender().epoch, At(7));
  EXPECT_FALSE(message.expects_reply());
}

TEST_F(GrainHostTest, StopAnswersWhatIsQueued) {
  ActivatedAt(At(7));
  scene_.stage.Lock();
  Deliver(Wait{});
  journal().Await(3);
  Deliver(Get{});
  auto stopped = std::async(std::launch::async, [&] { system_.Stop(); });
  while (OutcomeOf(Activate(GrainId("tally", "b"), At(9)).get()) != "UNAVAILABLE") {
  }

  scene_.stage.Unlock();
  stopped.get();

  // What was queued may still have had its turn before the stop reached this activation.
  EXPECT_THAT(replies_.Text(), ::testing::MatchesRegex("OK from 0.1.1.7, (UNAVAILABLE|OK from).*"));
  EXPECT_NE(router_.left.Text().find("tally/a 0.1.1.7"), std::string::npos);
}

}  // namespace
}  // namespace quern::testing
