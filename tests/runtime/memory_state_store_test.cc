#include "quern/runtime/memory_state_store.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "quern/testing/virtual_time.h"
#include "state_store_conformance.h"

namespace quern::testing {
namespace {

// Two processes share one memory only in a test: both hold the same store.
struct MemoryHarness {
  StateStore& first() { return store; }
  StateStore& second() { return store; }
  MemoryStateStore store;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, StateStoreConformance, MemoryHarness);

const GrainId kId("counter", "home");

TEST(MemoryStateStoreTest, AnswersBeforeTheCallReturnsWithoutAnExecutor) {
  MemoryStateStore store;
  bool answered = false;

  store.Claim(kId, Epoch{0, 1, 1, 1}, std::chrono::seconds(1),
              [&](StatusOr<ClaimedState> claimed) { answered = claimed.ok(); });

  EXPECT_TRUE(answered);
  EXPECT_EQ(store.size(), 1u);
}

TEST(MemoryStateStoreTest, AFrozenExecutorDelaysAWritePastAnotherClaim) {
  VirtualTime time;
  const auto executor = time.NewExecutor();
  MemoryStateStore store(executor.get());
  std::optional<StatusOr<ClaimedState>> claimed;
  store.Claim(kId, Epoch{0, 1, 1, 1}, std::chrono::seconds(1),
              [&](StatusOr<ClaimedState> c) { claimed = std::move(c); });
  time.RunFor(std::chrono::seconds(1));
  ASSERT_TRUE(claimed.has_value() && claimed->ok());

  std::string order;
  store.Claim(kId, Epoch{0, 1, 2, 1}, std::chrono::seconds(1),
              [&](StatusOr<ClaimedState> c) { order += c.ok() ? "claimed " : "refused "; });
  store.Save((*claimed)->claim, StateSnapshot{}, std::chrono::seconds(1),
             [&](StatusOr<StateClaim> saved) { order += saved.ok() ? "saved" : "refused"; });

  EXPECT_EQ(order, "");
  time.RunFor(std::chrono::seconds(1));
  EXPECT_EQ(order, "claimed refused");
  EXPECT_EQ(store.refused_writes(), 1u);
}

TEST(MemoryStateStoreTest, OperationsStillQueuedOutliveTheStore) {
  VirtualTime time;
  const auto executor = time.NewExecutor();
  bool answered = false;
  {
    MemoryStateStore store(executor.get());
    store.Claim(kId, Epoch{0, 1, 1, 1}, std::chrono::seconds(1),
                [&](const StatusOr<ClaimedState>& claimed) { answered = claimed.ok(); });
  }

  time.RunFor(std::chrono::seconds(1));

  EXPECT_TRUE(answered);
}

}  // namespace
}  // namespace quern::testing
