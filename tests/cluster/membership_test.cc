#include "quern/cluster/membership.h"

#include "membership_world.h"

namespace quern::cluster {
namespace {

// ---- Joining and leaving

TEST_F(MembershipTest, TheFirstToJoinCreatesTheView) {
  Process& a = world_.Joined("a");

  EXPECT_EQ(Names(a.membership->view()), "a(active) ");
  EXPECT_EQ(a.membership->view()->version, 2u);
  EXPECT_EQ(a.membership->self().incarnation, 1u);
  EXPECT_EQ(a.membership->view()->partition_count, kPartitionCount);
  EXPECT_EQ(a.membership->view()->control_plane_incarnation, 1u);
  EXPECT_EQ(world_.LeaseOf(a).incarnation(), 1u);
}

TEST_F(MembershipTest, ManyJoinAtOnceAndTheRingOfWritesStaysBounded) {
  for (int i = 0; i < 40; ++i) world_.Join("n" + std::to_string(i), seconds(30));

  EXPECT_TRUE(Until(
      [&] {
        return std::ranges::all_of(world_.processes, [](const auto& p) {
          return p->joined == absl::OkStatus() && p->membership->view()->version == 80;
        });
      },
      seconds(30)));
  const v1::View view =
      world_.Read<v1::View>(Table::kControl, world_.keys.Key("view", "main")).first;
  EXPECT_EQ(view.members_size(), 40);
  EXPECT_EQ(view.recent_writes_size(), kViewRecentWritesMax);
}

TEST_F(MembershipTest, EveryViewIsToldAndSkippedOnesAreMarked) {
  Process& a = world_.Joined("a");
  world_.Joined("b");
  time().RunFor(milliseconds(10));
  EXPECT_EQ(a.views, (std::vector<std::string>{"1", "2+", "3+", "4+"}));

  world_.store.Deafen("a", true);
  world_.deaf = true;
  world_.store.ServeStaleReads("a", true);
  world_.Joined("c");
  world_.store.ServeStaleReads("a", false);
  a.membership->OnHigherVersion(6);
  time().RunFor(seconds(1));

  EXPECT_EQ(a.views.back(), "6");
}

TEST_F(MembershipTest, LeavingGoesThroughTheViewAndClosesTheLease) {
  Process& a = world_.Joined("a");
  Process& b = world_.Joined("b");
  std::optional<Status> left;
  std::optional<Status> closed;

  b.membership->Leave([&](Status status) { left = status; });
  ASSERT_TRUE(Until([&] { return left.has_value(); }, seconds(1)));
  time().RunFor(milliseconds(10));
  EXPECT_EQ(Names(a.membership->view()), "a(active) b(leaving) ");
  EXPECT_GT(b.serving_until, time().Now());
  b.membership->Close([&](Status status) { closed = status; });
  EXPECT_EQ(b.serving_until, Time::min()) << "fenced at once";
  ASSERT_TRUE(Until([&] { return closed.has_value(); }, seconds(1)));
  time().RunFor(milliseconds(10));

  EXPECT_EQ(*closed, absl::OkStatus());
  EXPECT_EQ(Names(a.membership->view()), "a(active) ");
  EXPECT_EQ(world_.LeaseOf(b).state(), v1::Lease::STATE_CLOSED);
  EXPECT_EQ(b.evicted, absl::OkStatus()) << "it left by itself";
}

TEST_F(MembershipTest, AJoinGivesUpAtItsTimeout) {
  world_.store.CutOff("a.lease", true);

  Process& a = world_.Join("a", seconds(5));
  time().RunFor(seconds(6));

  ASSERT_TRUE(a.joined.has_value());
  EXPECT_EQ(a.joined->code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(MembershipTest, ALiveMembersNameIsTaken) {
  world_.Joined("a");

  Process& second = world_.Join("a");
  time().RunFor(seconds(9));

  ASSERT_TRUE(second.joined.has_value());
  EXPECT_EQ(second.joined->code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(second.joined->message()), HasSubstr("a live member at a:1"));
}

TEST_F(MembershipTest, APredecessorThatIsGoneFromTheMachineMakesRoomAtOnce) {
  world_.Kill(world_.Joined("a"));

  Process& second = world_.New("a");
  second.gone = {"a"};
  second.membership->Join(seconds(10), [&](Status status) { second.joined = status; });

  EXPECT_TRUE(Until([&] { return second.joined.has_value(); }, seconds(2)));
  EXPECT_EQ(*second.joined, absl::OkStatus());
}

TEST_F(MembershipTest, APredecessorThatIsSilentMakesRoomAfterItsLease) {
  world_.proof_of_exit = false;
  world_.Kill(world_.Joined("a"));

  Process& second = world_.Join("a", seconds(40));
  time().RunFor(world_.lease.length - seconds(1));
  EXPECT_FALSE(second.joined.has_value());
  time().RunFor(seconds(5));

  EXPECT_EQ(second.joined, absl::OkStatus());
}

TEST_F(MembershipTest, AViewOfAnotherControlPlaneIncarnationIsNotJoined) {
  v1::View foreign;
  foreign.set_version(9);
  foreign.set_partition_count(8);
  foreign.set_control_plane_incarnation(2);
  world_.Overwrite(Table::kControl, world_.keys.Key("view", "main"), foreign.SerializeAsString(),
                   0);

  Process& a = world_.Join("a");
  time().RunFor(seconds(2));

  ASSERT_TRUE(a.joined.has_value());
  EXPECT_EQ(a.joined->code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(MembershipTest, AMalformedViewIsReportedNotOverwritten) {
  world_.Overwrite(Table::kControl, world_.keys.Key("view", "main"), "\xff\xff", 0);

  Process& a = world_.Join("a");
  time().RunFor(seconds(2));

  ASSERT_TRUE(a.joined.has_value());
  EXPECT_EQ(a.joined->code(), absl::StatusCode::kDataLoss);
}

TEST_F(MembershipTest, AFullViewTakesNobody) {
  v1::View full;
  full.set_version(9);
  full.set_partition_count(8);
  full.set_control_plane_incarnation(1);
  for (size_t i = 0; i < kMembersMax; ++i) {
    v1::Member& member = *full.add_members();
    member.set_node_id("n" + std::to_string(i));
    member.set_process_id(std::string(8, 'x') + std::to_string(10'000'000 + i));
  }
  world_.Overwrite(Table::kControl, world_.keys.Key("view", "main"), full.SerializeAsString(), 0);

  Process& a = world_.Join("a");
  time().RunFor(seconds(2));

  ASSERT_TRUE(a.joined.has_value());
  EXPECT_EQ(a.joined->code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(MembershipTest, FieldsOfANewerVersionSurvive) {
  world_.Joined("a");
  const std::string key = world_.keys.Key("view", "main");
  auto [view, revision] = world_.Read<v1::View>(Table::kControl, key);
  view.set_version(view.version() + 1);
  view.set_parent_id(view.id());
  view.set_id(99);
  view.GetReflection()->MutableUnknownFields(&view)->AddVarint(1000, 42);
  v1::Member* member = view.mutable_members(0);
  member->GetReflection()->MutableUnknownFields(member)->AddLengthDelimited(1001, "future");
  world_.Overwrite(Table::kControl, key, view.SerializeAsString(), revision);

  world_.Joined("b");

  const v1::View after = world_.Read<v1::View>(Table::kControl, key).first;
  EXPECT_EQ(after.GetReflection()->GetUnknownFields(after).field(0).varint(), 42u);
  const v1::Member& first = after.members(0);
  EXPECT_EQ(first.GetReflection()->GetUnknownFields(first).field(0).length_delimited(), "future");
}

// ---- The lease

TEST_F(MembershipTest, ARenewalCountsFromItsSend) {
  Process& a = world_.Joined("a");
  world_.store.SetLatency(milliseconds(300), milliseconds(300));
  time().RunFor(seconds(5));
  const Time before = a.serving_until;

  ASSERT_TRUE(Until([&] { return a.serving_until != before; }, seconds(5)));

  EXPECT_EQ(a.serving_until, time().Now() - milliseconds(600) + world_.lease.fence_at);
  EXPECT_EQ(a.serving_until - before, world_.lease.renew_every);
}

TEST_F(MembershipTest, AnUnansweredRenewalThatWonCountsFromItsOwnSend) {
  Process& a = world_.Joined("a");
  time().RunFor(seconds(5));
  const Time before = a.serving_until;

  world_.store.NextMutations("a.lease", EmbeddedFate::kAppliedUnanswered);
  ASSERT_TRUE(Until([&] { return a.serving_until != before; }, seconds(5)));

  EXPECT_EQ(a.serving_until - before, world_.lease.renew_every)
      << "not from the send of the attempt that found out";
  EXPECT_EQ(a.evicted, absl::OkStatus());
}

TEST_F(MembershipTest, LostLateAndUnsentRenewalsEndNothing) {
  Process& a = world_.Joined("a");

  for (const EmbeddedFate fate :
       {EmbeddedFate::kLost, EmbeddedFate::kAppliedLate, EmbeddedFate::kUnsent}) {
    world_.store.NextMutations("a.lease", fate, 2);
    time().RunFor(seconds(12));
    EXPECT_GT(a.serving_until, time().Now() + seconds(10)) << static_cast<int>(fate);
  }

  EXPECT_EQ(a.evicted, absl::OkStatus());
}

TEST_F(MembershipTest, WithoutRenewalsTheFenceFallsAndTheSameIncarnationResumes) {
  Process& a = world_.Joined("a");
  time().RunFor(seconds(5));

  world_.store.CutOff("a.lease", true);
  time().RunFor(world_.lease.fence_at + seconds(1));
  EXPECT_LT(a.serving_until, time().Now());
  world_.store.CutOff("a.lease", false);
  time().RunFor(seconds(2));

  EXPECT_GT(a.serving_until, time().Now());
  EXPECT_EQ(a.membership->self().incarnation, 1u);
  EXPECT_EQ(a.evicted, absl::OkStatus());
}

// ---- Views that cannot be

TEST_F(MembershipTest, AViewThatDoesNotDescendFreezesClaims) {
  Process& a = world_.Joined("a");
  const std::string key = world_.keys.Key("view", "main");
  auto [view, revision] = world_.Read<v1::View>(Table::kControl, key);
  view.set_version(view.version() + 1);
  view.set_parent_id(12345);
  view.set_id(99);
  world_.Overwrite(Table::kControl, key, view.SerializeAsString(), revision);
  time().RunFor(seconds(1));

  EXPECT_TRUE(a.membership->frozen());
  EXPECT_EQ(a.frozen.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(a.membership->view()->version, 2u);
  EXPECT_GT(a.serving_until, time().Now()) << "what runs goes on";
  std::optional<Status> left;
  a.membership->Leave([&](Status status) { left = status; });
  time().RunFor(seconds(1));
  EXPECT_EQ(left->code(), absl::StatusCode::kFailedPrecondition) << "nothing is written upon it";
}

TEST_F(MembershipTest, AnotherLineageIsKnownByTheRingOfPastWrites) {
  Process& a = world_.Joined("a");
  const std::string key = world_.keys.Key("view", "main");
  auto [view, revision] = world_.Read<v1::View>(Table::kControl, key);
  view.set_version(view.version() + 5);
  view.set_id(99);
  view.mutable_recent_writes(1)->set_nonce(4711);  // another view of version 2
  world_.Overwrite(Table::kControl, key, view.SerializeAsString(), revision);
  time().RunFor(seconds(1));

  EXPECT_TRUE(a.membership->frozen());
}

TEST_F(MembershipTest, MalformedMessagesAreIgnored) {
  Process& a = world_.Joined("a");
  const ViewPtr before = a.membership->view();
  v1::ViewPushed empty;
  v1::ExitWitnessed witness;
  witness.set_process_id("short");

  a.membership->OnMessage(a.Identity(), {"quern.cluster.v1.ViewPushed", "\xff\xff"});
  a.membership->OnMessage(a.Identity(), {"quern.cluster.v1.ViewPushed", empty.SerializeAsString()});
  a.membership->OnMessage(a.Identity(),
                          {"quern.cluster.v1.ExitWitnessed", witness.SerializeAsString()});
  a.membership->OnMessage(a.Identity(), {"nonsense", ""});

  EXPECT_EQ(a.membership->view(), before);
  EXPECT_TRUE(Membership::Handles("quern.cluster.v1.ViewPushed"));
  EXPECT_FALSE(Membership::Handles("nonsense"));
}

}  // namespace
}  // namespace quern::cluster
