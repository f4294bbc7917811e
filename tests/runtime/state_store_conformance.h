// What every StateStore must do, whatever keeps the records: run this suite on each.
//
//   class MemoryHarness {
//    public:
//     StateStore& first();    // two stores over the same records, as two processes hold them
//     StateStore& second();
//   };
//   INSTANTIATE_TYPED_TEST_SUITE_P(Memory, StateStoreConformance, MemoryHarness);
//
// A harness is built anew for each case, by its default constructor, over empty records. Callbacks
// may come inline or from any thread; the suite waits for them.

#ifndef QUERN_TESTS_RUNTIME_STATE_STORE_CONFORMANCE_H_
#define QUERN_TESTS_RUNTIME_STATE_STORE_CONFORMANCE_H_

#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "quern/runtime/state_store.h"

namespace quern::testing {

template <typename Harness>
class StateStoreConformance : public ::testing::Test {
 protected:
  static constexpr Duration kTimeout = std::chrono::seconds(20);

  // A callback that fills the future once; a second call throws and fails the test.
  template <typename T, typename Start>
  static StatusOr<T> Await(Start start) {
    auto promise = std::make_shared<std::promise<StatusOr<T>>>();
    std::future<StatusOr<T>> future = promise->get_future();
    start([promise](StatusOr<T> result) { promise->set_value(std::move(result)); });
    return future.get();
  }

  static StatusOr<ClaimedState> Claim(StateStore& store, const GrainId& id, const Epoch& epoch) {
    return Await<ClaimedState>(
        [&](auto done) { store.Claim(id, epoch, kTimeout, std::move(done)); });
  }
  static StatusOr<StateClaim> Save(StateStore& store, const StateClaim& claim,
                                   StateSnapshot snapshot) {
    return Await<StateClaim>(
        [&](auto done) { store.Save(claim, std::move(snapshot), kTimeout, std::move(done)); });
  }
  static StatusOr<StateClaim> Clear(StateStore& store, const StateClaim& claim) {
    return Await<StateClaim>([&](auto done) { store.Clear(claim, kTimeout, std::move(done)); });
  }

  static StateSnapshot Snapshot(std::string data) {
    StateSnapshot snapshot;
    snapshot.data = std::move(data);
    return snapshot;
  }
  static Epoch EpochOf(uint64_t view, uint64_t counter) { return Epoch{0, 1, view, counter}; }

  // "ABORTED stale_epoch" for a refusal, "ok" for success.
  template <typename T>
  static std::string Outcome(const StatusOr<T>& result) {
    if (result.ok()) return "ok";
    return absl::StatusCodeToString(result.status().code()) + " " +
           std::string(ReasonName(ReasonOf(result.status())));
  }

