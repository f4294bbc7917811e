#include "quern/cluster/membership.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quern/cluster/embedded_control_plane.h"
#include "quern/cluster/keys.h"
#include "quern/cluster/v1/cluster.pb.h"
#include "quern/testing/virtual_time.h"

namespace quern::cluster {
namespace {

using ::quern::testing::VirtualExecutor;
using ::quern::testing::VirtualTime;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

class World;

// One process with nothing but a Membership.
class Process : public MembershipPort, public MembershipObserver {
 public:
  Process(World& world, const std::string& name, uint8_t number);

  void SendToMember(const remoting::PeerAddress& to, remoting::SystemBody body) override;
  void ProbeMember(const remoting::PeerAddress&, Duration,
                   std::function<void(remoting::ProbeResult)> done) override {
    executor->Post([this, done] { done(probe); });
  }
  bool ProcessIsGone(const Member& member) override { return gone.contains(member.node_id); }

  void OnView(const ViewPtr& view, bool continuous) override {
    views.push_back(std::to_string(view->version) + (continuous ? "+" : ""));
  }
  void OnServingUntil(Time until) override { serving_until = until; }
  void OnEvicted(const Status& why) override { evicted = why; }
  void OnFrozen(const Status& why) override { frozen = why; }

  remoting::NodeIdentity Identity() const {
    remoting::NodeIdentity identity;
    identity.node_id = self.node_id;
    identity.process_id = self.process_id;
    return identity;
  }

  World& world;
  Member self;
  std::unique_ptr<VirtualExecutor> executor;
  std::unique_ptr<EmbeddedControlPlane> records;
  std::unique_ptr<EmbeddedControlPlane> leases;
  std::unique_ptr<Random> random;
  std::unique_ptr<Membership> membership;
  std::optional<Status> joined;
  std::vector<std::string> views;
  Time serving_until = Time::min();
  Status evicted;
  Status frozen;
  remoting::ProbeResult probe = remoting::ProbeResult::kInconclusive;
  std::set<std::string> gone;
};

class World {
 public:
  World() : store(*store_executor, SeededRandom(3)) {}

  // A process that has asked to join.
  Process& Join(const std::string& name, Duration timeout = seconds(10)) {
    Process& process = New(name);
    process.membership->Join(timeout, [&process](Status status) { process.joined = status; });
    return process;
  }

  Process& New(const std::string& name) {
    processes.push_back(std::make_unique<Process>(*this, name, ++last_number));
    return *processes.back();
  }

  Process& Joined(const std::string& name) {
    Process& process = Join(name);
    EXPECT_TRUE(time.RunUntil([&] { return process.joined.has_value(); }, seconds(5)));
    EXPECT_EQ(*process.joined, absl::OkStatus());
    return process;
  }

  // A crash: nothing of it runs any more.
  void Kill(Process& process) {
    std::erase_if(processes, [&](const auto& p) { return p.get() == &process; });
  }

  Process* Find(const remoting::ProcessId& process) {
    for (const auto& p : processes) {
      if (p->self.process_id == process) return p.get();
    }
    return nullptr;
  }

  template <typename M>
  std::pair<M, uint64_t> Read(Table table, const std::string& key) {
    const auto plane = store.Connect("test", *store_executor);
    std::optional<StatusOr<Record>> read;
    plane->Get(table, key, seconds(1), [&](StatusOr<Record> r) { read = std::move(r); });
    time.RunUntil([&] { return read.has_value(); }, seconds(2));
    M message;
    EXPECT_TRUE(read.has_value() && read->ok() && message.ParseFromString((*read)->value)) << key;
    return {message, read->ok() ? (*read)->revision : 0};
  }

  void Overwrite(Table table, const std::string& key, const std::string& value, uint64_t revision) {
    const auto plane = store.Connect("test", *store_executor);
    std::optional<CasOutcome> outcome;
    const auto done = [&](const CasResult& result) { outcome = result.outcome; };
    if (revision == 0) {
      plane->Create(table, key, value, seconds(1), done);
    } else {
      plane->Update(table, key, value, revision, seconds(1), done);
    }
    time.RunUntil([&] { return outcome.has_value(); }, seconds(2));
    EXPECT_EQ(outcome, CasOutcome::kApplied);
  }

