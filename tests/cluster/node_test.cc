#include "quern/cluster/node.h"

#include "node_test_kit.h"

namespace quern::cluster {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

TEST_F(NodeTest, GrainsArePlacedOverAllNodesAndEveryCallIsAnswered) {
  StartCluster(3);

  const auto where = Fill(peer(0), 60);

  EXPECT_EQ(Nodes(where), (std::set<std::string>{"node-0", "node-1", "node-2"}));
  for (const auto& [key, node] : where) {
    EXPECT_EQ(peer(1).Where(key).value_or("nowhere"), node) << key;
    EXPECT_EQ(peer(2).Add(key, 1).value_or(-1), 2) << key;
  }
  EXPECT_EQ(TheCensus().most_at_once(), 1);
}

TEST_F(NodeTest, FirstCallsFromAllNodesAtOnceMeetOneActivation) {
  constexpr int kGrains = 20;
  constexpr int kCallsANode = 3 * kGrains;
  StartCluster(3);

  std::atomic<int> failed{0};
  std::vector<std::thread> callers;
  for (const auto& caller : peers_) {
    callers.emplace_back([&failed, &caller = *caller] {
      for (int i = 0; i < kCallsANode; ++i) {
        if (!caller.Add("counter-" + std::to_string(i % kGrains), 1).ok()) ++failed;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();

  EXPECT_EQ(failed, 0);
  for (int i = 0; i < kGrains; ++i) {
    EXPECT_EQ(peer(0).Add("counter-" + std::to_string(i), 0).value_or(-1), 3 * 3) << i;
  }
  EXPECT_EQ(TheCensus().most_at_once(), 1);
}

TEST_F(NodeTest, TellsReachGrainsElsewhereAndAreNoDeadLetters) {
  StartCluster(3);
  const auto before = Fill(peer(0), 20);

  for (const auto& [key, node] : before) {
    EXPECT_EQ(peer(1).Counter(key).Tell(int64_t{1}), Delivery::kAccepted) << key;
    EXPECT_EQ(peer(1).Add(key, 1).value_or(-1), 3) << key;  // behind the tell
  }

  for (const auto& peer : peers_) EXPECT_EQ(peer->system->dead_letters(), 0u) << peer->id;
}

TEST_F(NodeTest, ANodeIdComesBackAsANewProcess) {
  StartCluster(2);
  const auto before = Fill(peer(0), 20);

  EXPECT_EQ(peer(1).node->Leave(), absl::OkStatus());
  peer(1).node.reset();
  peer(1).system->Stop();
  Peer& again = MakePeer();
  again.id = "node-1";
  ASSERT_EQ(Start(again), absl::OkStatus());

  ASSERT_TRUE(peer(0).AwaitMembers(2));
  for (const auto& [key, node] : before) EXPECT_EQ(again.Add(key, 1).value_or(-1), 2) << key;
}

TEST_F(NodeTest, AnActorIsSpawnedByKindWhereItIsHostedAndAnswers) {
  StartCluster(2, /*last_hosts_worker=*/true);

  auto worker = peer(0).system->In("").Spawn<WorkerApi>("w", std::string("Hello"));

  ASSERT_EQ(worker.status(), absl::OkStatus());
  EXPECT_EQ(worker->Ask(std::string("Ann"), kPatience).value_or(""), "Hello, Ann, from node-1");
  EXPECT_EQ(worker->Tell(std::string("Ben")), Delivery::kAccepted);
  auto twice = peer(0).system->In("").Spawn<WorkerApi>("w", std::string("Hello"));
  EXPECT_TRUE(absl::IsAlreadyExists(twice.status())) << twice.status();
  auto there = peer(1).system->In("").Spawn<WorkerApi>("v", std::string("Hi"));
  ASSERT_EQ(there.status(), absl::OkStatus());
  EXPECT_EQ(there->Ask(std::string("Cy"), kPatience).value_or(""), "Hi, Cy, from node-1");
}

TEST_F(NodeTest, AKindThatNobodyHostsIsNotFoundAndTheMessageSaysWhatToDo) {
  StartCluster(2);

  auto worker = peer(0).system->In("").Spawn<WorkerApi>("w", std::string("Hello"));
  EXPECT_TRUE(absl::IsNotFound(worker.status())) << worker.status();
  EXPECT_THAT(std::string(worker.status().message()), HasSubstr("System::HostActor"));

  auto ghost = peer(0).system->Grain<CounterApi>("a", "ghost").Ask(int64_t{1}, kPatience);
  EXPECT_TRUE(absl::IsNotFound(ghost.status())) << ghost.status();
  EXPECT_THAT(std::string(ghost.status().message()), HasSubstr("ghost"));
}

TEST_F(NodeTest, TheSameNodeIdTwiceAlreadyExists) {
  lease_ = LeaseTimes().DividedBy(10);
  StartCluster(2);

  Peer& impostor = MakePeer();
  impostor.id = "node-1";
  const Status status = Start(impostor);

  EXPECT_TRUE(absl::IsAlreadyExists(status)) << status;
  EXPECT_EQ(peer(0).Add("counter", 1).value_or(-1), 1);
}

TEST_F(NodeTest, OptionsAreCheckedByName) {
  Peer& lonely = MakePeer();

  NodeOptions options = OptionsFor(lonely);
  options.node_id.clear();
  Status status = Node::Start(*lonely.system, options).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("node_id"));

  options = OptionsFor(lonely);
  options.leases = nullptr;
  status = Node::Start(*lonely.system, options).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("leases"));
}

}  // namespace
}  // namespace quern::cluster
