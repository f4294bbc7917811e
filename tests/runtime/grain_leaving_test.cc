// How an activation ends that is in the middle of several handlers, and what becomes of its state.

#include <chrono>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <absl/strings/str_cat.h>
#include <absl/synchronization/mutex.h>

#include "grain_reentrancy_kit.h"

namespace quern::testing {

using namespace std::chrono_literals;
class GrainLeavingTest : public ReentrantGrains {};

// ---- The end of an activation

TEST_F(GrainLeavingTest, ADeactivationLetsThoseThatWaitEndAndTheRestGoesToTheNextActivation) {
  auto grain = Hosted(Reentrancy::kAllowAll);
  Pending<int64_t> waits = grain.AskAsync(AskNap(1, 50ms), 1h);
  system_.WaitUntilQuiet();

  EXPECT_TRUE(system_.Deactivate(grain).ok());
  system_.WaitUntilQuiet();
  for (const char* text : {"a", "b"}) EXPECT_EQ(grain.Tell(Note{text}), Delivery::kAccepted);
  EXPECT_EQ(Journal(), "made, begin 1");
  EXPECT_EQ(system_.ListGrains().grains.at(0).messages, 3u);
  Pass(100ms);

  EXPECT_EQ(Journal(), "made, begin 1, end 1, deactivated OK, destroyed, made, a, b");
  EXPECT_EQ(waits.Await().value(), 1);
}

TEST_F(GrainLeavingTest, OneThatWantsToLeaveWaitsForTheOthers) {
  auto grain = Hosted(Reentrancy::kAllowAll);
  grain.Tell(AskNap(1, 50ms));

  ASSERT_TRUE(grain.Ask(Leaving()).ok());
  grain.Tell(Note{"after"});
  Pass(100ms);

  EXPECT_EQ(Journal(), "made, begin 1, end 1, deactivated OK, destroyed, made, after");
}

TEST_F(GrainLeavingTest, WhatAHandlerWaitsForIsHandledAlsoWhileTheGrainLeaves) {
  auto a = Hosted(Reentrancy::kAllowAll, {.kind = "a"});
  auto b = Hosted(Reentrancy::kAllowAll, {.kind = "b"});
  const Do back{[&, a](Doer&, Context&) -> StatusOr<int64_t> {
    if (auto nap = NewNapper().Ask(Nap{0, 50ms}, 1h); !nap.ok()) return nap;
    a.Tell(Note{"told before"});
    return a.Ask(Do{[](Doer& self, Context&) {
                   self.Write("asked back");
                   return 7;
                 }},
                 1h);
  }};
  Pending<int64_t> asked = a.AskAsync(Asking(b, back), 1h);
  system_.WaitUntilQuiet();

  EXPECT_TRUE(system_.Deactivate(a).ok());
  system_.WaitUntilQuiet();
  a.Tell(Note{"of somebody else"});
  Pass(100ms);

  EXPECT_EQ(asked.Await().value(), 7);
  EXPECT_EQ(Journal(),
            "made, made, told before, asked back, deactivated OK, destroyed, made, "
            "of somebody else");
}

TEST_F(GrainLeavingTest, ANarrowMailboxStaysNarrowWhileTheGrainLeaves) {
  auto grain = Hosted(Reentrancy::kAllowAll, {.mailbox_capacity = 2});
  grain.Tell(AskNap(1, 50ms));
  system_.WaitUntilQuiet();
  EXPECT_TRUE(system_.Deactivate(grain).ok());

  int accepted = 0;
  for (int i = 0; i < 10; ++i) {
    system_.WaitUntilQuiet();
    if (grain.Tell(Note{absl::StrCat(i)}) == Delivery::kAccepted) ++accepted;
  }
  EXPECT_EQ(accepted, 4) << "two are put aside, two wait";
  Pass(100ms);

  EXPECT_EQ(Journal(), "made, begin 1, end 1, deactivated OK, destroyed, made, 0, 1, 2, 3");
}

TEST_F(GrainLeavingTest, AFailureCancelsTheOthersAndWhatIsQueuedGoesToTheNextActivation) {
  auto grain = Hosted(Reentrancy::kAllowAll);
  Pending<int64_t> waits = grain.AskAsync(AskNap(1, 1h), 2h);
  system_.WaitUntilQuiet();

  grain.Tell(Throwing());
  grain.Tell(Note{"after"});

  EXPECT_EQ(Journal(),
            "made, begin 1, CANCELLED cancelled 1, deactivated UNKNOWN, destroyed, made, "
            "after");
  EXPECT_EQ(OutcomeOf(waits.Await()), "CANCELLED cancelled");
}

TEST_F(GrainLeavingTest, OneThatFailsAfterItHasWaitedEndsTheActivationAsWell) {
  auto grain = Hosted(Reentrancy::kAllowAll);
  grain.Tell(Do{[napper = NewNapper()](Doer&, Context&) -> StatusOr<int64_t> {
    (void)napper.Ask(Nap{1, 50ms}, 1h);
    throw std::runtime_error("boom");
  }});
  grain.Tell(AskNap(2, 1h));
  Pass(60ms);
  grain.Tell(Note{"after"});

  EXPECT_EQ(Journal(),
            "made, begin 2, CANCELLED cancelled 2, deactivated UNKNOWN, destroyed, made, "
            "after");
}

TEST_F(GrainLeavingTest, AFailureIsTheReasonEvenWhenAnEndHadBeenAskedFor) {
  auto grain = Hosted(Reentrancy::kAllowAll);
  grain.Tell(Do{[napper = NewNapper()](Doer&, Context&) -> StatusOr<int64_t> {
    (void)napper.Ask(Nap{1, 50ms}, 1h);
    throw std::runtime_error("boom");
  }});
  system_.WaitUntilQuiet();

  EXPECT_TRUE(system_.Deactivate(grain).ok());
  Pass(60ms);

  EXPECT_EQ(Journal(), "made, deactivated UNKNOWN, destroyed");
}

TEST_F(GrainLeavingTest, AStopCancelsAllThatWait) {
  auto grain = Hosted(Reentrancy::kAllowAll);
  grain.Tell(AskNap(1, 1h));
  grain.Tell(AskNap(2, 1h));
  system_.WaitUntilQuiet();

  system_.Stop();

  EXPECT_EQ(scene_.journal.Text(),
            "made, begin 1, begin 2, CANCELLED cancelled 1, "
            "CANCELLED cancelled 2, deactivated CANCELLED, destroyed");
}

TEST_F(GrainLeavingTest, AGrainWithAHandlerThatWaitsIsNotIdle) {
  auto grain = Hosted(Reentrancy::kAllowAll, {.idle_timeout = 100ms});
  grain.Tell(AskNap(1, 500ms));
  grain.Tell(Note{"next"});

  Pass(510ms);
  EXPECT_EQ(Journal(), "made, begin 1, next, end 1");
  Pass(100ms);

  EXPECT_EQ(Journal(), "made, begin 1, next, end 1, deactivated OK, destroyed");
}

TEST_F(GrainLeavingTest, AskedBackInOnDeactivateItIsACycleAndNobodyWaits) {
  auto a = Hosted(Reentrancy::kAllowAll, {.kind = "a"});
  auto b = Hosted(Reentrancy::kAllowAll, {.kind = "b"});
  ASSERT_TRUE(a.Ask(Returning(0)).ok());
  bool first = true;
  scene_.on_deactivate = [&](const Status&) {
    if (!std::exchange(first, false)) return;
    scene_.journal.Add(OutcomeOf(b.Ask(Asking(a, Returning(1)), 1h)));
  };

  EXPECT_TRUE(system_.Deactivate(a).ok());

  EXPECT_EQ(Journal(), "made, deactivated OK, made, FAILED_PRECONDITION ask_cycle, destroyed");
  EXPECT_EQ(a.Ask(Returning(2)).value(), 2);
  system_.Stop();
}

TEST_F(GrainLeavingTest, AskedBackInOnDeactivateFromAnotherNodeItIsACycleToo) {
  const GrainId id("a", "a");
  auto a = Hosted(Reentrancy::kOff, {.kind = "a"});
  KeepingRouter router;
  NetworkPort& port = system_.network_port();
  port.SetRouter(&router);
  port.Activate(id, Epoch{.counter = 1}, [](const StatusOr<ActivationInfo>&) {});
  system_.WaitUntilQuiet();
  const Ref<DoerApi> far = system_.Grain<DoerApi>("far", "elsewhere");
  scene_.on_deactivate = [far](const Status&) { (void)far.Ask(Note{"there"}, 1h); };
  port.Deactivate(id, absl::OkStatus());
  Message asked = router.Take().second;
  InboundMessage back;
  back.kind = "a";
  back.type_name = "test.Note";
  back.call_chain = asked.call_chain();
  std::string outcome;
  back.on_reply = [&](const EncodedReply& reply) { outcome = OutcomeOf(reply.status); };
  Message inbound = port.Decode(std::move(back)).value();

  const GrainDelivery delivery = port.DeliverToGrain(id, {}, inbound);

  EXPECT_EQ(delivery.outcome, GrainDelivery::Outcome::kRefused);
  EXPECT_EQ(outcome, "FAILED_PRECONDITION ask_cycle");
  std::move(asked).Complete("", {});
  system_.Stop();
  port.SetRouter(nullptr);
}

// ---- Its state

// Keeps every save to itself until it is released.
class HoldingStore : public FaultyStore {
 public:
  void Save(const StateClaim& claim, StateSnapshot snapshot, Duration timeout,
            std::function<void(StatusOr<StateClaim>)> done) override {
    absl::MutexLock lock(&mutex_);
    held_.push_back([=, this, snapshot = std::move(snapshot), done = std::move(done)]() mutable {
      FaultyStore::Save(claim, std::move(snapshot), timeout, std::move(done));
    });
  }
  size_t held() {
    absl::MutexLock lock(&mutex_);
    return held_.size();
  }
  void Release() {
    std::function<void()> save;
    {
      absl::MutexLock lock(&mutex_);
      save = std::move(held_.front());
      held_.pop_front();
    }
    save();
  }

