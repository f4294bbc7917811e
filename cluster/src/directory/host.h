// The host's role: activations that run here. Starts them on an owner's order, reports them to new
// owners, says when they have ended, and remembers the epochs of those that have, so that a late
// order cannot start one again.

#ifndef QUERN_CLUSTER_SRC_DIRECTORY_HOST_H_
#define QUERN_CLUSTER_SRC_DIRECTORY_HOST_H_

#include <functional>
#include <list>
#include <set>
#include <unordered_map>
#include <vector>

#include "directory/core.h"

namespace quern::cluster::internal {

// Epochs of ended activations, the oldest forgotten first. What was forgotten raises a floor that
// counts for every grain: refusing too much costs the owner one more try, accepting too much would
// cost the promise.
class EndedEpochs {
 public:
  explicit EndedEpochs(size_t max) : max_(max) {}

  void Add(const GrainId& id, const Epoch& epoch);
  // An activation of `id` must have a higher epoch than this one.
  Epoch Below(const GrainId& id) const;
  Epoch Last(const GrainId& id) const;  // zero when unknown
  void Clear() { *this = EndedEpochs(max_); }

 private:
  size_t max_;
  std::unordered_map<GrainId, Epoch, GrainIdHash> by_id_;
  std::list<GrainId> order_;
  Epoch floor_;
};

class GrainHost {
 public:
  explicit GrainHost(DirectoryCore& core) : core_(core), ended_(core.options.ended_epochs_max) {}

  // `before` is the map of the view before; nullptr when a view was skipped. core_.view is the new
  // one. From here on orders of older views are refused.
  void OnView(const PartitionMap* before);
  void Reset();

  void OnActivate(const remoting::NodeIdentity& from, const v1::ActivateRequest& request,
                  Directory::Reply reply);
  void OnQuery(const v1::ActivationQuery& query, Directory::Reply reply);
  void OnReportWanted(const remoting::NodeIdentity& from, const v1::ReportWanted& wanted);
  void OnSurplus(const v1::ReportReply& surplus);
  void OnDeactivated(const GrainId& id, const Epoch& epoch);

  std::vector<ActivationInfo> hosted() const;
  size_t size() const { return hosted_.size(); }

 private:
  using Settled = std::function<void()>;

  struct Hosted {
    Epoch epoch;
    ActivationState state = ActivationState::kActivating;
    uint64_t ordered_in = 0;        // view version
    std::vector<Settled> settling;  // run once it is active or gone
    std::vector<Settled> ending;    // run once it is gone
  };

  void Start(const GrainId& id, const Epoch& epoch, Directory::Reply reply);
  void OnStarted(const GrainId& id, const Epoch& epoch, const StatusOr<ActivationInfo>& info,
                 const Directory::Reply& reply);
  void End(const GrainId& id);
  void ReplyWithActivation(const GrainId& id, const Directory::Reply& reply) const;
  void ReplyToQuery(const GrainId& id, const Directory::Reply& reply) const;
  v1::Activation Describe(const GrainId& id, const Hosted& hosted) const;

  void Report(const Member& owner, const std::set<uint32_t>& partitions);
  void SendReport(const Member& owner, const v1::ReportRequest& report);
  void Unregister(const GrainId& id);

  DirectoryCore& core_;
  std::unordered_map<GrainId, Hosted, GrainIdHash> hosted_;
  EndedEpochs ended_;

  struct Unregistering {
    Epoch epoch;
    Duration backoff{};
    uint64_t attempt = 0;
  };
  std::unordered_map<GrainId, Unregistering, GrainIdHash> unregistering_;
};

}  // namespace quern::cluster::internal

#endif  // QUERN_CLUSTER_SRC_DIRECTORY_HOST_H_
