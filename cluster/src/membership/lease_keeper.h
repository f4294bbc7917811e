// This process's lease: a record that only it renews, and that an evictor may take from it. A
// renewal counts from the moment it was sent, whenever its answer comes.

#ifndef QUERN_CLUSTER_SRC_MEMBERSHIP_LEASE_KEEPER_H_
#define QUERN_CLUSTER_SRC_MEMBERSHIP_LEASE_KEEPER_H_

#include <deque>
#include <functional>
#include <string>

#include "membership/context.h"
#include "quern/cluster/v1/cluster.pb.h"

namespace quern::cluster::internal {

std::string LeaseKey(const KeySpace& keys, const remoting::ProcessId& process);

class LeaseKeeper {
 public:
  struct Callbacks {
    // A renewal won that was sent at `sent` and carries `incarnation`.
    std::function<void(Time sent, uint64_t incarnation)> won;
    // The lease is gone for good: evicted, or somebody else's.
    std::function<void(const Status& why)> lost;
  };

  LeaseKeeper(MembershipContext& context, Callbacks callbacks)
      : context_(context), callbacks_(std::move(callbacks)) {}

  // Begins to renew, with the record's creation.
  void Start();

  // What renewals carry from now on; the next one goes out at once.
  void SetIncarnation(uint64_t incarnation);

  // Ends the renewals and marks the record closed. `done` may come late or say that the store did
  // not answer; the lease then runs out by itself.
  void Close(std::function<void(Status)> done);

  // Ends the renewals.
  void Stop();

 private:
  struct Renewal {
    uint64_t nonce = 0;
    Time sent;
    uint64_t incarnation = 0;
  };

  void Renew();
  void OnRenewed(const v1::Lease& record, const Renewal& renewal, const CasResult& result);
  void Settle();
  void OnRead(const StatusOr<Record>& read);
  void Won(const Renewal& renewal, uint64_t revision, const v1::Lease& record);
  void Lost(const std::string& why);
  void Schedule(Duration delay);

  MembershipContext& context_;
  const Callbacks callbacks_;
  bool running_ = false;
  bool in_flight_ = false;
  bool renew_again_ = false;  // the one in flight does not carry the incarnation yet
  uint64_t incarnation_ = 0;
  v1::Lease record_;       // as last written by us
  uint64_t revision_ = 0;  // of it; 0: never written
  std::deque<Renewal> unsettled_;
  Time last_sent_;
  Executor::TimerId timer_ = 0;
};

}  // namespace quern::cluster::internal

#endif  // QUERN_CLUSTER_SRC_MEMBERSHIP_LEASE_KEEPER_H_
