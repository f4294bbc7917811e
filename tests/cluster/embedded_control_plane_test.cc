#include "quern/cluster/embedded_control_plane.h"

#include <optional>

#include "../runtime/state_store_conformance.h"
#include "control_plane_conformance.h"
#include "quern/cluster/control_plane_state_store.h"
#include "quern/testing/virtual_time.h"
#include "thread_executor.h"

namespace quern::cluster {
namespace {

using namespace std::chrono_literals;

class EmbeddedHarness : public ControlPlaneHarness {
 public:
  static std::unique_ptr<ControlPlaneHarness> Make() { return std::make_unique<EmbeddedHarness>(); }

  std::unique_ptr<ControlPlane> Connect() override { return store_.Connect("node", executor_); }
  void Interrupt() override {
    store_.CutOff("node", true);
    store_.CutOff("node", false);
  }

 private:
  testing::ThreadExecutor executor_;
  EmbeddedStore store_{executor_, SeededRandom(1)};
};

INSTANTIATE_TEST_SUITE_P(Embedded, ControlPlaneConformance,
                         ::testing::Values(Harness{"Embedded", &EmbeddedHarness::Make}));

class EmbeddedStateHarness {
 public:
  StateStore& first() { return first_; }
  StateStore& second() { return second_; }

 private:
  testing::ThreadExecutor executor_;
  EmbeddedStore store_{executor_, SeededRandom(1)};
  std::unique_ptr<ControlPlane> plane_1_ = store_.Connect("node-1", executor_);
  std::unique_ptr<ControlPlane> plane_2_ = store_.Connect("node-2", executor_);
  ControlPlaneStateStore first_{*plane_1_, executor_, {.cluster = "test", .writer = "p1"}};
  ControlPlaneStateStore second_{*plane_2_, executor_, {.cluster = "test", .writer = "p2"}};
};

// The faults, in virtual time.
class EmbeddedStoreTest : public ::testing::Test {
 protected:
  struct CasLog {
    std::optional<CasResult> result;
    ControlPlane::CasCallback callback() {
      return [this](CasResult r) { result = std::move(r); };
    }
    std::string outcome() const { return result ? Name(result->outcome) : "none yet"; }
  };

  std::string Value(ControlPlane& plane, std::string_view key) {
    std::string text = "none yet";
    plane.Get(Table::kControl, key, 1s, [&text](StatusOr<Record> r) {
      text = r.ok() ? r->value : absl::StatusCodeToString(r.status().code());
    });
    time_.RunFor(1s);
    return text;
  }

