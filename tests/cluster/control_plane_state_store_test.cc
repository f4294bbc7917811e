// The state store where the control plane misbehaves. The behaviour over a healthy one is in
// state_store_conformance.h.

#include "quern/cluster/control_plane_state_store.h"

#include <optional>
#include <set>

#include <gtest/gtest.h>

#include "quern/cluster/embedded_control_plane.h"
#include "quern/cluster/keys.h"
#include "quern/cluster/v1/cluster.pb.h"
#include "quern/testing/virtual_time.h"

namespace quern::cluster {
namespace {

using namespace std::chrono_literals;

class ControlPlaneStateStoreTest : public ::testing::Test {
 protected:
  // A process that owns, or owned, the grain.
  struct Process {
    Process(ControlPlaneStateStoreTest& test, const std::string& node)
        : executor(test.time_.NewExecutor()),
          plane(test.store_.Connect(node, *executor)),
          store(*plane, *executor,
                {.cluster = "c",
                 .writer = node,
                 .clock = &test.time_,
                 .random = test.random_.get()}) {}
    std::unique_ptr<testing::VirtualExecutor> executor;
    std::unique_ptr<EmbeddedControlPlane> plane;
    ControlPlaneStateStore store;
  };
  using Saved = std::optional<StatusOr<StateClaim>>;

  StateClaim Claim(Process& process, uint64_t counter) {
    std::optional<StatusOr<ClaimedState>> claimed;
    process.store.Claim(id_, Epoch{0, 1, 1, counter}, kTimeout,
                        [&](StatusOr<ClaimedState> c) { claimed = std::move(c); });
    EXPECT_TRUE(time_.RunUntil([&] { return claimed.has_value(); }, 30s));
    EXPECT_TRUE(claimed->ok()) << claimed->status();
    return (*claimed)->claim;
  }
  void StartSave(Process& process, const StateClaim& claim, std::string data, Saved* saved) {
    StateSnapshot snapshot;
    snapshot.data = std::move(data);
    process.store.Save(claim, std::move(snapshot), kTimeout,
                       [saved](StatusOr<StateClaim> s) { *saved = std::move(s); });
  }
  StatusOr<StateClaim> Save(Process& process, const StateClaim& claim, std::string data) {
    Saved saved;
    StartSave(process, claim, std::move(data), &saved);
    EXPECT_TRUE(time_.RunUntil([&] { return saved.has_value(); }, 30s));
    return *saved;
  }
  v1::GrainState Stored() {
    v1::GrainState state;
    reader_->Get(Table::kState, StateKey("c", id_), 1s, [&](StatusOr<Record> record) {
      ASSERT_TRUE(record.ok()) << record.status();
      ASSERT_TRUE(state.ParseFromString(record->value));
    });
    time_.RunFor(1s);
    return state;
  }

