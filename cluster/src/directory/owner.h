// The owner's role: the partitions that the view gives to this member. Knows the one activation of
// each grain in them, places grains that have none, mints epochs.
//
// An entry goes round like this:
//
//   unplaced --Place--> ordered --host answers--> active --"not there"--> asking --gone--> unplaced
//
// and answers its waiters whenever it is active. An order is given once; when its outcome is
// unknown the host is asked, and refuses that order from then on if it has not seen it. Nothing
// moves while its partition still waits for reports, while this member is fenced, or (placements)
// while it is frozen.

#ifndef QUERN_CLUSTER_SRC_DIRECTORY_OWNER_H_
#define QUERN_CLUSTER_SRC_DIRECTORY_OWNER_H_

#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "directory/core.h"

namespace quern::cluster::internal {

class GrainOwner {
 public:
  explicit GrainOwner(DirectoryCore& core) : core_(core) {}

  // `continuous`: the view is the direct successor of the last one. core_.view is the new one.
  void OnView(bool continuous);
  // Serving again: what was held back goes on.
  void OnServing();
  void Reset();

  void OnLocate(const remoting::NodeIdentity& from, const v1::LocateRequest& request,
                Directory::Reply reply);
  void OnReport(const remoting::NodeIdentity& from, const v1::ReportRequest& report,
                const Directory::Reply& reply);
  void OnUnregister(const remoting::NodeIdentity& from, const v1::UnregisterRequest& request,
                    const Directory::Reply& reply);

  std::vector<DirectoryEntry> entries() const;
  void FillStats(DirectoryStats* stats) const;

 private:
  enum class Phase : uint8_t { kUnplaced, kOrdered, kActive, kAsking };

  struct Waiter {
    Time expires;
    remoting::ProcessId asker{};
    Directory::Reply reply;
  };

  struct Entry {
    Phase phase = Phase::kUnplaced;
    bool confirmed = false;  // kActive: the host has said that it serves
    Epoch epoch;
    Epoch claimed_gone;  // kAsking: what a caller did not find there
    remoting::ProcessId host{};
    uint64_t ticket = 0;  // of the call or pause that is awaited; others are out of date
    Duration backoff{};
    std::set<remoting::ProcessId> refused_by;  // hosts tried in vain for this placement
    Status refusal;                            // the last of theirs
    std::vector<Waiter> waiters;
  };
  using Entries = std::unordered_map<GrainId, Entry, GrainIdHash>;

  struct Partition {
    bool owned = false;
    std::set<remoting::ProcessId> missing;  // reports
  };

  bool Serves(uint32_t partition) const;
  bool Owns(const GrainId& id) const;
  void Advance(const GrainId& id);
  void AdvanceAll();
  void Pause(const GrainId& id, Entry& entry);  // Advance again after a backoff
  void SetHost(Entry& entry, const remoting::ProcessId& host, const Epoch& epoch);
  void Free(Entry& entry);  // no activation any more

  void Place(const GrainId& id, Entry& entry);
  Status WhyNowhere(const GrainId& id, const Entry& entry, const Placement& placement) const;
  const Member* Choose(const GrainId& id, const Entry& entry, const Placement& placement);
  const Member* LeastLoaded(const std::vector<const Member*>& candidates) const;
  void Order(const GrainId& id, Entry& entry);
  void OnOrdered(const GrainId& id, Entry& entry, const StatusOr<v1::ActivateReply>& reply);
  void OnRefused(const GrainId& id, Entry& entry, const Status& status);
  void Ask(const GrainId& id, Entry& entry);
  void OnAnswered(const GrainId& id, Entry& entry, const StatusOr<v1::Redirect>& reply);

  void Answer(const GrainId& id, Entry& entry);
  void FailWaiters(Entry& entry, const Status& status);
  void Merge(const remoting::ProcessId& host, const v1::Activation& activation,
             v1::ReportReply* reply);
  void TellSurplus(const remoting::ProcessId& host, const GrainId& id);

  // Entry of `id` if it still awaits `ticket`.
  Entry* Awaiting(const GrainId& id, uint64_t ticket);
  void AskForReports();
  void ExpireWaiters();
  std::string WhyWaiting(const GrainId& id) const;

  DirectoryCore& core_;
  std::vector<Partition> partitions_;
  Entries entries_;
  std::map<remoting::ProcessId, size_t> load_;  // activations a host, as far as known here
  size_t waiting_ = 0;
  uint64_t counter_ = 0;  // of epochs
  uint64_t last_ticket_ = 0;
  uint64_t round_robin_ = 0;
  bool asking_for_reports_ = false;
  bool expiring_ = false;
};

}  // namespace quern::cluster::internal

#endif  // QUERN_CLUSTER_SRC_DIRECTORY_OWNER_H_
