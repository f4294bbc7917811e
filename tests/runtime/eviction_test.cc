#include "quern/runtime/eviction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "life_test_kit.h"

namespace quern {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using namespace std::chrono_literals;

class EvictionTest : public LifeTest {
 protected:
  explicit EvictionTest(EvictionOptions options = {.limit = 3}) : LifeTest({.eviction = options}) {}

  // Named 0, 1, ..; each was active a second after the one before, and handled one message less.
  std::vector<Ref<LifeApi>> SpawnMany(int count, SpawnOptions options = {}) {
    std::vector<Ref<LifeApi>> refs;
    for (int i = 0; i < count; ++i) {
      refs.push_back(Spawn(std::to_string(i), options));
      for (int k = i; k < count; ++k) CountOf(refs.back());
      Settle();
      Advance(100ms);
    }
    return refs;
  }
  void Round() {
    diary_.Take();
    Advance(1s);
    Settle();
  }
};

TEST_F(EvictionTest, AboveTheLimitTheLeastRecentlyUsedGo) {
  auto events = system_.events().Subscribe<ActorEvicted>().value();
  auto refs = SpawnMany(5);

  Round();

  EXPECT_THAT(diary_.Take(), UnorderedElementsAre("0 stopped", "0 gone", "1 stopped", "1 gone"));
  EXPECT_TRUE(events.TryNext().has_value());
  EXPECT_TRUE(events.TryNext().has_value());
  EXPECT_FALSE(events.TryNext().has_value());
}

TEST_F(EvictionTest, AtTheLimitNobodyGoes) {
  SpawnMany(3);

  Round();

  EXPECT_THAT(diary_.Take(), IsEmpty());
}

TEST_F(EvictionTest, UseSavesAnActor) {
  auto refs = SpawnMany(4);
  CountOf(refs[0]);
  Settle();

  Round();

  EXPECT_THAT(diary_.Take(), ElementsAre("1 stopped", "1 gone"));
}

TEST_F(EvictionTest, SuspendedPausedAndParentsAreNoCandidates) {
  auto refs = SpawnMany(2);
  EXPECT_TRUE(refs[0].Suspend().ok());
  auto child = SpawnUnder(refs[1], "child");
  Advance(100ms);
  SpawnUnder(refs[1], "other");

  Round();

  EXPECT_THAT(diary_.Take(), UnorderedElementsAre("child stopped", "child gone"));
}

class LfuTest : public EvictionTest {
 protected:
  LfuTest()
      : EvictionTest({.limit = 3, .policy = EvictionPolicy::kLeastFrequentlyUsed, .every = 1h}) {}
};

TEST_F(LfuTest, TheLeastFrequentlyUsedGo) {
  SpawnMany(5);

  diary_.Take();
  Advance(1h);

  EXPECT_THAT(diary_.Take(), UnorderedElementsAre("3 stopped", "3 gone", "4 stopped", "4 gone"));
}

class MruTest : public EvictionTest {
 protected:
  MruTest()
      : EvictionTest({.limit = 4, .policy = EvictionPolicy::kMostRecentlyUsed, .every = 1h}) {}
};

TEST_F(MruTest, TheMostRecentlyUsedGo) {
  SpawnMany(5);

  diary_.Take();
  Advance(1h);

  EXPECT_THAT(diary_.Take(), ElementsAre("4 stopped", "4 gone"));
}

class PercentageTest : public EvictionTest {
 protected:
  PercentageTest() : EvictionTest({.limit = 9, .percentage = 40, .every = 1h}) {}
};

TEST_F(PercentageTest, ThePercentageCountsWhenItIsMoreThanTheExcess) {
  SpawnMany(10);

  diary_.Take();
  Advance(1h);

  EXPECT_EQ(diary_.Take().size(), 8u);  // four actors, two entries each
}

class NoEvictionTest : public EvictionTest {
 protected:
  NoEvictionTest() : EvictionTest({}) {}
};

TEST_F(NoEvictionTest, ZeroIsNoLimit) {
  SpawnMany(10);

  Round();

  EXPECT_THAT(diary_.Take(), IsEmpty());
}

}  // namespace
}  // namespace quern