  static constexpr Duration kTimeout = 5s;
  const GrainId id_{"airport", "ORD"};
  testing::VirtualTime time_;
  std::unique_ptr<testing::VirtualExecutor> server_ = time_.NewExecutor();
  std::unique_ptr<Random> random_ = SeededRandom(11);
  EmbeddedStore store_{*server_, SeededRandom(5), {.latency_min = 1ms, .latency_max = 2ms}};
  std::unique_ptr<EmbeddedControlPlane> reader_ = store_.Connect("reader", *server_);
  Process a_{*this, "a"};
  Process b_{*this, "b"};
};

TEST_F(ControlPlaneStateStoreTest, ASaveWhoseAnswerWasLostStandsOnce) {
  const StateClaim claim = Claim(a_, 1);
  store_.NextMutations("a", EmbeddedFate::kAppliedUnanswered);

  const auto saved = Save(a_, claim, "one");

  ASSERT_TRUE(saved.ok()) << saved.status();
  EXPECT_EQ(saved->revision, claim.revision + 1);
  EXPECT_TRUE(Save(a_, *saved, "two").ok());
  EXPECT_EQ(Stored().data(), "two");
}

TEST_F(ControlPlaneStateStoreTest, ASaveThatWasLostIsOfferedAgain) {
  const StateClaim claim = Claim(a_, 1);
  store_.NextMutations("a", EmbeddedFate::kLost, 2);

  const auto saved = Save(a_, claim, "one");

  ASSERT_TRUE(saved.ok()) << saved.status();
  EXPECT_EQ(Stored().data(), "one");
}

TEST_F(ControlPlaneStateStoreTest, ASaveThatIsAppliedLateDoesNotUndoTheNextOne) {
  const StateClaim claim = Claim(a_, 1);
  store_.NextMutations("a", EmbeddedFate::kAppliedLate);  // arrives 5 s later

  const auto one = Save(a_, claim, "one");
  ASSERT_TRUE(one.ok()) << one.status();
  ASSERT_TRUE(Save(a_, *one, "two").ok());
  time_.RunFor(10s);

  EXPECT_EQ(Stored().data(), "two");
}

TEST_F(ControlPlaneStateStoreTest, ASaveThatLandsAfterTheNextClaimIsRefused) {
  const StateClaim claim = Claim(a_, 1);
  store_.Stall("a", true);
  Saved saved;
  StartSave(a_, claim, "late", &saved);
  time_.RunFor(100ms);
  Claim(b_, 2);

  store_.Stall("a", false);
  time_.RunFor(10s);

  ASSERT_TRUE(saved.has_value());
  EXPECT_TRUE(absl::IsAborted(saved->status())) << saved->status();
  EXPECT_EQ(ReasonOf(saved->status()), Reason::kStaleEpoch);
  EXPECT_NE(saved->status().ToString().find("0.1.1.2"), std::string::npos) << saved->status();
  EXPECT_EQ(a_.store.refused_writes(), 1u);
  EXPECT_EQ(Stored().data(), "");
}

TEST_F(ControlPlaneStateStoreTest, APausedOwnersQueuedSaveIsRefusedWhenItWakes) {
  const StateClaim claim = Claim(a_, 1);
  Saved saved;
  a_.executor->Freeze();
  a_.executor->Post([&] { StartSave(a_, claim, "late", &saved); });
  Claim(b_, 2);
  time_.RunFor(60s);

  a_.executor->Thaw();
  time_.RunFor(10s);

  ASSERT_TRUE(saved.has_value());
  EXPECT_TRUE(absl::IsAborted(saved->status())) << saved->status();
  EXPECT_EQ(a_.store.refused_writes(), 1u);
}

TEST_F(ControlPlaneStateStoreTest, AnOwnerPausedAcrossItsTimeoutStillLearnsOfTheRefusal) {
  const StateClaim claim = Claim(a_, 1);
  store_.Stall("a", true);
  Saved saved;
  StartSave(a_, claim, "late", &saved);
  time_.RunFor(10ms);
  a_.executor->Freeze();
  Claim(b_, 2);
  store_.Stall("a", false);
  time_.RunFor(60s);

  a_.executor->Thaw();
  time_.RunFor(10s);

  ASSERT_TRUE(saved.has_value());
  EXPECT_TRUE(absl::IsAborted(saved->status())) << saved->status();
  EXPECT_EQ(a_.store.refused_writes(), 1u);
}

TEST_F(ControlPlaneStateStoreTest, ASaveThatWasAppliedAndThenClaimedOverIsTrueAndTheLast) {
  const StateClaim claim = Claim(a_, 1);
  store_.NextMutations("a", EmbeddedFate::kAppliedUnanswered);
  Saved saved;
  StartSave(a_, claim, "mine", &saved);
  time_.RunFor(100ms);
  const StateClaim next = Claim(b_, 2);
  ASSERT_TRUE(Save(b_, next, "theirs").ok());
  time_.RunFor(10s);

  ASSERT_TRUE(saved.has_value());
  ASSERT_TRUE(saved->ok()) << saved->status();
  EXPECT_TRUE(absl::IsAborted(Save(a_, **saved, "again").status()));
  EXPECT_EQ(Stored().data(), "theirs");
}

TEST_F(ControlPlaneStateStoreTest, AClaimWhoseAnswerWasLostIsGranted) {
  store_.NextMutations("a", EmbeddedFate::kAppliedUnanswered);

  const StateClaim claim = Claim(a_, 1);

  EXPECT_TRUE(Save(a_, claim, "one").ok());
}

TEST_F(ControlPlaneStateStoreTest, AClaimOverStaleReadsWinsWhenTheyEnd) {
  const StateClaim old_owner = Claim(a_, 1);
  store_.ServeStaleReads("b", true);
  ASSERT_TRUE(Save(a_, old_owner, "kept").ok());
  std::optional<StatusOr<ClaimedState>> claimed;
  b_.store.Claim(id_, Epoch{0, 1, 1, 2}, kTimeout,
                 [&](StatusOr<ClaimedState> c) { claimed = std::move(c); });
  time_.RunFor(1s);
  EXPECT_FALSE(claimed.has_value());

  store_.ServeStaleReads("b", false);
  time_.RunFor(5s);

  ASSERT_TRUE(claimed.has_value() && claimed->ok());
  EXPECT_EQ((*claimed)->snapshot.data, "kept");
}

TEST_F(ControlPlaneStateStoreTest, AnOutageWithinTheTimeoutIsRiddenOver) {
  const StateClaim claim = Claim(a_, 1);
  store_.CutOff("a", true);
  Saved saved;
  StartSave(a_, claim, "one", &saved);
  time_.RunFor(3s);
  EXPECT_FALSE(saved.has_value());

  store_.CutOff("a", false);
  time_.RunFor(1s);

  ASSERT_TRUE(saved.has_value());
  EXPECT_TRUE(saved->ok()) << saved->status();
}

TEST_F(ControlPlaneStateStoreTest, AnOutageBeyondTheTimeoutIsUnavailableAndSurelyNotWritten) {
  const StateClaim claim = Claim(a_, 1);
  store_.CutOff("a", true);

  const auto saved = Save(a_, claim, "one");
  store_.CutOff("a", false);
  time_.RunFor(30s);

  EXPECT_TRUE(absl::IsUnavailable(saved.status())) << saved.status();
  EXPECT_EQ(ReasonOf(saved.status()), Reason::kStorageUnavailable);
  EXPECT_EQ(Stored().data(), "");
}

TEST_F(ControlPlaneStateStoreTest, ASilentStoreLeavesTheOutcomeUnknown) {
  const StateClaim claim = Claim(a_, 1);
  store_.Stall("a", true);

  const auto saved = Save(a_, claim, "one");

  EXPECT_TRUE(absl::IsDeadlineExceeded(saved.status())) << saved.status();
}

TEST_F(ControlPlaneStateStoreTest, FieldsOfANewerWriterSurvive) {
  Claim(a_, 1);
  v1::GrainState newer = Stored();
  newer.GetReflection()->MutableUnknownFields(&newer)->AddLengthDelimited(1000, "from the future");
  uint64_t revision = 0;
  reader_->Get(Table::kState, StateKey("c", id_), 1s,
               [&](StatusOr<Record> record) { revision = record->revision; });
  time_.RunFor(1s);
  reader_->Update(Table::kState, StateKey("c", id_), newer.SerializeAsString(), revision, 1s,
                  [](const CasResult&) {});
  time_.RunFor(1s);

  const StateClaim claim = Claim(b_, 2);
  const auto saved = Save(b_, claim, "one");
  ASSERT_TRUE(saved.ok() && Save(b_, *saved, "two").ok());

  const v1::GrainState stored = Stored();
  EXPECT_EQ(stored.data(), "two");
  ASSERT_EQ(stored.GetReflection()->GetUnknownFields(stored).field_count(), 1);
}

TEST_F(ControlPlaneStateStoreTest, ARecordThatIsNoStateIsDataLoss) {
  reader_->Create(Table::kState, StateKey("c", id_), "\xFF\xFF", 1s, [](const CasResult&) {});
  time_.RunFor(1s);
  std::optional<StatusOr<ClaimedState>> claimed;

  a_.store.Claim(id_, Epoch{0, 1, 1, 1}, kTimeout,
                 [&](StatusOr<ClaimedState> c) { claimed = std::move(c); });
  time_.RunFor(10s);

  ASSERT_TRUE(claimed.has_value());
  EXPECT_TRUE(absl::IsDataLoss(claimed->status())) << claimed->status();
}

TEST_F(ControlPlaneStateStoreTest, ClosingTheStoreEndsWhatIsRetried) {
  Process c(*this, "c");
  const StateClaim claim = Claim(c, 1);
  store_.CutOff("c", true);
  Saved saved;
  auto store = std::make_unique<ControlPlaneStateStore>(
      *c.plane, *c.executor,
      ControlPlaneStateStoreOptions{.cluster = "c", .clock = &time_, .random = random_.get()});
  store->Save(claim, {}, kTimeout, [&](StatusOr<StateClaim> s) { saved = std::move(s); });
  time_.RunFor(100ms);

  store.reset();
  time_.RunFor(1s);

  ASSERT_TRUE(saved.has_value());
  EXPECT_TRUE(absl::IsCancelled(saved->status())) << saved->status();
}

// One activation at a time counts up by saves; the store loses, delays and repeats at random. What
// a claim finds must be what was last acknowledged, or what was last tried if that was left
// unknown.
class CountingOwner {
 public:
  explicit CountingOwner(testing::VirtualTime& time) : time_(time) {}