  v1::Lease LeaseOf(const Process& process) {
    std::string hex;
    for (const uint8_t byte : process.self.process_id) {
      hex += "0123456789abcdef"[byte >> 4];
      hex += "0123456789abcdef"[byte & 15];
    }
    return Read<v1::Lease>(Table::kLease, keys.Key("lease", hex)).first;
  }

  VirtualTime time;
  std::unique_ptr<VirtualExecutor> store_executor = time.NewExecutor();
  EmbeddedStore store;
  KeySpace keys{"test", 7};
  LeaseTimes lease;
  bool exit_provable = true;
  bool proof_of_exit = true;
  std::vector<std::unique_ptr<Process>> processes;
  uint8_t last_number = 0;
  bool deaf = false;  // messages between members are lost
};

Process::Process(World& world_in, const std::string& name, uint8_t number) : world(world_in) {
  self.node_id = name;
  self.process_id[0] = number;
  self.address = self.bound_address = name + ":1";
  self.exit_provable = world.exit_provable;
  executor = world.time.NewExecutor();
  records = world.store.Connect(name, *executor);
  leases = world.store.Connect(name + ".lease", *executor);
  random = SeededRandom(number);
  MembershipOptions options;
  options.cluster_id = "test";
  options.store = {7, 1};
  options.self = self;
  options.lease = world.lease;
  options.proof_of_exit = world.proof_of_exit;
  membership = std::make_unique<Membership>(options, *records, *leases, *executor, world.time,
                                            *random, NullLogger(), this, this);
}

void Process::SendToMember(const remoting::PeerAddress& to, remoting::SystemBody body) {
  if (world.deaf) return;
  world.store_executor->Post([from = Identity(), to, body, &world_now = world] {
    Process* there = world_now.Find(to.process_id);
    if (there == nullptr) return;
    there->executor->Post([there, from, body] { there->membership->OnMessage(from, body); });
  });
}

std::string Names(const ViewPtr& view) {
  std::string names;
  for (const Member& member : view->members) {
    names += member.node_id + "(" + std::string(MemberStateName(member.state)) + ") ";
  }
  return names;
}

class MembershipTest : public ::testing::Test {
 protected:
  VirtualTime& time() { return world_.time; }
  bool Until(const std::function<bool()>& done, Duration limit) {
    return world_.time.RunUntil(done, limit);
  }
  void EndSession(Process& observer, const remoting::NodeIdentity& peer, remoting::StreamEnd how) {
    observer.membership->OnSessionDown({peer, how, remoting::CloseReason::kNone});
  }

  World world_;
};

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

// ---- Eviction

TEST_F(MembershipTest, ASilentMemberIsEvictedAfterItsLeaseAndNotBefore) {
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

TEST_F(MembershipTest, AnObserverThatCannotRenewAccusesNobody) {
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

TEST_F(MembershipTest, AnEvictedProcessComesBackAsAnother) {
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

TEST_F(MembershipTest, ATakenLeaseWithoutTheViewIsFinishedByOthers) {
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

TEST_F(MembershipTest, InAViewOfTwoOneWitnessProvesAnExit) {
  Process& a = world_.Joined("a");
  Process& b = world_.Joined("b");
  const remoting::NodeIdentity gone = b.Identity();
  world_.Kill(b);
  a.probe = remoting::ProbeResult::kRefused;

  EndSession(a, gone, remoting::StreamEnd::kFin);

  EXPECT_TRUE(Until([&] { return a.membership->view()->members.size() == 1; }, seconds(1)));
}

TEST_F(MembershipTest, InAViewOfThreeTwoMustHaveSeenIt) {
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

TEST_F(MembershipTest, AnAddressThatAnswersAgainIsNoExit) {
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

TEST_F(MembershipTest, OnTheSameMachineTheSystemsWordIsProof) {
  Process& a = world_.Joined("a");
  world_.Joined("b");
  Process& c = world_.Joined("c");
  const remoting::NodeIdentity gone = c.Identity();
  world_.Kill(c);
  a.gone = {"c"};

  EndSession(a, gone, remoting::StreamEnd::kReset);

  EXPECT_TRUE(Until([&] { return a.membership->view()->members.size() == 2; }, seconds(1)));
}

TEST_F(MembershipTest, ProofIsForProvableMembersAndCanBeSwitchedOff) {
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
