#include "quern/datacenter/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quern/cluster/embedded_control_plane.h"
#include "quern/cluster/embedded_store.h"
#include "quern/datacenter/v1/datacenter.pb.h"
#include "quern/testing/virtual_time.h"

namespace quern::datacenter {
namespace {

using cluster::EmbeddedControlPlane;
using cluster::EmbeddedFate;
using cluster::EmbeddedStore;
using cluster::Table;
using namespace std::chrono_literals;

// One node's registry with its own executor and its own connection to the global store.
struct Observer {
  Observer(testing::VirtualTime& time, EmbeddedStore& store, std::string name)
      : executor(time.NewExecutor()),
        plane(store.Connect(name, *executor)),
        random(SeededRandom(std::hash<std::string>()(name))),
        registry({.cluster_id = "flights"}, *plane, *executor, time, *random, NullLogger()) {
    registry.Start();
  }

  std::unique_ptr<testing::VirtualExecutor> executor;
  std::unique_ptr<EmbeddedControlPlane> plane;
  std::unique_ptr<Random> random;
  Registry registry;
};

Authorship West(uint64_t view_version, std::string gateway) {
  Authorship author;
  author.info.id = "us-west";
  author.info.region = "america";
  author.info.state = DatacenterState::kActive;
  author.info.gateways = {{.address = std::move(gateway), .process_id = {7}}};
  author.info.kinds = {"airport"};
  author.incarnation = 1;
  author.view_version = view_version;
  author.node_id = "node-" + std::to_string(view_version);
  author.gateway_node_ids = {author.node_id};
  return author;
}

class RegistryTest : public ::testing::Test {
 protected:
  // "state gateway" or the reason why it cannot be used.
  static std::string Show(const Registry& registry) {
    const StatusOr<DatacenterInfo> info = registry.Find("us-west");
    if (absl::IsNotFound(info.status())) return "not found";
    if (!info.ok()) return std::string(ReasonName(ReasonOf(info.status())));
    return std::string(DatacenterStateName(info->state)) + " " + info->gateways.at(0).address;
  }

