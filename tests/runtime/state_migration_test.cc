// State of another schema version than the program's.

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "grain_test_kit.h"

namespace quern::testing {
namespace {

using std::chrono::seconds;

const GrainId kId("tally", "a");

// Version 1 held decimal text, 2 eight bytes of euros, 3 eight bytes of cents.
Status ToCents(uint32_t from, std::string_view bytes, int64_t* out) {
  if (from == 1) {
    if (bytes == "boom") throw std::runtime_error("cannot read that");
    if (bytes.empty()) return absl::DataLossError("no digits");
    *out = std::stoll(std::string(bytes)) * 100;
    return absl::OkStatus();
  }
  Status read = Codec<int64_t>::Decode(bytes, out);
  *out *= 100;
  return read;
}

struct Purse : Grain<TallyApi> {
  StatusOr<int64_t> On(const Add& m) { return cents.SaveThen(*cents += m.amount); }
  int64_t On(const Get&) { return *cents; }
  void On(const Note&) {}
  void On(const Wait&) {}
  void On(const Throw&) {}
  void On(const Leave&) { DeactivateSoon(); }
  Status On(const Forget&) { return cents.Clear(); }
  int64_t On(const Disobey&) { return cents.stored_schema_version(); }
  void On(const Peer&) {}
  std::string On(const WhichEpoch&) { return ""; }

  State<int64_t> cents{this, 3, &ToCents};
};

class StateMigrationTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(system_.Host<Purse>().ok()); }

  void Store(std::string data, uint32_t schema_version) {
    std::optional<ClaimedState> claimed;
    store_.Claim(kId, Epoch{}, seconds(1), [&](StatusOr<ClaimedState> c) { claimed = *c; });
    StateSnapshot snapshot;
    snapshot.data = std::move(data);
    snapshot.schema_version = schema_version;
    snapshot.marks["reader"] = 7;
    store_.Save(claimed->claim, snapshot, seconds(1),
                [](const StatusOr<StateClaim>& saved) { ASSERT_TRUE(saved.ok()); });
  }
  // What the store holds, read under a higher epoch than any.
  StateSnapshot Stored() {
    StateSnapshot found;
    store_.Claim(kId, Epoch{.home_term = 1}, seconds(1),
                 [&](const StatusOr<ClaimedState>& c) { found = c->snapshot; });
    return found;
  }
  Ref<TallyApi> purse() { return system_.Grain<TallyApi>("a"); }

  MemoryStateStore store_;
  ManualClock clock_;
  System system_{
      SystemOptions{.name = "migration", .workers = 1, .clock = &clock_, .state_store = &store_}};
};

TEST_F(StateMigrationTest, AnOlderRecordIsMigratedBeforeOnActivateAndWrittenByTheNextSave) {
  Store("12", 1);

  EXPECT_EQ(purse().Ask(Get{}).value(), 1200);
  EXPECT_EQ(purse().Ask(Disobey{}).value(), 1) << "nothing has been written yet";
  EXPECT_EQ(purse().Ask(Add{5}).value(), 1205);

  EXPECT_EQ(purse().Ask(Disobey{}).value(), 3);
  const StateSnapshot stored = Stored();
  EXPECT_EQ(stored.schema_version, 3u);
  EXPECT_EQ(stored.marks.at("reader"), 7u) << "marks are kept";
}

TEST_F(StateMigrationTest, TheMigrationIsToldWhichVersionItGets) {
  std::string euros;
  Codec<int64_t>::Encode(8, &euros);
  Store(euros, 2);

  EXPECT_EQ(purse().Ask(Get{}).value(), 800);
}

TEST_F(StateMigrationTest, ARecordOfTheSameVersionIsNotMigrated) {
  std::string cents;
  Codec<int64_t>::Encode(42, &cents);
  Store(cents, 3);

  EXPECT_EQ(purse().Ask(Get{}).value(), 42);
}

TEST_F(StateMigrationTest, OneThatFailsFailsTheActivationAndLeavesTheRecord) {
  Store("", 1);

  const Status refused = purse().Ask(Get{}).status();

  EXPECT_EQ(refused, absl::DataLossError("activate tally/a: its state of schema version 1 (this "
                                         "program: 3) does not parse: no digits"));
  EXPECT_EQ(Stored().schema_version, 1u);
}

TEST_F(StateMigrationTest, OneThatThrowsFailsTheActivationAndLeavesTheRecord) {
  Store("boom", 1);

  EXPECT_EQ(OutcomeOf(purse().Ask(Get{})), "UNKNOWN");

  EXPECT_EQ(Stored().data, "boom");
}

TEST_F(StateMigrationTest, ARecordOfANewerProgramIsRefusedAndNeverOverwritten) {
  Store("from the future", 4);

  const Status refused = purse().Ask(Add{1}).status();
  const Status cleared = purse().Ask(Forget{});

  EXPECT_EQ(refused, absl::FailedPreconditionError(
                         "activate tally/a: its state has schema version 4 and this program knows "
                         "up to 3: host it where the newer program runs; the record is left as it "
                         "is"));
  EXPECT_EQ(OutcomeOf(cleared), "FAILED_PRECONDITION");
  const StateSnapshot stored = Stored();
  EXPECT_EQ(stored.data, "from the future");
  EXPECT_EQ(stored.schema_version, 4u);
}

TEST_F(StateMigrationTest, AClearedRecordIsNotMigrated) {
  Store("12", 1);
  ASSERT_EQ(purse().Ask(Get{}).value(), 1200);
  ASSERT_TRUE(purse().Ask(Forget{}).ok());
  ASSERT_TRUE(purse().Ask(Leave{}).ok());

  EXPECT_EQ(purse().Ask(Get{}).value(), 0);
}

}  // namespace
}  // namespace quern::testing