  Harness harness_;
  const GrainId id_{"counter", "page/home"};
};

TYPED_TEST_SUITE_P(StateStoreConformance);

TYPED_TEST_P(StateStoreConformance, ClaimOfANewGrainFindsNothing) {
  const auto claimed = this->Claim(this->harness_.first(), this->id_, this->EpochOf(1, 1));

  ASSERT_EQ(this->Outcome(claimed), "ok");
  EXPECT_FALSE(claimed->exists);
  EXPECT_EQ(claimed->snapshot.data, "");
  EXPECT_TRUE(claimed->snapshot.marks.empty());
  EXPECT_EQ(claimed->claim.id, this->id_);
  EXPECT_EQ(claimed->claim.epoch, this->EpochOf(1, 1));
  EXPECT_GT(claimed->claim.revision, 0u);
}

TYPED_TEST_P(StateStoreConformance, TheNextOwnerReadsWhatWasSavedWholly) {
  StateSnapshot written = this->Snapshot(std::string("bytes\0\xFF\n of any kind", 20));
  written.schema_version = 7;
  written.marks = {{"reader/west", 41}, {"reader/east", ~uint64_t{0}}, {"", 3}};
  const auto first = this->Claim(this->harness_.first(), this->id_, this->EpochOf(1, 1));
  ASSERT_EQ(this->Outcome(first), "ok");
  ASSERT_EQ(this->Outcome(this->Save(this->harness_.first(), first->claim, written)), "ok");

  const auto next = this->Claim(this->harness_.second(), this->id_, this->EpochOf(1, 2));

  ASSERT_EQ(this->Outcome(next), "ok");
  EXPECT_TRUE(next->exists);
  EXPECT_EQ(next->snapshot.data, written.data);
  EXPECT_EQ(next->snapshot.schema_version, 7u);
  EXPECT_EQ(next->snapshot.marks, written.marks);
}

TYPED_TEST_P(StateStoreConformance, EachSaveContinuesFromTheClaimThatTheLastOneReturned) {
  const auto claimed = this->Claim(this->harness_.first(), this->id_, this->EpochOf(1, 1));
  ASSERT_EQ(this->Outcome(claimed), "ok");
  StateClaim claim = claimed->claim;

  for (const char* data : {"one", "two", "three"}) {
    const auto saved = this->Save(this->harness_.first(), claim, this->Snapshot(data));
    ASSERT_EQ(this->Outcome(saved), "ok") << data;
    EXPECT_NE(saved->revision, claim.revision);
    EXPECT_EQ(saved->epoch, claim.epoch);
    claim = *saved;
  }

  const auto next = this->Claim(this->harness_.second(), this->id_, this->EpochOf(1, 2));
  ASSERT_EQ(this->Outcome(next), "ok");
  EXPECT_EQ(next->snapshot.data, "three");
}

TYPED_TEST_P(StateStoreConformance, AClaimLeavesTheDataUnchangedAndMovesTheRevision) {
  const auto first = this->Claim(this->harness_.first(), this->id_, this->EpochOf(1, 1));
  ASSERT_EQ(this->Outcome(first), "ok");
  const auto saved = this->Save(this->harness_.first(), first->claim, this->Snapshot("kept"));
  ASSERT_EQ(this->Outcome(saved), "ok");

  const auto again = this->Claim(this->harness_.second(), this->id_, this->EpochOf(1, 2));
  const auto once_more = this->Claim(this->harness_.second(), this->id_, this->EpochOf(2, 1));

  ASSERT_EQ(this->Outcome(again), "ok");
  ASSERT_EQ(this->Outcome(once_more), "ok");
  EXPECT_EQ(again->snapshot.data, "kept");
  EXPECT_EQ(once_more->snapshot.data, "kept");
  EXPECT_NE(again->claim.revision, saved->revision);
  EXPECT_NE(once_more->claim.revision, again->claim.revision);
}

TYPED_TEST_P(StateStoreConformance, ASaveThatLandsAfterAnotherClaimIsRefusedAndCounted) {
  const auto old_owner = this->Claim(this->harness_.first(), this->id_, this->EpochOf(1, 1));
  ASSERT_EQ(this->Outcome(old_owner), "ok");
  ASSERT_EQ(this->Outcome(this->Claim(this->harness_.second(), this->id_, this->EpochOf(2, 1))),
            "ok");

  const auto late = this->Save(this->harness_.first(), old_owner->claim, this->Snapshot("late"));

  EXPECT_EQ(this->Outcome(late), "ABORTED stale_epoch");
  EXPECT_NE(late.status().message().find(this->EpochOf(2, 1).ToString().c_str()),
            absl::string_view::npos)
      << late.status();
  EXPECT_EQ(this->harness_.first().refused_writes(), 1u);
  const auto now = this->Claim(this->harness_.second(), this->id_, this->EpochOf(2, 2));
  ASSERT_EQ(this->Outcome(now), "ok");
  EXPECT_FALSE(now->exists);
}

TYPED_TEST_P(StateStoreConformance, ASaveAtAnOldRevisionOfOnesOwnIsRefused) {
  const auto claimed = this->Claim(this->harness_.first(), this->id_, this->EpochOf(1, 1));
  ASSERT_EQ(this->Outcome(claimed), "ok");
  ASSERT_EQ(this->Outcome(this->Save(this->harness_.first(), claimed->claim, this->Snapshot("a"))),
            "ok");

  const auto twice = this->Save(this->harness_.first(), claimed->claim, this->Snapshot("b"));

  EXPECT_EQ(this->Outcome(twice), "ABORTED stale_epoch");
  const auto next = this->Claim(this->harness_.second(), this->id_, this->EpochOf(1, 2));
  ASSERT_EQ(this->Outcome(next), "ok");
  EXPECT_EQ(next->snapshot.data, "a");
}

TYPED_TEST_P(StateStoreConformance, ALowerEpochCannotClaim) {
  ASSERT_EQ(this->Outcome(this->Claim(this->harness_.first(), this->id_, this->EpochOf(3, 1))),
            "ok");

  const auto lower = this->Claim(this->harness_.second(), this->id_, this->EpochOf(2, 900));

  EXPECT_EQ(this->Outcome(lower), "ABORTED stale_epoch");
  EXPECT_NE(lower.status().message().find(this->EpochOf(3, 1).ToString().c_str()),
            absl::string_view::npos)
      << lower.status();
}

TYPED_TEST_P(StateStoreConformance, ARefusedClaimDisturbsNobody) {
  const auto owner = this->Claim(this->harness_.first(), this->id_, this->EpochOf(3, 1));
  ASSERT_EQ(this->Outcome(owner), "ok");
  ASSERT_FALSE(this->Claim(this->harness_.second(), this->id_, this->EpochOf(2, 1)).ok());

  const auto saved = this->Save(this->harness_.first(), owner->claim, this->Snapshot("mine"));

  EXPECT_EQ(this->Outcome(saved), "ok");
}

TYPED_TEST_P(StateStoreConformance, TheSameEpochMayClaimAgainAndEndsItsOlderClaim) {
  const auto first = this->Claim(this->harness_.first(), this->id_, this->EpochOf(1, 1));
  ASSERT_EQ(this->Outcome(first), "ok");

  const auto again = this->Claim(this->harness_.first(), this->id_, this->EpochOf(1, 1));

  ASSERT_EQ(this->Outcome(again), "ok");
  EXPECT_EQ(this->Outcome(this->Save(this->harness_.first(), first->claim, this->Snapshot("x"))),
            "ABORTED stale_epoch");
  EXPECT_EQ(this->Outcome(this->Save(this->harness_.first(), again->claim, this->Snapshot("y"))),
            "ok");
}

TYPED_TEST_P(StateStoreConformance, ClearLeavesATombstoneThatKeepsTheEpoch) {
  const auto owner = this->Claim(this->harness_.first(), this->id_, this->EpochOf(5, 1));
  ASSERT_EQ(this->Outcome(owner), "ok");
  StateSnapshot written = this->Snapshot("gone soon");
  written.marks = {{"reader", 9}};
  const auto saved = this->Save(this->harness_.first(), owner->claim, written);
  ASSERT_EQ(this->Outcome(saved), "ok");

  const auto cleared = this->Clear(this->harness_.first(), *saved);

  ASSERT_EQ(this->Outcome(cleared), "ok");
  EXPECT_EQ(this->Outcome(this->Claim(this->harness_.second(), this->id_, this->EpochOf(4, 1))),
            "ABORTED stale_epoch");
  const auto next = this->Claim(this->harness_.second(), this->id_, this->EpochOf(5, 2));
  ASSERT_EQ(this->Outcome(next), "ok");
  EXPECT_FALSE(next->exists);
  EXPECT_EQ(next->snapshot.data, "");
  EXPECT_TRUE(next->snapshot.marks.empty());
}

TYPED_TEST_P(StateStoreConformance, TheOwnerSavesAgainAfterClear) {
  const auto owner = this->Claim(this->harness_.first(), this->id_, this->EpochOf(1, 1));
  ASSERT_EQ(this->Outcome(owner), "ok");
  const auto cleared = this->Clear(this->harness_.first(), owner->claim);
  ASSERT_EQ(this->Outcome(cleared), "ok");

  const auto saved = this->Save(this->harness_.first(), *cleared, this->Snapshot("anew"));

  ASSERT_EQ(this->Outcome(saved), "ok");
  const auto next = this->Claim(this->harness_.second(), this->id_, this->EpochOf(1, 2));
  ASSERT_EQ(this->Outcome(next), "ok");
  EXPECT_TRUE(next->exists);
  EXPECT_EQ(next->snapshot.data, "anew");
}

TYPED_TEST_P(StateStoreConformance, AClearThatLandsAfterAnotherClaimIsRefusedAndCounted) {
  const auto old_owner = this->Claim(this->harness_.first(), this->id_, this->EpochOf(1, 1));
  ASSERT_EQ(this->Outcome(old_owner), "ok");
  const auto saved = this->Save(this->harness_.first(), old_owner->claim, this->Snapshot("kept"));
  ASSERT_EQ(this->Outcome(saved), "ok");
  ASSERT_EQ(this->Outcome(this->Claim(this->harness_.second(), this->id_, this->EpochOf(1, 2))),
            "ok");

  const auto late = this->Clear(this->harness_.first(), *saved);

  EXPECT_EQ(this->Outcome(late), "ABORTED stale_epoch");
  EXPECT_EQ(this->harness_.first().refused_writes(), 1u);
  const auto now = this->Claim(this->harness_.second(), this->id_, this->EpochOf(1, 3));
  ASSERT_EQ(this->Outcome(now), "ok");
  EXPECT_EQ(now->snapshot.data, "kept");
}

TYPED_TEST_P(StateStoreConformance, AClaimThatWasNeverGrantedCannotWrite) {
  const StateClaim invented{this->id_, this->EpochOf(9, 9), 0};

  EXPECT_EQ(this->Outcome(this->Save(this->harness_.first(), invented, this->Snapshot("x"))),
            "ABORTED stale_epoch");
  const auto claimed = this->Claim(this->harness_.first(), this->id_, this->EpochOf(1, 1));
  ASSERT_EQ(this->Outcome(claimed), "ok");
  EXPECT_FALSE(claimed->exists);
}

TYPED_TEST_P(StateStoreConformance, EpochsCompareFieldByField) {
  const GrainId id = this->id_;
  ASSERT_EQ(this->Outcome(this->Claim(this->harness_.first(), id, Epoch{0, 1, 9, 9})), "ok");
  ASSERT_EQ(this->Outcome(this->Claim(this->harness_.first(), id, Epoch{0, 2, 1, 1})), "ok");
  ASSERT_EQ(this->Outcome(this->Claim(this->harness_.first(), id, Epoch{1, 1, 1, 1})), "ok");

  EXPECT_EQ(this->Outcome(this->Claim(this->harness_.second(), id, Epoch{0, 9, 9, 9})),
            "ABORTED stale_epoch");
}

TYPED_TEST_P(StateStoreConformance, GrainsWithConfusableNamesKeepApartRecords) {
  const GrainId ids[] = {{"a", "b/c"}, {"a.b", "c"}, {"a", "b.c"}, {"a", "b"}, {"a", "b*>% c"}};
  for (const GrainId& id : ids) {
    const auto claimed = this->Claim(this->harness_.first(), id, this->EpochOf(1, 1));
    ASSERT_EQ(this->Outcome(claimed), "ok") << id;
    EXPECT_FALSE(claimed->exists) << id;
    ASSERT_EQ(this->Outcome(this->Save(this->harness_.first(), claimed->claim,
                                       this->Snapshot(id.ToString() + "|" + id.kind))),
              "ok");
  }

  for (const GrainId& id : ids) {
    const auto next = this->Claim(this->harness_.second(), id, this->EpochOf(1, 2));
    ASSERT_EQ(this->Outcome(next), "ok") << id;
    EXPECT_EQ(next->snapshot.data, id.ToString() + "|" + id.kind);
  }
}

TYPED_TEST_P(StateStoreConformance, OfConcurrentClaimsTheHighestEpochOwnsAndAllOthersAreRefused) {
  constexpr uint64_t kClaimers = 8;
  std::map<uint64_t, std::future<StatusOr<ClaimedState>>> claims;
  for (uint64_t i = 1; i <= kClaimers; ++i) {
    auto promise = std::make_shared<std::promise<StatusOr<ClaimedState>>>();
    claims[i] = promise->get_future();
    StateStore& store = i % 2 == 0 ? this->harness_.first() : this->harness_.second();
    store.Claim(this->id_, this->EpochOf(1, i), this->kTimeout,
                [promise](StatusOr<ClaimedState> c) { promise->set_value(std::move(c)); });
  }

  std::map<uint64_t, StatusOr<ClaimedState>> claimed;
  for (auto& [i, future] : claims) claimed.emplace(i, future.get());
  for (uint64_t i = 1; i <= kClaimers; ++i) {
    StateStore& store = i % 2 == 0 ? this->harness_.first() : this->harness_.second();
    const auto& claim = claimed.at(i);
    if (!claim.ok()) continue;  // overtaken by a higher epoch
    const auto saved = this->Save(store, claim->claim, this->Snapshot(std::to_string(i)));
    EXPECT_EQ(saved.ok(), i == kClaimers) << i << ": " << saved.status();
  }
  ASSERT_EQ(this->Outcome(claimed.at(kClaimers)), "ok");
}

REGISTER_TYPED_TEST_SUITE_P(StateStoreConformance, ClaimOfANewGrainFindsNothing,
                            TheNextOwnerReadsWhatWasSavedWholly,
                            EachSaveContinuesFromTheClaimThatTheLastOneReturned,
                            AClaimLeavesTheDataUnchangedAndMovesTheRevision,
                            ASaveThatLandsAfterAnotherClaimIsRefusedAndCounted,
                            ASaveAtAnOldRevisionOfOnesOwnIsRefused, ALowerEpochCannotClaim,
                            ARefusedClaimDisturbsNobody,
                            TheSameEpochMayClaimAgainAndEndsItsOlderClaim,
                            ClearLeavesATombstoneThatKeepsTheEpoch, TheOwnerSavesAgainAfterClear,
                            AClearThatLandsAfterAnotherClaimIsRefusedAndCounted,
                            AClaimThatWasNeverGrantedCannotWrite, EpochsCompareFieldByField,
                            GrainsWithConfusableNamesKeepApartRecords,
                            OfConcurrentClaimsTheHighestEpochOwnsAndAllOthersAreRefused);

}  // namespace quern::testing

#endif  // QUERN_TESTS_RUNTIME_STATE_STORE_CONFORMANCE_H_
