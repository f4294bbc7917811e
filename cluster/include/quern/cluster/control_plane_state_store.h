// Grain state in the control plane's Table::kState: durable, shared by all nodes, fenced by epoch.
//
//   ControlPlaneStateStore store(plane, io, {.cluster = "flights", .writer = process_id_hex});
//   System system({.name = "flights", .state_store = &store});
//
// One record a grain, <cluster>.state.<kind>.<key>, holding epoch, nonce, marks and data
// (GrainState); unknown fields of a newer writer survive. Every operation is compare-and-set at a
// revision; one whose answer is lost is settled by its nonce before the callback (settle.h): the
// same write is offered again at the same revision, where it can win only once. While the store
// cannot be reached, an operation retries until its timeout.
//
// Thread-safe. Callbacks arrive on the plane's thread or on the executor. The plane and the
// executor outlive the store; destroying it answers what is outstanding with CANCELLED, at the
// latest when the plane answers.

#ifndef QUERN_CLUSTER_CONTROL_PLANE_STATE_STORE_H_
#define QUERN_CLUSTER_CONTROL_PLANE_STATE_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "quern/cluster/control_plane.h"
#include "quern/runtime/clock.h"
#include "quern/runtime/executor.h"
#include "quern/runtime/random.h"
#include "quern/runtime/state_store.h"

namespace quern::cluster {

struct ControlPlaneStateStoreOptions {
  std::string cluster;
  std::string writer = {};  // the process, for people who read the records
  Clock* clock = &SystemClock();
  Random* random = &SystemRandom();  // nonces; its Next() must be thread-safe
};

class ControlPlaneStateStore : public StateStore {
 public:
  // `executor` runs the pauses between retries.
  ControlPlaneStateStore(ControlPlane& plane, Executor& executor,
                         ControlPlaneStateStoreOptions options);
  ~ControlPlaneStateStore() override;
  ControlPlaneStateStore(const ControlPlaneStateStore&) = delete;
  ControlPlaneStateStore& operator=(const ControlPlaneStateStore&) = delete;

  // DATA_LOSS: the stored bytes are not a GrainState.
  void Claim(const GrainId& id, const Epoch& epoch, Duration timeout,
             std::function<void(StatusOr<ClaimedState>)> done) override;
  void Save(const StateClaim& claim, StateSnapshot snapshot, Duration timeout,
            std::function<void(StatusOr<StateClaim>)> done) override;
  void Clear(const StateClaim& claim, Duration timeout,
             std::function<void(StatusOr<StateClaim>)> done) override;

  uint64_t refused_writes() const override;

  // Implementation, shared with operations under way.
  struct Core;

 private:
  const std::shared_ptr<Core> core_;
};

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_CONTROL_PLANE_STATE_STORE_H_
