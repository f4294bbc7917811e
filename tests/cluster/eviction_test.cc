// How members that are gone leave the view, and how those that are not stay in it.

#include "membership_world.h"

namespace quern::cluster {
namespace {

using EvictionTest = MembershipTest;

// ---- Eviction

TEST_F(EvictionTest, ASilentMemberIsEvictedAfterItsLeaseAndNotBefore) {
  world_.proof_of_exit = false;
  Process& a = world_.Joined("a");
  Process& b = world_.Joined("b");
  time().RunFor(seconds(5));

  world_.store.CutOff("b.lease", true);
  world_.store.CutOff("b", true);
  world_.deaf = true;
  ASSERT_TRUE(Until([&] { return a.membership->view()->members.size() == 1; }, seconds(40)));

  EXPECT_LT(b.serving_until, time().Now()) << "it has fenced itself before";
  EXPECT_EQ(world_.LeaseOf(b).state(), v1::Lease::STATE_EVICTED);
  EXPECT_EQ(world_.LeaseOf(b).evicted_by(), "a");
  EXPECT_EQ(world_.LeaseOf(b).evidence(), "its lease did not move");
  world_.store.CutOff("b.lease", false);
  time().RunFor(seconds(5));
  EXPECT_EQ(b.evicted.code(), absl::StatusCode::kAborted);
  EXPECT_THAT(std::string(b.evicted.message()), HasSubstr("evicted by a"));
}

TEST_F(EvictionTest, AnObserverThatCannotRenewAccusesNobody) {
  Process& a = world_.Joined("a");
  world_.Joined("b");
  time().RunFor(seconds(5));

  // "a" is paused for longer than a lease; what it hears first when it wakes is old.
  a.executor->Freeze();
  time().RunFor(seconds(15));
  a.executor->Thaw();
  time().RunFor(seconds(15));

  EXPECT_EQ(Names(a.membership->view()), "a(active) b(active) ");
}

TEST_F(EvictionTest, AnEvictedProcessComesBackAsAnother) {
  Process& a = world_.Joined("a");
  Process& b = world_.Joined("b");
  b.executor->Freeze();
  ASSERT_TRUE(Until([&] { return a.membership->view()->members.size() == 1; }, seconds(40)));
  b.executor->Thaw();
  time().RunFor(seconds(3));
  ASSERT_EQ(b.evicted.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(b.serving_until, Time::min());

  b.self.process_id[1] = 77;
  std::optional<Status> again;
  b.membership->Rejoin(b.self, seconds(10), [&](Status status) { again = status; });
  ASSERT_TRUE(Until([&] { return again.has_value(); }, seconds(10)));
  time().RunFor(milliseconds(10));

  EXPECT_EQ(*again, absl::OkStatus());
  EXPECT_EQ(Names(a.membership->view()), "a(active) b(active) ");
  EXPECT_GT(b.serving_until, time().Now());
}

TEST_F(EvictionTest, ATakenLeaseWithoutTheViewIsFinishedByOthers) {
  Process& a = world_.Joined("a");
  Process& b = world_.Joined("b");
  // The evictor died between its two compare-and-sets.
  const std::string key = world_.keys.Key("lease", "02" + std::string(30, '0'));
  auto [lease, revision] = world_.Read<v1::Lease>(Table::kLease, key);
  lease.set_state(v1::Lease::STATE_EVICTED);
  world_.Overwrite(Table::kLease, key, lease.SerializeAsString(), revision);

  time().RunFor(seconds(3));

  EXPECT_EQ(Names(a.membership->view()), "a(active) ");
  EXPECT_EQ(b.evicted.code(), absl::StatusCode::kAborted);
}

// ---- Proof of exit

TEST_F(EvictionTest, InAViewOfTwoOneWitnessProvesAnExit) {
  Process& a = world_.Joined("a");
  Process& b = world_.Joined("b");
  const remoting::NodeIdentity gone = b.Identity();
  world_.Kill(b);
  a.probe = remoting::ProbeResult::kRefused;

  EndSession(a, gone, remoting::StreamEnd::kFin);

  EXPECT_TRUE(Until([&] { return a.membership->view()->members.size() == 1; }, seconds(1)));
}

TEST_F(EvictionTest, InAViewOfThreeTwoMustHaveSeenIt) {
  Process& a = world_.Joined("a");
  Process& b = world_.Joined("b");
  Process& c = world_.Joined("c");
  const remoting::NodeIdentity gone = c.Identity();
  world_.Kill(c);
  a.probe = b.probe = remoting::ProbeResult::kRefused;

  EndSession(a, gone, remoting::StreamEnd::kReset);
  time().RunFor(seconds(3));
  EXPECT_EQ(a.membership->view()->members.size(), 3u) << "one witness";
  EndSession(b, gone, remoting::StreamEnd::kReset);

  EXPECT_TRUE(Until([&] { return a.membership->view()->members.size() == 2; }, seconds(1)));
}

TEST_F(EvictionTest, AnAddressThatAnswersAgainIsNoExit) {
  Process& a = world_.Joined("a");
  Process& b = world_.Joined("b");

  for (const remoting::ProbeResult probe :
       {remoting::ProbeResult::kSameProcess, remoting::ProbeResult::kInconclusive}) {
    a.probe = probe;
    EndSession(a, b.Identity(), remoting::StreamEnd::kFin);
    time().RunFor(seconds(10));
  }
  a.membership->OnSessionUp(b.Identity());
  a.probe = remoting::ProbeResult::kRefused;
  EndSession(a, b.Identity(), remoting::StreamEnd::kTimeout);
  EndSession(a, b.Identity(), remoting::StreamEnd::kLocal);
  time().RunFor(seconds(10));

  EXPECT_EQ(a.membership->view()->members.size(), 2u);
}

TEST_F(EvictionTest, OnTheSameMachineTheSystemsWordIsProof) {
  Process& a = world_.Joined("a");
  world_.Joined("b");
  Process& c = world_.Joined("c");
  const remoting::NodeIdentity gone = c.Identity();
  world_.Kill(c);
  a.gone = {"c"};

  EndSession(a, gone, remoting::StreamEnd::kReset);

  EXPECT_TRUE(Until([&] { return a.membership->view()->members.size() == 2; }, seconds(1)));
}

TEST_F(EvictionTest, ProofIsForProvableMembersAndCanBeSwitchedOff) {
  for (const bool provable : {false, true}) {
    World world;
    world.exit_provable = provable;
    world.proof_of_exit = !provable;
    Process& a = world.Joined("a");
    Process& b = world.Joined("b");
    const remoting::NodeIdentity gone = b.Identity();
    world.Kill(b);
    a.probe = remoting::ProbeResult::kRefused;
    a.gone = {"b"};

    a.membership->OnSessionDown({gone, remoting::StreamEnd::kFin, remoting::CloseReason::kNone});
    world.time.RunFor(seconds(10));

    EXPECT_EQ(a.membership->view()->members.size(), 2u);
  }
}

}  // namespace
}  // namespace quern::cluster