  void Activate(StateStore& store, const GrainId& id, uint64_t counter) {
    std::optional<StatusOr<ClaimedState>> claimed;
    store.Claim(id, Epoch{0, 1, 1, counter}, 5s,
                [&](StatusOr<ClaimedState> c) { claimed = std::move(c); });
    ASSERT_TRUE(time_.RunUntil([&] { return claimed.has_value(); }, 60s));
    if (!claimed->ok()) return;
    const std::string found = (*claimed)->snapshot.data;
    ASSERT_TRUE(possible_.contains(found)) << "found " << found;
    possible_ = {found};
    StateClaim claim = (*claimed)->claim;
    for (int i = 0; i < 5 && SaveNext(store, &claim); ++i) ++saves_;
  }

  int saves() const { return saves_; }

 private:
  bool SaveNext(StateStore& store, StateClaim* claim) {
    StateSnapshot snapshot;
    snapshot.data = std::to_string(++last_);
    std::optional<StatusOr<StateClaim>> saved;
    store.Save(*claim, snapshot, 2s, [&](StatusOr<StateClaim> s) { saved = std::move(s); });
    if (!time_.RunUntil([&] { return saved.has_value(); }, 60s)) return false;
    if (saved->ok()) {
      possible_ = {snapshot.data};
      *claim = **saved;
      return true;
    }
    if (absl::IsDeadlineExceeded(saved->status())) possible_.insert(snapshot.data);
    return false;
  }

