#include "quern/cluster/directory.h"

#include "directory_world.h"

namespace quern::cluster {
namespace {

// ---- Locating and placing

TEST_F(DirectoryTest, EveryCallerFindsTheSameActivation) {
  StartThree();
  const GrainId id("cart", "alice");

  const StatusOr<Location> first = cluster_.Locate("a", id);

  ASSERT_TRUE(first.ok()) << first.status();
  for (const char* name : {"a", "b", "c"}) {
    const StatusOr<Location> found = cluster_.Locate(name, id);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->epoch, first->epoch);
    EXPECT_EQ(found->peer, first->peer);
    EXPECT_EQ(found->is_local, Host(found) == name);
  }
  EXPECT_EQ(cluster_.node(Host(first)).running.at(id), first->epoch);
}

TEST_F(DirectoryTest, OnlyMembersThatHostTheKindAreChosen) {
  StartThree();
  cluster_.node("a").member.kinds = cluster_.node("b").member.kinds = {};
  cluster_.ShowView({"a", "b", "c"});

  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(Host(cluster_.Locate("a", GrainId("cart", std::to_string(i)))), "c");
  }
  EXPECT_EQ(cluster_.Locate("a", GrainId("boat", "x")).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(DirectoryTest, ARoleNarrowsTheChoice) {
  cluster_.options.placement_of = [](std::string_view) {
    return Placement{PlacementStrategy::kHash, "big"};
  };
  StartThree();
  cluster_.node("b").member.roles = {"big"};
  cluster_.ShowView({"a", "b", "c"});

  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(Host(cluster_.Locate("a", GrainId("cart", std::to_string(i)))), "b");
  }
}

TEST_F(DirectoryTest, LocalPlacementIsWhereTheCallerIs) {
  cluster_.options.placement_of = [](std::string_view) {
    return Placement{PlacementStrategy::kLocal, ""};
  };
  StartThree();

  EXPECT_EQ(Host(cluster_.Locate("a", GrainId("cart", "1"))), "a");
  EXPECT_EQ(Host(cluster_.Locate("b", GrainId("cart", "2"))), "b");
  EXPECT_EQ(Host(cluster_.Locate("b", GrainId("cart", "1"))), "a") << "it is there already";
}

TEST_F(DirectoryTest, RoundRobinAndLeastLoadedSpread) {
  for (const PlacementStrategy strategy :
       {PlacementStrategy::kRoundRobin, PlacementStrategy::kLeastLoaded}) {
    Cluster cluster;
    cluster.options.placement_of = [strategy](std::string_view) { return Placement{strategy, ""}; };
    for (const char* name : {"a", "b", "c"}) cluster.Add(name);
    for (const char* name : {"b", "c"}) cluster.node(name).member.state = MemberState::kJoining;
    cluster.ShowView({"a", "b", "c"});  // so that "a" owns everything
    for (const char* name : {"b", "c"}) cluster.node(name).member.state = MemberState::kActive;
    cluster.ShowView({"a", "b", "c"});

    std::map<std::string, int> share;
    for (int i = 0; i < 300; ++i) {
      const GrainId id("cart", std::to_string(i));
      const StatusOr<Location> location = cluster.Locate("a", id);
      ASSERT_TRUE(location.ok()) << location.status();
      ++share[cluster.NameOf(location->peer.process_id)];
    }
    for (const char* name : {"a", "b", "c"}) EXPECT_NEAR(share[name], 100, 3) << name;
  }
}

TEST_F(DirectoryTest, AHostThatRefusesIsPassedOver) {
  StartThree();
  const GrainId id("cart", "alice");
  const std::string first = Host(cluster_.Locate("a", id));
  cluster_.node(first).End(id);
  cluster_.time.RunFor(milliseconds(100));

  cluster_.node(first).refuse_activation = absl::UnavailableError("stopping");

  EXPECT_NE(Host(cluster_.Locate("a", id)), first);
}

TEST_F(DirectoryTest, WhatOnActivateReturnsReachesTheCaller) {
  StartThree();
  for (const char* name : {"a", "b", "c"}) {
    cluster_.node(name).refuse_activation = absl::FailedPreconditionError("no such cart");
  }

  const Status status = cluster_.Locate("a", GrainId("cart", "alice")).status();

  EXPECT_EQ(status, absl::FailedPreconditionError("no such cart"));
}

// ---- Reports

TEST_F(DirectoryTest, AnOwnerServesOnlyAfterEveryReport) {
  StartThree();
  cluster_.lost = {"quern.cluster.v1.ReportRequest"};
  cluster_.Add("d");
  cluster_.ShowView({"a", "b", "c", "d"});
  const GrainId id = cluster_.OwnedBy("d");

  const Status status = cluster_.Locate("a", id, {}, seconds(8)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("waits for the report of a b c"));
  cluster_.lost = {};

  EXPECT_TRUE(cluster_.Locate("a", id).ok()) << "the owner asks again by itself";
}

TEST_F(DirectoryTest, AMemberThatLeftTheViewIsWaitedForNoMore) {
  StartThree();
  cluster_.lost = {"quern.cluster.v1.ReportRequest", "quern.cluster.v1.ReportWanted"};
  cluster_.Add("d");
  cluster_.ShowView({"a", "b", "c", "d"});
  cluster_.ShowView({"d"});

  EXPECT_EQ(Host(cluster_.Locate("d", GrainId("cart", "alice"))), "d");
}

TEST_F(DirectoryTest, ActivationsAreFoundAgainAfterTheOwnerHasChanged) {
  StartThree();
  std::map<GrainId, StatusOr<Location>> before;
  for (int i = 0; i < 40; ++i) {
    const GrainId id("cart", std::to_string(i));
    before.emplace(id, cluster_.Locate("a", id));
  }
  cluster_.Add("d").member.kinds = {};

  cluster_.ShowView({"a", "b", "c", "d"});
  cluster_.ShowView({"b", "c", "d"});

  for (const auto& [id, location] : before) {
    if (Host(location) == "a") continue;
    const StatusOr<Location> after = cluster_.Locate("b", id);
    ASSERT_TRUE(after.ok()) << after.status();
    EXPECT_EQ(after->epoch, location->epoch);
  }
}

TEST_F(DirectoryTest, AReportOfManyActivationsComesInParts) {
  cluster_.Add("a");
  cluster_.ShowView({"a"});
  cluster_.time.RunFor(seconds(1));
  constexpr size_t kMany = 2 * kReportActivationsMax + 1000;
  size_t located = 0;
  for (size_t i = 0; i < kMany; ++i) {
    cluster_.node("a").directory->Locate(GrainId("cart", std::to_string(i)), {}, kNever,
                                         [&](const StatusOr<Location>& l) { located += l.ok(); });
  }
  ASSERT_TRUE(cluster_.time.RunUntil([&] { return located == kMany; }, seconds(10)));

  cluster_.Add("b").member.kinds = {};
  cluster_.ShowView({"a", "b"});
  cluster_.time.RunFor(seconds(1));

  const size_t moved = cluster_.node("b").directory->entries().size();
  EXPECT_GT(moved, 0u);
  EXPECT_EQ(cluster_.node("a").directory->entries().size() + moved, kMany);
  EXPECT_GT(cluster_.reports_to["b"], 1);
  EXPECT_LE(cluster_.largest_report, static_cast<int>(kMany / 8 * 3 / 2 + kReportActivationsMax));
}

TEST_F(DirectoryTest, OfDuplicatesTheHighestEpochStays) {
  StartThree();
  const GrainId id = cluster_.OwnedBy("a");
  const auto report = [&](uint64_t counter) {
    v1::ReportRequest request;
    request.set_view_version(cluster_.version);
    v1::Activation& activation = *request.add_activations();
    activation.mutable_grain()->set_kind(id.kind);
    activation.mutable_grain()->set_key(id.key);
    activation.mutable_epoch()->set_counter(counter);
    activation.set_state(v1::ACTIVATION_STATE_ACTIVE);
    return request;
  };

  ASSERT_TRUE(cluster_.Deliver("b", "a", report(5)).ok());
  const StatusOr<remoting::SystemBody> reply = cluster_.Deliver("c", "a", report(4));

  v1::ReportReply surplus;
  ASSERT_TRUE(reply.ok() && surplus.ParseFromString(reply->bytes));
  ASSERT_EQ(surplus.surplus_size(), 1);
  EXPECT_EQ(surplus.surplus(0).key(), id.key);
  EXPECT_EQ(Host(cluster_.Locate("c", id)), "b");
}

// ---- Ends

TEST_F(DirectoryTest, AnUnregisteredGrainGetsAHigherEpoch) {
  StartThree();
  const GrainId id("cart", "alice");
  const StatusOr<Location> first = cluster_.Locate("a", id);
  cluster_.node(Host(first)).End(id);
  cluster_.time.RunFor(milliseconds(100));

  const StatusOr<Location> second = cluster_.Locate("b", id);

  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_GT(second->epoch, first->epoch);
  EXPECT_EQ(second->epoch.view_version, first->epoch.view_version);
}

TEST_F(DirectoryTest, AStaleLocationIsCheckedWithItsHost) {
  StartThree();
  cluster_.lost = {"quern.cluster.v1.UnregisterRequest"};
  const GrainId id("cart", "alice");
  const StatusOr<Location> first = cluster_.Locate("a", id);
  cluster_.node(Host(first)).End(id);

  EXPECT_EQ(cluster_.Locate("a", id)->epoch, first->epoch) << "nobody has told the owner";
  const StatusOr<Location> second = cluster_.Locate("a", id, first->epoch);

  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_GT(second->epoch, first->epoch);
}

TEST_F(DirectoryTest, AnActivationOnItsWayOutIsWaitedFor) {
  StartThree();
  const GrainId id("cart", "alice");
  const StatusOr<Location> first = cluster_.Locate("a", id);
  std::optional<StatusOr<Location>> second;

  cluster_.node("b").directory->Locate(id, first->epoch, cluster_.time.Now() + seconds(3),
                                       [&](StatusOr<Location> l) { second = l; });
  cluster_.time.RunFor(seconds(1));
  EXPECT_FALSE(second.has_value());
  cluster_.node(Host(first)).End(id);
  cluster_.time.RunFor(milliseconds(100));

  ASSERT_TRUE(second.has_value() && second->ok());
  EXPECT_GT((*second)->epoch, first->epoch);
}

TEST_F(DirectoryTest, GrainsOfAMemberThatLeftTheViewArePlacedAnew) {
  StartThree();
  std::map<GrainId, StatusOr<Location>> before;
  for (int i = 0; i < 30; ++i) {
    const GrainId id("cart", std::to_string(i));
    before.emplace(id, cluster_.Locate("a", id));
  }

  cluster_.ShowView({"a", "b"});

  for (const auto& [id, location] : before) {
    const StatusOr<Location> after = cluster_.Locate("a", id);
    ASSERT_TRUE(after.ok()) << after.status();
    if (Host(location) != "c") {
      EXPECT_EQ(after->epoch, location->epoch);
    } else {
      EXPECT_GT(after->epoch, location->epoch);
    }
  }
}

// ---- Fencing, freezing, views to come

TEST_F(DirectoryTest, AFencedOwnerAnswersNobodyUntilItServesAgain) {
  StartThree();
  const GrainId id = cluster_.OwnedBy("a");
  cluster_.node("a").directory->OnServingUntil(Time::min());

  const Status status = cluster_.Locate("b", id, {}, seconds(1)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("fenced"));
  cluster_.node("a").directory->OnServingUntil(cluster_.time.Now() + seconds(100));

  EXPECT_TRUE(cluster_.Locate("b", id).ok());
}

TEST_F(DirectoryTest, AFrozenOwnerPlacesNothingNewAndStillFindsWhatThereIs) {
  StartThree();
  const GrainId known = cluster_.OwnedBy("a");
  ASSERT_TRUE(cluster_.Locate("b", known).ok());
  cluster_.node("a").directory->Freeze();
  GrainId unknown;
  for (int i = 1000; unknown.key.empty(); ++i) {
    const GrainId id("cart", std::to_string(i));
    if (OwnerOf(PartitionOf(id, *cluster_.current), *cluster_.current)->node_id == "a") {
      unknown = id;
    }
  }

  EXPECT_TRUE(cluster_.Locate("c", known).ok());
  EXPECT_EQ(cluster_.Locate("c", unknown, {}, seconds(1)).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(DirectoryTest, AMessageOfAViewToComeWaitsForIt) {
  StartThree();
  cluster_.ShowView({"a", "b", "c"}, {"a", "c"});
  const GrainId id = cluster_.OwnedBy("b");
  std::optional<StatusOr<Location>> found;

  cluster_.node("a").directory->Locate(id, {}, cluster_.time.Now() + seconds(3),
                                       [&](StatusOr<Location> l) { found = l; });
  cluster_.time.RunFor(milliseconds(500));
  EXPECT_FALSE(found.has_value());
  EXPECT_EQ(cluster_.node("b").fetched, cluster_.version);
  cluster_.node("b").directory->OnView(cluster_.current, true);
  cluster_.time.RunFor(milliseconds(100));

  EXPECT_TRUE(found.has_value() && found->ok());
}

TEST_F(DirectoryTest, MessagesOfViewsThatNeverComeAreBounded) {
  cluster_.options.held_messages_max = 3;
  StartThree();
  v1::ReportWanted wanted;
  wanted.set_view_version(cluster_.version + 10);
  v1::LocateRequest locate;
  locate.set_view_version(cluster_.version + 10);
  remoting::NodeIdentity from;
  for (int i = 0; i < 3; ++i) {
    cluster_.node("a").directory->OnMessage(
        from, {v1::ReportWanted::descriptor()->full_name(), wanted.SerializeAsString()}, nullptr);
  }

  const Time before = cluster_.time.Now();
  EXPECT_EQ(cluster_.Deliver("b", "a", locate).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(cluster_.time.Now(), before) << "refused at once";
  cluster_.time.RunFor(seconds(20));
  EXPECT_EQ(cluster_.Deliver("b", "a", locate).status().code(), absl::StatusCode::kUnavailable);

  EXPECT_GT(cluster_.time.Now() - before, seconds(20)) << "held, then given up";
}

TEST_F(DirectoryTest, WaitingLocatesAreBounded) {
  cluster_.options.locates_waiting_max = 2;
  cluster_.Add("a");
  for (const char* key : {"1", "2"}) {
    cluster_.node("a").directory->Locate(GrainId("cart", key), {}, kNever,
                                         [](const StatusOr<Location>&) {});
  }

  EXPECT_EQ(cluster_.Locate("a", GrainId("cart", "3")).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST_F(DirectoryTest, WithoutAViewALocateWaitsToItsDeadline) {
  cluster_.Add("a");

  const Status status = cluster_.Locate("a", GrainId("cart", "1"), {}, seconds(2)).status();

  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no owner known yet"));
}

TEST_F(DirectoryTest, MalformedMessagesAreRefused) {
  StartThree();
  v1::LocateRequest bad_kind;
  bad_kind.mutable_grain()->set_kind("Not A Kind");

  EXPECT_EQ(cluster_.DeliverBody("b", "a", {"quern.cluster.v1.LocateRequest", "\xff\xff"})
                .status()
                .code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(cluster_.DeliverBody("b", "a", {"nonsense", ""}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(cluster_.Deliver("b", "a", bad_kind).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(Directory::Handles("nonsense"));
}

TEST_F(DirectoryTest, ResetDeactivatesWhatRunsHere) {
  StartThree();
  const GrainId id("cart", "alice");
  const std::string host = Host(cluster_.Locate("a", id));

  cluster_.node(host).directory->Reset({99});

  EXPECT_EQ(cluster_.node(host).deactivated, std::vector<std::string>{"cart/alice"});
  EXPECT_TRUE(cluster_.node(host).directory->hosted().empty());
  EXPECT_TRUE(cluster_.node(host).directory->entries().empty());
}

}  // namespace
}  // namespace quern::cluster
