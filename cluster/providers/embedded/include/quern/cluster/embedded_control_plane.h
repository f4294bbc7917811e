// A ControlPlane in this process: no broker, nothing durable. With one argument it is a cluster of
// one node; over a shared EmbeddedStore it is one node's view of a (simulated) store.
//
//   EmbeddedControlPlane plane(*executor);
//   plane.Create(Table::kControl, "c.1.view.main", bytes, 1s, [](CasResult r) { .. });
//
// Thread-safe. Callbacks run on the executor, never inside the call; those of the destructor run
// inside it. Timeouts are timers of the executor.

#ifndef QUERN_CLUSTER_EMBEDDED_CONTROL_PLANE_H_
#define QUERN_CLUSTER_EMBEDDED_CONTROL_PLANE_H_

#include <memory>
#include <string>
#include <string_view>

#include "quern/cluster/control_plane.h"
#include "quern/cluster/embedded_store.h"

namespace quern::cluster {

class EmbeddedPlaneState;

class EmbeddedControlPlane : public ControlPlane {
 public:
  // Over a store of its own.
  explicit EmbeddedControlPlane(Executor& executor);
  ~EmbeddedControlPlane() override;
  EmbeddedControlPlane(const EmbeddedControlPlane&) = delete;
  EmbeddedControlPlane& operator=(const EmbeddedControlPlane&) = delete;

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
  friend class EmbeddedStore;
  EmbeddedControlPlane(std::shared_ptr<EmbeddedStoreState> store, std::string node,
                       Executor& executor);

  const std::shared_ptr<EmbeddedPlaneState> state_;
};

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_EMBEDDED_CONTROL_PLANE_H_
