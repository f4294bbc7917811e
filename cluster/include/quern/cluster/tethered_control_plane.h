// Someone else's control plane, used by an object that may go first: once the tether is cut,
// answers and events that are still under way reach nobody, and one that is being delivered has
// ended.
//
//   class Node {
//     std::unique_ptr<AsioIo> io_;          // what the callbacks post to
//     TetheredControlPlane records_;        // destroyed before it
//     Membership membership_{records_, ..};
//   };
//
// An operation answers once, as the plane does, unless the tether was cut: then never. Thread-safe.

#ifndef QUERN_CLUSTER_TETHERED_CONTROL_PLANE_H_
#define QUERN_CLUSTER_TETHERED_CONTROL_PLANE_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "quern/cluster/control_plane.h"

namespace quern::cluster {

class TetheredControlPlane : public ControlPlane {
 public:
  // `plane` outlives the tether.
  explicit TetheredControlPlane(ControlPlane& plane);
  ~TetheredControlPlane() override;  // cuts
  TetheredControlPlane(const TetheredControlPlane&) = delete;
  TetheredControlPlane& operator=(const TetheredControlPlane&) = delete;

  // Operations do nothing from now on. Not from inside a callback. Idempotent. Blocks the thread
  // while a callback runs.
  void Cut();

  void Get(Table table, std::string_view key, Duration timeout, GetCallback done) override;
  void Create(Table table, std::string_view key, std::string value, Duration timeout,
              CasCallback done) override;
  void Update(Table table, std::string_view key, std::string value, uint64_t expected,
              Duration timeout, CasCallback done) override;
  void Delete(Table table, std::string_view key, uint64_t expected, Duration timeout,
              CasCallback done) override;
  void List(Table table, std::string_view prefix, Duration timeout, ListCallback done) override;
  std::unique_ptr<WatchHandle> Watch(Table table, std::string_view prefix,
                                     WatchCallback on_event) override;

 private:
  class Tether;

  ControlPlane& plane_;
  const std::shared_ptr<Tether> tether_;
};

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_TETHERED_CONTROL_PLANE_H_