  testing::VirtualTime time_;
  std::unique_ptr<testing::VirtualExecutor> server_ = time_.NewExecutor();
  std::unique_ptr<testing::VirtualExecutor> node_ = time_.NewExecutor();
  std::unique_ptr<testing::VirtualExecutor> other_ = time_.NewExecutor();
  EmbeddedStore store_{*server_, SeededRandom(7), {.latency_min = 1ms, .latency_max = 3ms}};
  std::unique_ptr<ControlPlane> plane_ = store_.Connect("node", *node_);
  std::unique_ptr<ControlPlane> witness_ = store_.Connect("other", *other_);
};

TEST_F(EmbeddedStoreTest, AnAnswerIsLostAndTheWriteStands) {
  store_.NextMutations("node", EmbeddedFate::kAppliedUnanswered);
  CasLog log;

  plane_->Create(Table::kControl, "c.a", "1", 1s, log.callback());
  time_.RunFor(2s);

  EXPECT_EQ(log.outcome(), "unknown");
  EXPECT_EQ(Value(*witness_, "c.a"), "1");
}

TEST_F(EmbeddedStoreTest, ARequestIsLost) {
  store_.NextMutations("node", EmbeddedFate::kLost);
  CasLog log;

  plane_->Create(Table::kControl, "c.a", "1", 1s, log.callback());
  time_.RunFor(2s);

  EXPECT_EQ(log.outcome(), "unknown");
  EXPECT_EQ(Value(*witness_, "c.a"), "NOT_FOUND");
}

TEST_F(EmbeddedStoreTest, AWriteIsAppliedAfterItsTimeout) {
  store_.NextMutations("node", EmbeddedFate::kAppliedLate);
  CasLog log;

  plane_->Create(Table::kControl, "c.a", "1", 1s, log.callback());
  time_.RunFor(2s);
  const std::string before = Value(*witness_, "c.a");
  time_.RunFor(5s);

  EXPECT_EQ(log.outcome(), "unknown");
  EXPECT_EQ(before, "NOT_FOUND");
  EXPECT_EQ(Value(*witness_, "c.a"), "1");
}

TEST_F(EmbeddedStoreTest, AWriteIsUnsent) {
  store_.NextMutations("node", EmbeddedFate::kUnsent);
  CasLog log;
  CasLog next;

  plane_->Create(Table::kControl, "c.a", "1", 1s, log.callback());
  plane_->Create(Table::kControl, "c.a", "2", 1s, next.callback());
  time_.RunFor(1s);

  EXPECT_EQ(log.outcome(), "unsent");
  EXPECT_EQ(next.outcome(), "applied");
}

TEST_F(EmbeddedStoreTest, AStalledNodesRequestsAreAppliedInOrderWhenTheStallEnds) {
  CasLog created;
  CasLog overtaken;
  store_.Stall("node", true);
  plane_->Create(Table::kControl, "c.a", "stalled", 1s, created.callback());
  plane_->Create(Table::kControl, "c.b", "stalled", 1s, overtaken.callback());
  time_.RunFor(2s);
  CasLog other;
  witness_->Create(Table::kControl, "c.b", "other", 1s, other.callback());
  time_.RunFor(1s);

  store_.Stall("node", false);
  time_.RunFor(1s);

  EXPECT_EQ(created.outcome() + " " + overtaken.outcome() + " " + other.outcome(),
            "unknown unknown applied");
  EXPECT_EQ(Value(*witness_, "c.a"), "stalled");
  EXPECT_EQ(Value(*witness_, "c.b"), "other");
}

TEST_F(EmbeddedStoreTest, AFrozenNodesWriteArrivesAndItsAnswerWaits) {
  CasLog log;
  plane_->Create(Table::kControl, "c.a", "1", 10s, log.callback());
  node_->Freeze();
  time_.RunFor(1s);
  EXPECT_EQ(log.outcome(), "none yet");
  EXPECT_EQ(Value(*witness_, "c.a"), "1");

  node_->Thaw();
  time_.RunFor(1s);

  EXPECT_EQ(log.outcome(), "applied");
}

TEST_F(EmbeddedStoreTest, ACutOffNodeIsToldThatNothingWasSent) {
  store_.CutOff("node", true);
  CasLog log;

  plane_->Create(Table::kControl, "c.a", "1", 1s, log.callback());
  time_.RunFor(10ms);

  EXPECT_EQ(log.outcome(), "unsent");
  EXPECT_EQ(Value(*plane_, "c.a"), "UNAVAILABLE");
  store_.CutOff("node", false);
  EXPECT_EQ(Value(*plane_, "c.a"), "NOT_FOUND");
}

TEST_F(EmbeddedStoreTest, AnAnswerUnderWayIsLostWithItsConnection) {
  store_.SetLatency(10ms, 10ms);
  CasLog log;
  plane_->Create(Table::kControl, "c.a", "1", 1s, log.callback());
  time_.RunFor(15ms);

  store_.CutOff("node", true);
  store_.CutOff("node", false);
  time_.RunFor(2s);

  EXPECT_EQ(log.outcome(), "unknown");
  EXPECT_EQ(Value(*witness_, "c.a"), "1");
}

TEST_F(EmbeddedStoreTest, StaleReadsShowThePast) {
  CasLog log;
  plane_->Create(Table::kControl, "c.a", "old", 1s, log.callback());
  time_.RunFor(1s);
  store_.ServeStaleReads("node", true);

  witness_->Update(Table::kControl, "c.a", "new", log.result->revision, 1s, log.callback());
  time_.RunFor(1s);

  EXPECT_EQ(Value(*plane_, "c.a"), "old");
  EXPECT_EQ(Value(*witness_, "c.a"), "new");
  store_.ServeStaleReads("node", false);
  EXPECT_EQ(Value(*plane_, "c.a"), "new");
}

TEST_F(EmbeddedStoreTest, ADeafWatchHearsNothingAndNoGap) {
  WatchLog log;
  const auto watch = plane_->Watch(Table::kControl, "c", log.callback());
  time_.RunFor(1s);
  store_.Deafen("node", true);
  CasLog cas;
  witness_->Create(Table::kControl, "c.missed", "1", 1s, cas.callback());
  time_.RunFor(1s);
  store_.Deafen("node", false);
  witness_->Create(Table::kControl, "c.heard", "1", 1s, cas.callback());
  time_.RunFor(1s);

  EXPECT_EQ(log.Text(), "done; put c.heard=1");
}

TEST_F(EmbeddedStoreTest, FaultsFollowFromTheSeed) {
  const auto outcomes_of = [](uint64_t seed) {
    testing::VirtualTime time;
    const auto executor = time.NewExecutor();
    EmbeddedStore store(*executor, SeededRandom(seed), {.latency_min = 1ms, .latency_max = 9ms});
    store.SetFaultShares("node", {.unsent = 0.2, .applied_unanswered = 0.2, .lost = 0.2});
    const auto plane = store.Connect("node", *executor);
    std::string outcomes;
    for (int i = 0; i < 60; ++i) {
      plane->Create(Table::kControl, "c.k" + std::to_string(i), "v", 1s, [&](const CasResult& r) {
        outcomes += std::string(Name(r.outcome)) +
                    std::to_string(time.Now().time_since_epoch() / 1us) + " ";
      });
    }
    time.RunFor(5s);
    return outcomes;
  };

  EXPECT_EQ(outcomes_of(3), outcomes_of(3));
  EXPECT_NE(outcomes_of(3), outcomes_of(4));
  for (const char* outcome : {"applied", "unsent", "unknown"}) {
    EXPECT_NE(outcomes_of(3).find(outcome), std::string::npos) << outcome;
  }
}

}  // namespace
}  // namespace quern::cluster

namespace quern::testing {
INSTANTIATE_TYPED_TEST_SUITE_P(Embedded, StateStoreConformance,
                               quern::cluster::EmbeddedStateHarness);
}  // namespace quern::testing
