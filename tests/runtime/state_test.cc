#include "quern/runtime/state.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "grain_test_kit.h"

namespace quern::testing {
namespace {

using std::chrono::seconds;

class StateTest : public ::testing::Test {
 protected:
  StateTest() { Scene::current = &scene_; }
  ~StateTest() override {
    system_.Stop();
    Scene::current = nullptr;
  }

  void SetUp() override { ASSERT_TRUE(system_.Host<Tally>().ok()); }

  Ref<TallyApi> Tallied() { return system_.Grain<TallyApi>("a"); }
  Journal& journal() { return scene_.journal; }

  // Another owner, of the same epoch, has claimed the record: the revision has moved.
  StatusOr<ClaimedState> ClaimElsewhere(const Epoch& epoch) {
    StatusOr<ClaimedState> result = absl::UnknownError("");
    store_.memory().Claim(kId, epoch, seconds(1),
                          [&](StatusOr<ClaimedState> claimed) { result = std::move(claimed); });
    return result;
  }
  Epoch EpochHere() {
    const auto here = system_.network_port().Activations();
    return here.empty() ? Epoch{} : here.front().epoch;
  }
  // Ends the activation without touching the store.
  void Passivate() {
    ASSERT_TRUE(Tallied().Ask(Leave{}).ok());
    system_.WaitUntilQuiet();
    journal().Clear();
  }

