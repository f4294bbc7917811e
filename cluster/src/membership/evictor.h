// Eviction is two compare-and-sets: the victim's lease record, at the revision observed, to
// evicted; then the view, without the member. Any renewal in between makes the first one fail and
// ends the eviction. Who finds the first one done by another goes on with the second.

#ifndef QUERN_CLUSTER_SRC_MEMBERSHIP_EVICTOR_H_
#define QUERN_CLUSTER_SRC_MEMBERSHIP_EVICTOR_H_

#include <functional>
#include <map>
#include <string>

#include "membership/context.h"
#include "membership/lease_observer.h"
#include "membership/view_writer.h"

namespace quern::cluster::internal {

class Evictor {
 public:
  struct Case {
    Member victim;
    std::string evidence;
    bool proved = false;  // an exit, not silence
  };
  // The victim has renewed (or somebody else has written its lease): the eviction is over.
  using Failed = std::function<void(const Case& ended)>;

  Evictor(MembershipContext& context, LeaseObserver& leases, ViewWriter& views, Failed failed)
      : context_(context), leases_(leases), views_(views), failed_(std::move(failed)) {}

  // No-op while an eviction of that process runs. Members that stand behind others wait a little:
  // usually one does it.
  void Evict(Case eviction);

  void Reset() { running_.clear(); }

 private:
  void Begin(const remoting::ProcessId& victim);
  void Read(const remoting::ProcessId& victim, bool then_take);
  void Take(const remoting::ProcessId& victim, const SeenLease& seen);
  void OnTaken(const remoting::ProcessId& victim, const CasResult& result);
  void Remove(const remoting::ProcessId& victim);
  void Again(const remoting::ProcessId& victim);
  bool StillMember(const Case& eviction) const;
  Duration Patience() const;

  MembershipContext& context_;
  LeaseObserver& leases_;
  ViewWriter& views_;
  const Failed failed_;
  std::map<remoting::ProcessId, Case> running_;
};

}  // namespace quern::cluster::internal

#endif  // QUERN_CLUSTER_SRC_MEMBERSHIP_EVICTOR_H_
