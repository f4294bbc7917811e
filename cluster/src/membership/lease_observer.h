// The leases of others, as seen from here: when each was last seen to move, and how long it has
// been silent while we ourselves could renew. A watch may be deaf without knowing it, so silence is
// only a reason to try an eviction, at the revision that was seen silent.

#ifndef QUERN_CLUSTER_SRC_MEMBERSHIP_LEASE_OBSERVER_H_
#define QUERN_CLUSTER_SRC_MEMBERSHIP_LEASE_OBSERVER_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "membership/context.h"
#include "quern/cluster/v1/cluster.pb.h"

namespace quern::cluster::internal {

struct SeenLease {
  v1::Lease record;
  uint64_t revision = 0;  // 0: no record was ever seen
  Time moved_at;
  Duration silent{};
  int moves = 0;
};

class LeaseObserver {
 public:
  // `ended`: a lease was seen evicted or closed.
  using Ended = std::function<void(const remoting::ProcessId& process)>;

  LeaseObserver(MembershipContext& context, Ended ended)
      : context_(context), ended_(std::move(ended)) {}

  void Start();
  void Stop() { watch_.reset(); }

  // A record as the store has shown it.
  void Note(const Record& record);

  // Silence counts for these processes from now on; others are forgotten.
  void Track(const View& view, const std::optional<remoting::ProcessId>& also);

  // A renewal of our own has won, now: the time since the one before counts.
  void OnOwnRenewal();

  // nullptr when it is not tracked.
  const SeenLease* Find(const remoting::ProcessId& process) const;

 private:
  MembershipContext& context_;
  const Ended ended_;
  std::unique_ptr<WatchHandle> watch_;
  std::map<remoting::ProcessId, SeenLease> seen_;
  std::optional<Time> last_own_renewal_;
};

}  // namespace quern::cluster::internal

#endif  // QUERN_CLUSTER_SRC_MEMBERSHIP_LEASE_OBSERVER_H_
