// Orders to start an activation: who may give them, and which a host refuses.

#include "directory_world.h"

namespace quern::cluster {
namespace {

class ActivationOrderTest : public DirectoryTest {
 protected:
  v1::ActivateRequest Order(const GrainId& id, uint64_t view_version, uint64_t counter) {
    v1::ActivateRequest order;
    order.set_view_version(view_version);
    order.mutable_grain()->set_kind(id.kind);
    order.mutable_grain()->set_key(id.key);
    order.mutable_epoch()->set_incarnation(1);
    order.mutable_epoch()->set_view_version(view_version);
    order.mutable_epoch()->set_counter(counter);
    return order;
  }

  // The epoch below which the host refuses, or 0 when it has started the activation.
  uint64_t RefusedBelow(const StatusOr<remoting::SystemBody>& body) {
    v1::ActivateReply reply;
    EXPECT_TRUE(body.ok() && reply.ParseFromString(body->bytes)) << body.status();
    return reply.has_activation() ? 0 : reply.refused_below().counter();
  }
};

TEST_F(ActivationOrderTest, AnOrderOfAnOlderViewIsRefused) {
  StartThree();
  cluster_.ShowView({"a", "b", "c"});
  const GrainId id = cluster_.OwnedBy("a");

  const auto reply = cluster_.Deliver("a", "b", Order(id, cluster_.version - 1, 9));

  EXPECT_EQ(reply.status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(ReasonOf(reply.status()), Reason::kNotOwner);
  EXPECT_TRUE(cluster_.node("b").running.empty());
}

TEST_F(ActivationOrderTest, OnlyThePartitionsOwnerMayOrder) {
  StartThree();
  const GrainId id = cluster_.OwnedBy("a");

  EXPECT_EQ(ReasonOf(cluster_.Deliver("c", "b", Order(id, cluster_.version, 9)).status()),
            Reason::kNotOwner);
  EXPECT_EQ(RefusedBelow(cluster_.Deliver("a", "b", Order(id, cluster_.version, 9))), 0u);
}

TEST_F(ActivationOrderTest, AnEndedActivationIsNotStartedAgain) {
  StartThree();
  const GrainId id = cluster_.OwnedBy("a");
  ASSERT_EQ(RefusedBelow(cluster_.Deliver("a", "b", Order(id, cluster_.version, 9))), 0u);
  cluster_.node("b").End(id);

  EXPECT_EQ(RefusedBelow(cluster_.Deliver("a", "b", Order(id, cluster_.version, 9))), 9u);
  EXPECT_EQ(RefusedBelow(cluster_.Deliver("a", "b", Order(id, cluster_.version, 10))), 0u);
}

TEST_F(ActivationOrderTest, WhatIsForgottenRaisesAFloorForAll) {
  cluster_.options.ended_epochs_max = 2;
  StartThree();
  std::vector<GrainId> ids;
  for (int i = 0; ids.size() < 4; ++i) {
    const GrainId id("cart", std::to_string(i));
    if (OwnerOf(PartitionOf(id, *cluster_.current), *cluster_.current)->node_id == "a") {
      ids.push_back(id);
    }
  }
  for (uint64_t i = 0; i < 3; ++i) {
    ASSERT_EQ(RefusedBelow(cluster_.Deliver("a", "b", Order(ids[i], cluster_.version, i + 1))), 0u);
    cluster_.node("b").End(ids[i]);
  }

  EXPECT_EQ(RefusedBelow(cluster_.Deliver("a", "b", Order(ids[0], cluster_.version, 1))), 1u);
  EXPECT_EQ(RefusedBelow(cluster_.Deliver("a", "b", Order(ids[3], cluster_.version, 1))), 1u);
  EXPECT_EQ(RefusedBelow(cluster_.Deliver("a", "b", Order(ids[3], cluster_.version, 4))), 0u);
}

TEST_F(ActivationOrderTest, AnOrderWhoseAnswerIsLostIsAskedAbout) {
  cluster_.options.call_timeout = seconds(1);
  cluster_.options.placement_of = [](std::string_view) {
    return Placement{PlacementStrategy::kLocal, ""};
  };
  StartThree();
  const GrainId id = cluster_.OwnedBy("a");

  cluster_.lost = {"quern.cluster.v1.ActivateRequest"};
  StatusOr<Location> found = absl::UnknownError("");
  cluster_.node("c").directory->Locate(id, {}, cluster_.time.Now() + seconds(60),
                                       [&](StatusOr<Location> l) { found = l; });
  cluster_.time.RunFor(milliseconds(500));
  cluster_.lost = {};
  cluster_.time.RunFor(seconds(20));

  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_GT(found->epoch.counter, 1u) << "the lost order's epoch is never used again";
}

TEST_F(ActivationOrderTest, AFencedHostStartsNothing) {
  StartThree();
  const GrainId id = cluster_.OwnedBy("a");
  cluster_.node("b").directory->OnServingUntil(Time::min());

  EXPECT_EQ(cluster_.Deliver("a", "b", Order(id, cluster_.version, 9)).status().code(),
            absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace quern::cluster