  const GrainId kId{"tally", "a"};
  Scene scene_;
  FaultyStore store_;
  ManualClock clock_;
  System system_{
      SystemOptions{.name = "state", .workers = 2, .clock = &clock_, .state_store = &store_}};
};

TEST_F(StateTest, WhatWasSavedIsThereAfterPassivation) {
  ASSERT_EQ(Tallied().Ask(Add{5}).value(), 5);
  const Epoch first = EpochHere();
  Passivate();

  EXPECT_EQ(Tallied().Ask(Get{}).value(), 5);
  EXPECT_GT(EpochHere(), first);
}

TEST_F(StateTest, ARepeatedMessageIsKnownByItsMarkAfterPassivationToo) {
  ASSERT_EQ(Tallied().Ask(Add{5, "reader", 7}).value(), 5);
  Passivate();

  EXPECT_EQ(Tallied().Ask(Add{5, "reader", 7}).value(), 5);
  EXPECT_EQ(Tallied().Ask(Add{5, "reader", 8}).value(), 10);
  EXPECT_EQ(Tallied().Ask(Add{5, "other", 7}).value(), 15);
}

TEST_F(StateTest, TheRecordIsClaimedBeforeOnActivate) {
  uint64_t operations = 0;
  scene_.on_activate = [&] {
    operations = store_.operations();
    return absl::OkStatus();
  };

  ASSERT_TRUE(Tallied().Ask(Get{}).ok());

  EXPECT_EQ(operations, 1u);
  EXPECT_EQ(OutcomeOf(ClaimElsewhere(Epoch{})), "ABORTED stale_epoch") << "the epoch is stored";
}

TEST_F(StateTest, ASaveThatLandsAfterAnotherClaimIsRefusedAndEndsTheActivation) {
  ASSERT_EQ(Tallied().Ask(Add{5}).value(), 5);
  ASSERT_TRUE(ClaimElsewhere(EpochHere()).ok());
  journal().Clear();

  const Status late = Tallied().Ask(Add{1}).status();

  EXPECT_EQ(OutcomeOf(late), "ABORTED stale_epoch");
  EXPECT_EQ(store_.refused_writes(), 1u);
  EXPECT_EQ(journal().Await(2), "deactivated ABORTED, destroyed");
  EXPECT_EQ(Tallied().Ask(Get{}).value(), 5) << "the next activation reads what is stored";
}

TEST_F(StateTest, AHandlerCannotAnswerOverAFailedSave) {
  ASSERT_TRUE(Tallied().Ask(Get{}).ok());
  ASSERT_TRUE(ClaimElsewhere(EpochHere()).ok());

  EXPECT_EQ(OutcomeOf(Tallied().Ask(Disobey{})), "ABORTED stale_epoch");
}

TEST_F(StateTest, NoFurtherMessageRunsOverALostStateAndTheQueueGoesToTheNextActivation) {
  ASSERT_EQ(Tallied().Ask(Add{5}).value(), 5);
  scene_.stage.Lock();
  Tallied().Tell(Wait{});
  journal().Await(3);
  ASSERT_TRUE(ClaimElsewhere(EpochHere()).ok());
  Tallied().Tell(Add{1});
  Tallied().Tell(Add{10});
  journal().Clear();

  scene_.stage.Unlock();

  EXPECT_EQ(Tallied().Ask(Get{}).value(), 15);
  EXPECT_EQ(journal().Text(), "deactivated ABORTED, destroyed, made, activated");
}

TEST_F(StateTest, AHigherEpochElsewhereKeepsTheGrainFromComingBack) {
  ASSERT_EQ(Tallied().Ask(Add{5}).value(), 5);
  ASSERT_TRUE(ClaimElsewhere(Epoch{0, 1, 1, 1}).ok());
  Passivate();

  const Status refused = Tallied().Ask(Get{}).status();

  EXPECT_EQ(OutcomeOf(refused), "ABORTED stale_epoch");
  EXPECT_EQ(journal().Text(), "made, destroyed") << "OnActivate never ran";
}

TEST_F(StateTest, AnUnknownOutcomeEndsTheActivationAndTheNextOneSeesTheTruth) {
  ASSERT_EQ(Tallied().Ask(Add{5}).value(), 5);
  journal().Clear();
  store_.WriteThenFailNext(absl::DeadlineExceededError("no answer"));

  EXPECT_EQ(OutcomeOf(Tallied().Ask(Add{1, "reader", 1})), "DEADLINE_EXCEEDED");

  EXPECT_EQ(journal().Await(2), "deactivated DEADLINE_EXCEEDED, destroyed");
  EXPECT_EQ(Tallied().Ask(Add{1, "reader", 1}).value(), 6) << "it had been written";
}

TEST_F(StateTest, AStoreThatCannotBeReachedEndsTheActivationAndNothingIsCountedTwice) {
  ASSERT_EQ(Tallied().Ask(Add{5}).value(), 5);
  store_.FailNext(WithReason(absl::UnavailableError("down"), Reason::kStorageUnavailable));

  EXPECT_EQ(OutcomeOf(Tallied().Ask(Add{1, "reader", 1})), "UNAVAILABLE storage_unavailable");

  EXPECT_EQ(Tallied().Ask(Add{1, "reader", 1}).value(), 6) << "it had not been written";
}

TEST_F(StateTest, ASilentStoreIsGivenUpAfterTheTimeout) {
  ASSERT_EQ(Tallied().Ask(Add{5}).value(), 5);
  journal().Clear();
  store_.BeSilentNext();
  Tallied().Tell(Add{1});
  system_.WaitUntilQuiet();
  EXPECT_EQ(journal().Text(), "");

  clock_.Advance(seconds(7));

  EXPECT_EQ(journal().Await(2), "deactivated DEADLINE_EXCEEDED, destroyed");
  EXPECT_EQ(Tallied().Ask(Get{}).value(), 5);
}

TEST_F(StateTest, AFailedClaimFailsTheActivationAndTheNextCallTriesAgain) {
  store_.FailNext(WithReason(absl::UnavailableError("down"), Reason::kStorageUnavailable));

  EXPECT_EQ(OutcomeOf(Tallied().Ask(Get{})), "UNAVAILABLE storage_unavailable");

  EXPECT_EQ(journal().Text(), "made, destroyed");
  EXPECT_TRUE(Tallied().Ask(Get{}).ok());
}

TEST_F(StateTest, ClearLeavesATombstoneAndAFreshValue) {
  ASSERT_EQ(Tallied().Ask(Add{5, "reader", 1}).value(), 5);

  ASSERT_TRUE(Tallied().Ask(Forget{}).ok());

  EXPECT_EQ(Tallied().Ask(Get{}).value(), 0);
  Passivate();
  EXPECT_EQ(Tallied().Ask(Add{5, "reader", 1}).value(), 5) << "the mark is gone as well";
}

TEST_F(StateTest, ASaveInOnDeactivateIsKept) {
  struct Late : Tally {
    void OnDeactivate(const Status&) override {
      *total += 100;
      (void)total.Save();
    }
  };
  ASSERT_TRUE(system_.Host<Late>({.kind = "late"}).ok());
  const Ref<TallyApi> late = system_.Grain<TallyApi>("a", "late");
  ASSERT_EQ(late.Ask(Add{5}).value(), 5);

  ASSERT_TRUE(late.Ask(Leave{}).ok());

  EXPECT_EQ(late.Ask(Get{}).value(), 105);
}

TEST_F(StateTest, StateOfANewerSchemaIsNotTouched) {
  const auto claimed = ClaimElsewhere(Epoch{});
  ASSERT_TRUE(claimed.ok());
  StateSnapshot snapshot;
  Codec<int64_t>::Encode(9, &snapshot.data);
  snapshot.schema_version = 2;
  store_.memory().Save(claimed->claim, snapshot, seconds(1),
                       [](const StatusOr<StateClaim>& saved) { ASSERT_TRUE(saved.ok()); });

  const Status refused = Tallied().Ask(Get{}).status();

  EXPECT_EQ(OutcomeOf(refused), "FAILED_PRECONDITION") << refused;
}

TEST_F(StateTest, StateThatDoesNotParseFailsTheActivation) {
  const auto claimed = ClaimElsewhere(Epoch{});
  ASSERT_TRUE(claimed.ok());
  store_.memory().Save(claimed->claim, StateSnapshot{"abc", 1, {}}, seconds(1),
                       [](const StatusOr<StateClaim>& saved) { ASSERT_TRUE(saved.ok()); });

  EXPECT_EQ(OutcomeOf(Tallied().Ask(Get{})), "DATA_LOSS");
}

TEST_F(StateTest, AGrainHasOneState) {
  struct Two : Tally {
    State<int64_t> second{this};
  };
  ASSERT_TRUE(system_.Host<Two>({.kind = "two"}).ok());

  EXPECT_EQ(OutcomeOf(system_.Grain<TallyApi>("a", "two").Ask(Get{})), "FAILED_PRECONDITION");
}

TEST_F(StateTest, AKindMayHaveAStoreOfItsOwn) {
  MemoryStateStore own;
  ASSERT_TRUE(system_.Host<Tally>({.kind = "own", .state_store = &own}).ok());

  ASSERT_TRUE(system_.Grain<TallyApi>("a", "own").Ask(Add{1}).ok());

  EXPECT_EQ(own.size(), 1u);
  EXPECT_EQ(store_.memory().size(), 0u);
  system_.Stop();
}

}  // namespace
}  // namespace quern::testing