  testing::VirtualTime time_;
  std::unique_ptr<testing::VirtualExecutor> store_executor_ = time_.NewExecutor();
  EmbeddedStore store_{*store_executor_, SeededRandom(1), {.latency_min = 1ms, .latency_max = 3ms}};
};

TEST_F(RegistryTest, EveryObserverSeesWhatTheCoordinatorWrote) {
  Observer author(time_, store_, "west-1");
  Observer other(time_, store_, "east-1");

  author.registry.Author(West(3, "127.0.0.1:1001"));
  time_.RunFor(1s);

  EXPECT_EQ(Show(author.registry), "active 127.0.0.1:1001");
  EXPECT_EQ(Show(other.registry), "active 127.0.0.1:1001");
  const DatacenterInfo info = other.registry.Find("us-west").value();
  EXPECT_EQ(info.region, "america");
  EXPECT_EQ(info.gateways[0].process_id, remoting::ProcessId{7});
  EXPECT_THAT(info.kinds, ::testing::ElementsAre("airport"));
}

TEST_F(RegistryTest, AnUnknownDatacenterIsNotFound) {
  Observer observer(time_, store_, "east-1");

  time_.RunFor(1s);

  EXPECT_EQ(observer.registry.Find("mars").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(RegistryTest, ARenewedRecordStaysFreshAndASilentOneTurnsStale) {
  Observer author(time_, store_, "west-1");
  Observer other(time_, store_, "east-1");
  author.registry.Author(West(3, "127.0.0.1:1001"));

  time_.RunFor(60s);
  EXPECT_EQ(Show(other.registry), "active 127.0.0.1:1001");

  author.executor->Freeze();
  time_.RunFor(25s);
  EXPECT_EQ(Show(other.registry), "dc_stale");

  author.executor->Thaw();
  time_.RunFor(5s);
  EXPECT_EQ(Show(other.registry), "active 127.0.0.1:1001");
}

TEST_F(RegistryTest, ALowerAuthorNeverOverwritesAHigherOne) {
  Observer old_author(time_, store_, "west-1");
  Observer new_author(time_, store_, "west-2");
  old_author.registry.Author(West(3, "127.0.0.1:1001"));
  time_.RunFor(1s);

  new_author.registry.Author(West(4, "127.0.0.1:1002"));
  time_.RunFor(10s);
  EXPECT_EQ(Show(old_author.registry), "active 127.0.0.1:1002");

  old_author.registry.Author(West(3, "127.0.0.1:1001"));
  time_.RunFor(10s);
  EXPECT_EQ(Show(new_author.registry), "active 127.0.0.1:1002");
}

TEST_F(RegistryTest, AnAuthorThatYieldedWritesNoMore) {
  Observer author(time_, store_, "west-1");
  Observer other(time_, store_, "east-1");
  author.registry.Author(West(3, "127.0.0.1:1001"));
  time_.RunFor(1s);

  author.registry.Yield();
  time_.RunFor(25s);

  EXPECT_EQ(Show(other.registry), "dc_stale");
}

TEST_F(RegistryTest, ARetiredDatacenterIsRefusedAtOnce) {
  Observer author(time_, store_, "west-1");
  Observer other(time_, store_, "east-1");
  author.registry.Author(West(3, "127.0.0.1:1001"));
  time_.RunFor(1s);

  Status retired = absl::UnknownError("not called");
  author.registry.Retire(DatacenterState::kInactive, [&](const Status& s) { retired = s; });
  time_.RunFor(1s);

  EXPECT_TRUE(retired.ok()) << retired;
  EXPECT_EQ(Show(other.registry), "dc_draining");
}

TEST_F(RegistryTest, AWriteOfUnknownOutcomeIsSettledByTheNextOne) {
  for (const EmbeddedFate fate : {EmbeddedFate::kUnsent, EmbeddedFate::kAppliedUnanswered,
                                  EmbeddedFate::kLost, EmbeddedFate::kAppliedLate}) {
    EmbeddedStore store(*store_executor_, SeededRandom(2),
                        {.latency_min = 1ms, .latency_max = 3ms});
    Observer author(time_, store, "west-1");
    Observer other(time_, store, "east-1");
    time_.RunFor(1s);

    store.NextMutations("west-1", fate);
    author.registry.Author(West(3, "127.0.0.1:1001"));
    time_.RunFor(10s);

    EXPECT_EQ(Show(other.registry), "active 127.0.0.1:1001") << "fate " << static_cast<int>(fate);
  }
}

TEST_F(RegistryTest, AnOutageOfTheGlobalControlPlaneIsSurvived) {
  Observer author(time_, store_, "west-1");
  Observer other(time_, store_, "east-1");
  author.registry.Author(West(3, "127.0.0.1:1001"));
  time_.RunFor(1s);

  store_.CutOff("west-1", true);
  time_.RunFor(30s);
  EXPECT_EQ(Show(other.registry), "dc_stale");

  store_.CutOff("west-1", false);
  time_.RunFor(5s);
  EXPECT_EQ(Show(other.registry), "active 127.0.0.1:1001");
}

TEST_F(RegistryTest, FieldsOfANewerVersionSurviveARewrite) {
  Observer author(time_, store_, "west-1");
  author.registry.Author(West(3, "127.0.0.1:1001"));
  time_.RunFor(1s);
  author.registry.Yield();
  cluster::Record record;
  author.plane->List(Table::kControl, "flights", 1s, [&](auto records) {
    for (const auto& found : *records) {
      if (found.key.find("datacenter") != std::string::npos) record = found;
    }
  });
  time_.RunFor(1s);

  // Field 1000, varint 42: unknown to this version.
  const std::string unknown("\xC0\x3E\x2A", 3);
  author.plane->Update(Table::kControl, record.key, record.value + unknown, record.revision, 1s,
                       [](const auto&) {});
  time_.RunFor(1s);
  author.registry.Author(West(4, "127.0.0.1:1002"));
  time_.RunFor(1s);

  std::string value;
  author.plane->Get(Table::kControl, record.key, 1s, [&](auto read) { value = read->value; });
  time_.RunFor(1s);
  EXPECT_NE(value.find("127.0.0.1:1002"), std::string::npos);
  EXPECT_NE(value.find(unknown), std::string::npos);
}

TEST_F(RegistryTest, ObserversHearChangesAndNotRenewals) {
  Observer author(time_, store_, "west-1");
  int heard = 0;
  author.registry.Observe([&] { ++heard; });
  author.registry.Author(West(3, "127.0.0.1:1001"));
  time_.RunFor(1s);
  const int after_first = heard;

  time_.RunFor(30s);
  EXPECT_EQ(heard, after_first);

  author.registry.Author(West(4, "127.0.0.1:1002"));
  time_.RunFor(1s);
  EXPECT_EQ(heard, after_first + 1);
}

}  // namespace
}  // namespace quern::datacenter
