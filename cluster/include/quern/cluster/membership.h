// One process's membership in a cluster: joins the view, renews its lease, fences itself when it
// cannot, and evicts members that are proved gone (ARCHITECTURE.md, D11-D13).
//
//   Membership membership(options, records, leases, executor, clock, random, &port, &observer);
//   membership.Join([](Status s) { .. });     // OK: active in the view, lease valid
//   // observer: OnServingUntil(t) with every renewal, OnView(view, continuous) with every view
//   membership.Leave([](Status s) { .. });    // state leaving; when drained: membership.Close(..)
//
// The rules, in one place:
//   - The view is one record, changed by compare-and-set only. A read, a watch or a pushed view is
//     a hint that may be learned from, never a decision.
//   - The lease is a record of this process, renewed by compare-and-set. It counts from the moment
//     the winning renewal was *sent*. At `fence_at` without one the process is fenced; a renewal
//     that still wins ends that, in the same incarnation.
//   - Eviction is two compare-and-sets: the victim's lease record, at the revision observed, to
//     evicted; then the view. Any renewal in between ends it.
//   - Evidence is silence (the lease record unseen to move for its whole length, counted only while
//     one's own renewals win) or proof of exit (OnSessionDown and Probe, two witnesses where the
//     view has three members or more; or the operating system's word on the same machine).
//
// Sans-I/O: every method and every callback on the one executor; the control planes' callbacks are
// posted to it. Destroying the object stops it; nothing is called afterwards.

#ifndef QUERN_CLUSTER_MEMBERSHIP_H_
#define QUERN_CLUSTER_MEMBERSHIP_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "quern/cluster/control_plane.h"
#include "quern/cluster/limits.h"
#include "quern/cluster/store_incarnation.h"
#include "quern/cluster/view.h"
#include "quern/remoting/network.h"
#include "quern/runtime/clock.h"
#include "quern/runtime/executor.h"
#include "quern/runtime/logger.h"
#include "quern/runtime/random.h"

namespace quern::cluster {

// The times of a node lease. Every member of a cluster must have the same.
struct LeaseTimes {
  Duration length = std::chrono::seconds(20);        // an observer evicts after this
  Duration renew_every = std::chrono::seconds(2);    // from send to send
  Duration renew_timeout = std::chrono::seconds(1);  // of one attempt
  Duration fence_at = std::chrono::seconds(16);      // the holder stops serving after this

  // All of them divided: tests use 10.
  LeaseTimes DividedBy(int divisor) const {
    return {length / divisor, renew_every / divisor, renew_timeout / divisor, fence_at / divisor};
  }
};

// What Membership needs from the node it lives in. Executor only; must outlive the Membership.
class MembershipPort {
 public:
  virtual ~MembershipPort() = default;

  // One way, on the system lane. May be lost.
  virtual void SendToMember(const remoting::PeerAddress& to, remoting::SystemBody body) = 0;

  // Network::Probe.
  virtual void ProbeMember(const remoting::PeerAddress& member, Duration timeout,
                           std::function<void(remoting::ProbeResult)> done) = 0;

  // True only if the member ran on this very machine, boot and pid name space (boot_id equal) and
  // no process has its pid and start time any more. False when in doubt.
  virtual bool ProcessIsGone(const Member& member) = 0;
};

// Who must know. Executor only; must outlive the Membership.
class MembershipObserver {
 public:
  virtual ~MembershipObserver() = default;

  // Every view learned, versions rising. `continuous`: it is the direct successor of the one told
  // before; false for the first and whenever a version was skipped.
  virtual void OnView(const ViewPtr& view, bool continuous) = 0;

  // This process may serve until then; told with every renewal that won. Never moves back, but for
  // Time::min(): fence at once (evicted, or closed).
  virtual void OnServingUntil(Time until) = 0;

  // This incarnation is out of the view or its lease was taken: for good. OnServingUntil(min) was
  // told before. Rejoin() as a new process to go on.
  virtual void OnEvicted(const Status& why) = 0;

  // The control plane showed a view that does not descend from ours: it has lost writes or was
  // rebuilt. Nothing new may be claimed here any more; what runs goes on under its lease.
  virtual void OnFrozen(const Status& why) = 0;
};

struct MembershipOptions {
  std::string cluster_id;
  StoreIdentity store;  // from OpenStoreIncarnation on `records`
  Member self;          // state and incarnation are filled in
  LeaseTimes lease;
  uint32_t partition_count = kPartitionCount;         // used by whoever creates the view
  Duration record_timeout = std::chrono::seconds(2);  // of one operation on the view record
  bool proof_of_exit = true;  // switch off where a firewall may refuse in a member's name
};

class Membership {
 public:
  using Done = std::function<void(Status)>;

  // All references must outlive the object. `leases` should be a connection of its own.
  Membership(MembershipOptions options, ControlPlane& records, ControlPlane& leases,
             Executor& executor, Clock& clock, Random& random, Logger& logger, MembershipPort* port,
             MembershipObserver* observer);
  ~Membership();
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

  // Takes the lease, enters the view as joining, and becomes active once a renewal in its
  // incarnation has won. Keeps trying until `timeout`. ALREADY_EXISTS: a member with this node id
  // renews its lease. DEADLINE_EXCEEDED: `timeout`. ABORTED: admitted, and evicted before it was
  // active. RESOURCE_EXHAUSTED: kMembersMax. FAILED_PRECONDITION: the view is not ours (another
  // control plane incarnation), or already joined.
  void Join(Duration timeout, Done done);

  // Becomes leaving: others place nothing new here and take over its partitions. The lease goes on.
  // UNAVAILABLE: the control plane did not answer; it may be tried again.
  void Leave(Done done);

  // Leaves the view, then closes the lease. Fences at once (OnServingUntil(min)).
  void Close(Done done);

  // After OnEvicted or a failed Join: joins as a new process. `self` has a new process id (and,
  // with it, a new address).
  void Rejoin(Member self, Duration timeout, Done done);

  // nullptr before the first view.
  ViewPtr view() const;

  // A member of view() by its process id; only meaningful once joined.
  const Member& self() const;

  Time serving_until() const;
  bool frozen() const;

  // A frame or message carried this version: fetches until a view at least as high is here.
  void OnHigherVersion(uint64_t version);

  // True for the types that OnMessage takes.
  static bool Handles(std::string_view type);

  // A one-way system message from a peer. Malformed ones are dropped and logged.
  void OnMessage(const remoting::NodeIdentity& from, const remoting::SystemBody& body);

  // The liveness session with that peer stands again, or ended.
  void OnSessionUp(const remoting::NodeIdentity& peer);
  void OnSessionDown(const remoting::SessionEnd& end);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_MEMBERSHIP_H_
