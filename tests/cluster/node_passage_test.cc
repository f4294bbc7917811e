// Actors of a node that keep a Ref to a grain which lives there: their messages go past the
// directory as long as nothing has changed, and never to where it is no more.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "node_test_kit.h"

namespace quern::cluster {
namespace {

using namespace std::chrono_literals;

struct AddOne {
  std::string key;
};
struct AskWhere {
  std::string key;
};
struct KeeperApi : Protocol<int64_t(AddOne), std::string(AskWhere)> {};
// Asks every counter through the one Ref that it has of it.
struct Keeper : Actor<KeeperApi> {
  StatusOr<int64_t> On(const AddOne& m, Context& context) {
    return Counter(m.key, context).Ask(int64_t{1}, kPatience);
  }
  StatusOr<std::string> On(const AskWhere& m, Context& context) {
    return Counter(m.key, context).Ask(std::string("where"), kPatience);
  }
  Ref<CounterApi> Counter(const std::string& key, Context& context) {
    auto& counter = counters_[key];
    if (!counter) counter = context.Grain<CounterApi>(key);
    return counter;
  }
  std::map<std::string, Ref<CounterApi>> counters_;
};

class NodePassageTest : public NodeTest {
 protected:
  Ref<KeeperApi> KeeperOf(Peer& at) { return at.system->Spawn<Keeper>("keeper").value(); }

  static std::string Key(int i) { return "counter-" + std::to_string(i); }

  // Each so often, through the keeper; what each has come to in the end.
  static void AddTo(const Ref<KeeperApi>& keeper, int grains, int64_t* expected) {
    for (int round = 0; round < 3; ++round) {
      ++*expected;
      for (int i = 0; i < grains; ++i) {
        const auto total = keeper.Ask(AddOne{Key(i)}, kPatience);
        EXPECT_EQ(total.value_or(-1), *expected) << Key(i) << ' ' << total.status();
      }
    }
  }
};

TEST_F(NodePassageTest, AGrainThatHasMovedIsReachedWhereItIs) {
  constexpr int kGrains = 20;
  StartCluster(1);
  const Ref<KeeperApi> keeper = KeeperOf(peer(0));
  int64_t total = 0;
  AddTo(keeper, kGrains, &total);

  ASSERT_EQ(Start(MakePeer()), absl::OkStatus());
  ASSERT_TRUE(peer(0).AwaitMembers(2));
  ASSERT_TRUE(peer(1).AwaitMembers(2));
  for (int i = 0; i < kGrains; ++i) {
    EXPECT_EQ(peer(0).system->Deactivate(peer(0).Counter(Key(i))), absl::OkStatus());
  }
  AddTo(keeper, kGrains, &total);

  std::set<std::string> nodes;
  for (int i = 0; i < kGrains; ++i) {
    const std::string where = keeper.Ask(AskWhere{Key(i)}, kPatience).value_or("nowhere");
    EXPECT_EQ(where, peer(1).Where(Key(i)).value_or("unknown")) << Key(i);
    nodes.insert(where);
  }
  EXPECT_EQ(nodes, (std::set<std::string>{"node-0", "node-1"}));
  EXPECT_EQ(TheCensus().most_at_once(), 1);
}

TEST_F(NodePassageTest, OfALeavingNodeNothingIsReachedAnyMore) {
  constexpr int kGrains = 20;
  durable_state_ = true;
  StartCluster(2);
  const Ref<KeeperApi> keeper = KeeperOf(peer(1));
  int64_t total = 0;
  AddTo(keeper, kGrains, &total);

  EXPECT_EQ(peer(1).node->Leave(), absl::OkStatus());
  ASSERT_TRUE(peer(0).AwaitMembers(1));

  for (int i = 0; i < kGrains; ++i) {
    EXPECT_EQ(peer(0).Add(Key(i), 0).value_or(-1), total) << Key(i);
    const auto late = keeper.Ask(AskWhere{Key(i)}, kPatience);
    EXPECT_NE(late.value_or("nowhere"), "node-1") << Key(i);
  }
  EXPECT_EQ(TheCensus().most_at_once(), 1);
}

TEST_F(NodePassageTest, AFencedNodesOwnActorsAreRefusedUntilARenewalWins) {
  lease_ = LeaseTimes().DividedBy(10);
  StartCluster(1);
  const Ref<KeeperApi> keeper = KeeperOf(peer(0));
  int64_t total = 0;
  AddTo(keeper, 1, &total);

  store_->CutOff("node-0", true);
  Status fenced;
  while (fenced.ok()) fenced = keeper.Ask(AskWhere{Key(0)}, 5s).status();
  EXPECT_TRUE(absl::IsUnavailable(fenced)) << fenced;
  EXPECT_TRUE(absl::IsUnavailable(keeper.Ask(AddOne{Key(0)}, 5s).status()));

  store_->CutOff("node-0", false);
  StatusOr<int64_t> again = fenced;
  while (absl::IsUnavailable(again.status())) again = keeper.Ask(AddOne{Key(0)}, kPatience);
  EXPECT_EQ(again.value_or(-1), total + 1) << again.status();
}

TEST_F(NodePassageTest, AnEvictedNodesOwnActorsAreRefused) {
  lease_ = LeaseTimes().DividedBy(10);
  StartCluster(2);
  const Ref<KeeperApi> keeper = KeeperOf(peer(1));
  int64_t total = 0;
  AddTo(keeper, 20, &total);

  store_->CutOff("node-1", true);
  ASSERT_TRUE(peer(0).AwaitMembers(1));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(peer(0).Add(Key(i), 1).value_or(-1), total + 1) << Key(i);
    const auto late = keeper.Ask(AddOne{Key(i)}, 1s);
    EXPECT_FALSE(late.ok()) << Key(i);
  }

  store_->CutOff("node-1", false);
  EXPECT_TRUE(peer(1).evicted->WaitForNotificationWithTimeout(absl::FromChrono(kPatience)));
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(keeper.Ask(AddOne{Key(i)}, 1s).ok()) << Key(i);
    EXPECT_EQ(peer(0).Add(Key(i), 0).value_or(-1), total + 1) << Key(i);
  }
}

}  // namespace
}  // namespace quern::cluster
