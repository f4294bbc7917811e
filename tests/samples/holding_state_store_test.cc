#include "flights/holding_state_store.h"

#include <gmock/gmock.h>

#include "quern/runtime/memory_state_store.h"

namespace flights {
namespace {

using namespace std::chrono_literals;
using quern::Epoch;
using quern::GrainId;

const GrainId kOrd("airport", "ORD");

struct Written {
  std::vector<quern::StatusOr<quern::StateClaim>> results;

  auto Done() {
    return [this](quern::StatusOr<quern::StateClaim> r) { results.push_back(std::move(r)); };
  }
};

quern::StateClaim ClaimAs(quern::StateStore& store, const Epoch& epoch) {
  quern::StateClaim claim;
  store.Claim(kOrd, epoch, 1s, [&](quern::StatusOr<quern::ClaimedState> c) { claim = c->claim; });
  return claim;
}

TEST(HoldingStateStoreTest, PassesEverythingUntilToldToHold) {
  quern::MemoryStateStore inner;
  HoldingStateStore store(inner);
  Written written;

  store.Save(ClaimAs(store, {.counter = 1}), {.data = "a", .marks = {}}, 1s, written.Done());
  store.Clear(*written.results.at(0), 1s, written.Done());

  EXPECT_TRUE(written.results.at(1).ok());
}

TEST(HoldingStateStoreTest, AHeldSaveComesTooLateOnceAnotherHasClaimed) {
  quern::MemoryStateStore inner;
  HoldingStateStore store(inner);
  Written late, timely;
  std::vector<GrainId> held;
  const quern::StateClaim old_owner = ClaimAs(store, {.counter = 1});

  store.Hold([&](const GrainId& id) { held.push_back(id); });
  store.Save(old_owner, {.data = "late", .marks = {}}, 1s, late.Done());
  EXPECT_THAT(held, ::testing::ElementsAre(kOrd));
  EXPECT_TRUE(late.results.empty());
  inner.Save(ClaimAs(inner, {.counter = 2}), {.data = "timely", .marks = {}}, 1s, timely.Done());
  store.Release();

  EXPECT_TRUE(timely.results.at(0).ok());
  EXPECT_EQ(late.results.at(0).status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(store.refused_writes(), 1u);
}

}  // namespace
}  // namespace flights