  testing::VirtualTime& time_;
  std::set<std::string> possible_{""};
  int last_ = 0;
  int saves_ = 0;
};

TEST(ControlPlaneStateStoreFaultTest, NothingAcknowledgedIsLostAndNothingRefusedIsApplied) {
  int saves = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    testing::VirtualTime time;
    const auto executor = time.NewExecutor();
    EmbeddedStore store(*executor, SeededRandom(seed),
                        {.latency_min = 1ms, .latency_max = 40ms, .late_by = 1500ms});
    const auto random = SeededRandom(seed + 1000);
    std::vector<std::unique_ptr<EmbeddedControlPlane>> planes;
    std::vector<std::unique_ptr<ControlPlaneStateStore>> stores;
    for (const char* node : {"a", "b", "c"}) {
      store.SetFaultShares(
          node, {.unsent = 0.1, .applied_unanswered = 0.15, .lost = 0.15, .applied_late = 0.15});
      planes.push_back(store.Connect(node, *executor));
      stores.push_back(std::make_unique<ControlPlaneStateStore>(
          *planes.back(), *executor,
          ControlPlaneStateStoreOptions{
              .cluster = "c", .writer = node, .clock = &time, .random = random.get()}));
    }

    CountingOwner owner(time);
    for (uint64_t counter = 1; counter <= 20; ++counter) {
      owner.Activate(*stores[random->Below(3)], GrainId("k", "x"), counter);
      if (::testing::Test::HasFatalFailure()) return;
    }
    saves += owner.saves();
  }
  EXPECT_GT(saves, 1000);
}

}  // namespace
}  // namespace quern::cluster
