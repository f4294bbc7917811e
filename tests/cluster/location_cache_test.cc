#include "quern/cluster/location_cache.h"

#include <string>

#include <gtest/gtest.h>

namespace quern::cluster {
namespace {

Location At(uint8_t process, uint64_t counter) {
  Location location;
  location.peer.address = "node-" + std::to_string(process);
  location.peer.process_id[0] = process;
  location.epoch.counter = counter;
  return location;
}

TEST(LocationCacheTest, FindsWhatWasPut) {
  LocationCache cache(100);
  const GrainId id("cart", "alice");

  EXPECT_EQ(cache.Find(id), std::nullopt);
  cache.Put(id, At(1, 5));

  EXPECT_EQ(cache.Find(id), At(1, 5));
}

TEST(LocationCacheTest, OfTwoLocationsTheHigherEpochStays) {
  LocationCache cache(100);
  const GrainId id("cart", "alice");

  cache.Put(id, At(1, 5));
  cache.Put(id, At(2, 4));
  EXPECT_EQ(cache.Find(id), At(1, 5));
  cache.Put(id, At(2, 6));

  EXPECT_EQ(cache.Find(id), At(2, 6));
}

TEST(LocationCacheTest, EraseLeavesAHigherEpoch) {
  LocationCache cache(100);
  const GrainId id("cart", "alice");
  cache.Put(id, At(1, 5));

  cache.Erase(id, At(1, 4).epoch);
  EXPECT_EQ(cache.Find(id), At(1, 5));
  cache.Erase(id, At(1, 5).epoch);

  EXPECT_EQ(cache.Find(id), std::nullopt);
}

TEST(LocationCacheTest, TheLeastRecentlyUsedMakesRoom) {
  LocationCache cache(2 * kLocationShards);
  const GrainId kept("cart", "kept");
  cache.Put(kept, At(1, 1));

  for (int i = 0; i < 10'000; ++i) {
    cache.Put(GrainId("cart", std::to_string(i)), At(1, 1));
    ASSERT_TRUE(cache.Find(kept).has_value()) << "used just now, yet gone after " << i;
  }

  EXPECT_EQ(cache.size(), 2 * kLocationShards);
}

TEST(LocationCacheTest, EraseProcessRemovesAllThatLivesThere) {
  LocationCache cache(1000);
  for (int i = 0; i < 100; ++i) {
    cache.Put(GrainId("cart", std::to_string(i)), At(static_cast<uint8_t>(1 + i % 2), 1));
  }

  cache.EraseProcess(At(1, 1).peer.process_id);

  EXPECT_EQ(cache.size(), 50u);
  EXPECT_EQ(cache.Find(GrainId("cart", "0")), std::nullopt);
  EXPECT_TRUE(cache.Find(GrainId("cart", "1")).has_value());
}

}  // namespace
}  // namespace quern::cluster
