// Memberships alone: processes with nothing else, over one embedded store, in virtual time.

#ifndef QUERN_TESTS_CLUSTER_MEMBERSHIP_WORLD_H_
#define QUERN_TESTS_CLUSTER_MEMBERSHIP_WORLD_H_

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
#include "quern/cluster/membership.h"
#include "quern/cluster/v1/cluster.pb.h"
#include "quern/testing/virtual_time.h"

namespace quern::cluster {

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

inline Process::Process(World& world_in, const std::string& name, uint8_t number)
    : world(world_in) {
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

inline void Process::SendToMember(const remoting::PeerAddress& to, remoting::SystemBody body) {
  if (world.deaf) return;
  world.store_executor->Post([from = Identity(), to, body, &world_now = world] {
    Process* there = world_now.Find(to.process_id);
    if (there == nullptr) return;
    there->executor->Post([there, from, body] { there->membership->OnMessage(from, body); });
  });
}

inline std::string Names(const ViewPtr& view) {
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

}  // namespace quern::cluster

#endif  // QUERN_TESTS_CLUSTER_MEMBERSHIP_WORLD_H_
