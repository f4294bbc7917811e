// The suites that every provider runs, on a real nats-server.

#include "../runtime/state_store_conformance.h"
#include "control_plane_conformance.h"
#include "nats_test_server.h"
#include "quern/cluster/control_plane_state_store.h"
#include "thread_executor.h"

namespace quern::cluster {

SharedNatsServer* const SharedNatsServer::instance_ =
    static_cast<SharedNatsServer*>(::testing::AddGlobalTestEnvironment(new SharedNatsServer));

namespace {

class NatsHarness : public ControlPlaneHarness {
 public:
  static std::unique_ptr<ControlPlaneHarness> Make() { return std::make_unique<NatsHarness>(); }

  std::unique_ptr<ControlPlane> Connect() override {
    return SharedNatsServer::Get().Connect({.url = {}, .cluster = cluster_});
  }
  void Interrupt() override { SharedNatsServer::Get().KillAndAwaitRestart(); }

 private:
  const std::string cluster_ = SharedNatsServer::NewCluster();
};

INSTANTIATE_TEST_SUITE_P(Nats, ControlPlaneConformance,
                         ::testing::Values(Harness{"Nats", &NatsHarness::Make}));

class NatsStateHarness {
 public:
  StateStore& first() { return first_; }
  StateStore& second() { return second_; }

 private:
  std::unique_ptr<NatsControlPlane> Connect() {
    return SharedNatsServer::Get().Connect({.url = {}, .cluster = cluster_});
  }

  const std::string cluster_ = SharedNatsServer::NewCluster();
  testing::ThreadExecutor executor_;
  std::unique_ptr<ControlPlane> plane_1_ = Connect();
  std::unique_ptr<ControlPlane> plane_2_ = Connect();
  ControlPlaneStateStore first_{*plane_1_, executor_, {.cluster = "test", .writer = "p1"}};
  ControlPlaneStateStore second_{*plane_2_, executor_, {.cluster = "test", .writer = "p2"}};
};

}  // namespace
}  // namespace quern::cluster

namespace quern::testing {
INSTANTIATE_TYPED_TEST_SUITE_P(Nats, StateStoreConformance, quern::cluster::NatsStateHarness);
}  // namespace quern::testing
