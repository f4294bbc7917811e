// The parts of a Membership put together: what is learned about the view goes through Learn, what
// ends this incarnation through Out.

#ifndef QUERN_CLUSTER_SRC_MEMBERSHIP_MEMBERSHIP_IMPL_H_
#define QUERN_CLUSTER_SRC_MEMBERSHIP_MEMBERSHIP_IMPL_H_

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "membership/context.h"
#include "membership/evictor.h"
#include "membership/exit_witness.h"
#include "membership/lease_keeper.h"
#include "membership/lease_observer.h"
#include "membership/view_writer.h"
#include "quern/cluster/v1/cluster.pb.h"

namespace quern::cluster {

class Membership::Impl {
 public:
  Impl(MembershipOptions options, ControlPlane& records, ControlPlane& leases, Executor& executor,
       Clock& clock, Random& random, Logger& logger, MembershipPort* port,
       MembershipObserver* observer);
  ~Impl();

  void Join(Duration timeout, Done done);
  void Leave(Done done);
  void Close(Done done);
  void Rejoin(Member self, Duration timeout, Done done);

  void OnHigherVersion(uint64_t version);
  void OnMessage(const remoting::NodeIdentity& from, const remoting::SystemBody& body);
  void OnSessionUp(const remoting::NodeIdentity& peer) { witness_.OnSessionUp(peer.process_id); }
  void OnSessionDown(const remoting::SessionEnd& end) { witness_.OnSessionDown(end); }

  const ViewPtr& view() const { return context_.view; }
  const Member& self() const { return context_.options.self; }
  Time serving_until() const { return serving_until_; }
  bool frozen() const { return frozen_; }

 private:
  enum class Phase : uint8_t {
    kIdle,
    kLeasing,   // the first renewal has not won yet
    kEntering,  // the view is being changed to hold us
    kEntered,   // joining; the lease does not carry the incarnation yet, or active is being written
    kMember,
    kClosing,
    kOut,
  };

  remoting::ProcessId self_process() const { return context_.options.self.process_id; }
  void Watch();

  // Join
  void Enter();
  void OnEntered(const Status& status);
  void Blocked();
  void BecomeActive();
  void JoinEnded(const Status& status);
  Duration JoinTimeLeft() const;
  StatusOr<bool> AddSelf(v1::View* record, bool written_before);
  StatusOr<bool> SetState(v1::View* record, v1::MemberState state) const;

  // What is heard
  void OnRenewed(Time sent, uint64_t incarnation);
  void WarnWhenFenced();
  void OnLeaseLost(const Status& why);
  void OnLeaseEnded(const remoting::ProcessId& process);
  void OnEvictionFailed(const internal::Evictor::Case& ended);
  // False: the view does not descend from ours.
  bool Learn(const v1::View& record, bool written_here);
  bool Descends(const v1::View& record) const;
  void Freeze(const Status& why);
  void Push(const v1::View& record, const View* before);
  void Fetch();
  void EvictTheSilent();
  void Out(const Status& why);

  internal::MembershipContext context_;
  MembershipObserver* const observer_;
  internal::ViewWriter views_;
  std::unique_ptr<internal::LeaseKeeper> lease_;  // one an incarnation
  internal::LeaseObserver leases_;
  internal::ExitWitness witness_;
  internal::Evictor evictor_;
  std::unique_ptr<WatchHandle> view_watch_;

  Phase phase_ = Phase::kIdle;
  Done joined_;
  Time join_deadline_;
  Executor::TimerId join_timer_ = 0;
  std::optional<Member> in_the_way_;  // has our node id
  int moves_in_the_way_ = 0;          // of its lease, when we first met it

  Time serving_until_ = Time::min();
  bool frozen_ = false;
  uint64_t wanted_version_ = 0;
  bool fetching_ = false;
  int fetches_ = 0;
  uint64_t renewals_ = 0;
  bool activating_ = false;
  Executor::TimerId fence_timer_ = 0;
  std::map<remoting::ProcessId, int> proved_evictions_;
};

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_SRC_MEMBERSHIP_MEMBERSHIP_IMPL_H_