 private:
  absl::Mutex mutex_;
  std::deque<std::function<void()>> held_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(GrainLeavingTest, SavesOfTwoHandlersComeOneAfterTheOther) {
  HoldingStore store;
  auto grain = Hosted(Reentrancy::kAllowAll, {.state_store = &store});
  const auto add = [&](int64_t amount) {
    return Do{[amount, napper = NewNapper()](Doer& self, Context&) -> StatusOr<int64_t> {
      if (auto nap = napper.Ask(Nap{0, 10ms}, 1h); !nap.ok()) return nap;
      *self.total += amount;
      return self.total.SaveThen(amount);
    }};
  };
  std::vector<Pending<int64_t>> added;
  for (int64_t i = 1; i <= 20; ++i) added.push_back(grain.AskAsync(add(i), 1h));
  Pass(20ms);

  for (int64_t i = 1; i <= 20; ++i) {
    system_.WaitUntilQuiet();
    ASSERT_EQ(store.held(), 1u);
    store.Release();
  }
  for (int64_t i = 1; i <= 20; ++i) {
    EXPECT_EQ(added[static_cast<size_t>(i - 1)].Await().value(), i);
  }
  ASSERT_TRUE(grain.Ask(Leaving()).ok());

  EXPECT_EQ(grain.Ask(Do{[](Doer& self, Context&) { return *self.total; }}).value(), 210);
  EXPECT_EQ(store.refused_writes(), 0u);
  system_.Stop();
}

TEST_F(GrainLeavingTest, AFailedSaveAnswersAllThatWaitAndNoFurtherHandlerBegins) {
  auto grain = Hosted(Reentrancy::kAllowAll, {.state_store = &store_});
  Pending<int64_t> waits = grain.AskAsync(Do{[napper = NewNapper()](Doer& self, Context&) {
                                            (void)napper.Ask(Nap{1, 1h}, 2h);
                                            return *self.total;  // of a state that is no more
                                          }},
                                          2h);
  system_.WaitUntilQuiet();
  store_.FailNext(absl::UnavailableError("no disk"));

  Pending<int64_t> saves =
      grain.AskAsync(Do{[napper = NewNapper()](Doer& self, Context&) {
                       *self.total = 99;
                       (void)self.total.Save();
                       self.Write("not saved");
                       (void)napper.Ask(Nap{1, 50ms}, 1h);  // others might run now
                       return 1;
                     }},
                     2h);
  grain.Tell(Note{"after"});
  EXPECT_EQ(Journal(), "made, not saved");
  Pass(60ms);

  EXPECT_EQ(saves.Await().status().message(), "no disk");
  EXPECT_EQ(waits.Await().status().message(), "no disk");
  EXPECT_EQ(Journal(), "made, not saved, deactivated UNAVAILABLE, destroyed, made, after");
  EXPECT_EQ(grain.Ask(Do{[](Doer& self, Context&) { return *self.total; }}).value(), 0);
}

}  // namespace quern::testing
