// One simulated node: the real Membership and Directory on a simulated executor, network, control
// plane and grain host. Rejoins by itself when it was evicted, as a production node does.

#ifndef QUERN_TESTING_SIM_NODE_H_
#define QUERN_TESTING_SIM_NODE_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "quern/cluster/control_plane_state_store.h"
#include "quern/cluster/directory.h"
#include "quern/cluster/embedded_control_plane.h"
#include "quern/cluster/location_cache.h"
#include "quern/cluster/membership.h"
#include "quern/testing/sim_host.h"
#include "quern/testing/sim_net.h"

namespace quern::testing {

struct SimOptions {
  cluster::LeaseTimes lease = cluster::LeaseTimes().DividedBy(10);
  uint32_t partitions = 16;
  cluster::PlacementStrategy placement = cluster::PlacementStrategy::kHash;
  bool exit_provable = true;
  bool one_machine = false;  // the operating system can say that a process is gone
  Duration call_timeout = std::chrono::milliseconds(500);
  size_t ended_epochs_max = 64;
  SimNet::Options net;
  Duration store_delay_max = std::chrono::milliseconds(2);
  // Planted bug of the state store: saves do not compare, they overwrite.
  bool blind_saves = false;
};

// What the nodes share.
struct SimWorld {
  VirtualTime& time;
  SimNet& net;
  cluster::EmbeddedStore& store;
  SimOracles& oracles;
  const SimOptions& options;
  std::function<bool(const remoting::ProcessId&)> lives;
};

class SimNode : public cluster::MembershipPort,
                public cluster::DirectoryPort,
                public cluster::MembershipObserver {
 public:
  SimNode(SimWorld world, std::string name, uint64_t seed);
  // A crash: its sessions end, what it had is lost.
  ~SimNode() override;
  SimNode(const SimNode&) = delete;
  SimNode& operator=(const SimNode&) = delete;

  void Join();
  // Leaves in order: drains, then closes.
  void Leave();

  // One event for a grain, wherever it is. `done` gets OK once it is saved.
  void Ask(const GrainId& id, Duration timeout, std::function<void(Status)> done);

  void Freeze() { executor_->Freeze(); }
  void Thaw() { executor_->Thaw(); }
  bool frozen() const { return executor_->frozen(); }

  // Active in its own view, under a valid lease.
  bool IsServing() const;
  bool MayServe() const;
  bool left() const { return left_; }

  // For people: what state it is in.
  std::string Describe() const;

  const std::string& name() const { return name_; }
  const remoting::ProcessId& process() const { return endpoint_->identity.process_id; }
  const remoting::PeerAddress peer() const;
  cluster::Membership& membership() { return *membership_; }
  cluster::Directory& directory() { return *directory_; }
  SimHost& host() { return *host_; }
  VirtualExecutor& executor() { return *executor_; }
  int evictions() const { return evictions_; }
  const Status& last_join() const { return last_join_; }

  // MembershipPort
  void SendToMember(const remoting::PeerAddress& to, remoting::SystemBody body) override;
  void ProbeMember(const remoting::PeerAddress& member, Duration timeout,
                   std::function<void(remoting::ProbeResult)> done) override;
  bool ProcessIsGone(const cluster::Member& member) override;

  // DirectoryPort
  void Send(const remoting::PeerAddress& to, remoting::SystemBody body) override;
  void Call(const remoting::PeerAddress& to, remoting::SystemBody body, Duration timeout,
            CallDone done) override;
  void Activate(const GrainId& id, const Epoch& epoch, ActivateDone done) override;
  void Deactivate(const GrainId& id, const Status& why) override;
  void FetchView(uint64_t at_least) override;

  // MembershipObserver
  void OnView(const cluster::ViewPtr& view, bool continuous) override;
  void OnServingUntil(Time until) override;
  void OnEvicted(const Status& why) override;
  void OnFrozen(const Status& why) override;

 private:
  struct Asking;
  using AskingPtr = std::shared_ptr<Asking>;  // held by whichever answer is awaited

  void OpenEndpoint();
  cluster::Member Self() const;
  void OnMessage(const remoting::NodeIdentity& from, const remoting::SystemBody& body,
                 const remoting::NetworkHandler::ReplySystem& reply);
  void Try(const AskingPtr& asking);
  void SendTo(const AskingPtr& asking, const cluster::Location& location);
  void OnAnswer(const AskingPtr& asking, const cluster::Location& location, const Status& status);
  void Retry(const AskingPtr& asking);
  void Drain();
  void JoinAgain();

  SimWorld world_;
  const std::string name_;
  const std::unique_ptr<Random> random_;
  int processes_ = 0;
  const std::unique_ptr<VirtualExecutor> executor_;
  std::unique_ptr<SimEndpoint> endpoint_;
  std::unique_ptr<SimHost> host_;  // outlives the planes, whose last answers still reach it
  const std::unique_ptr<cluster::EmbeddedControlPlane> records_;
  const std::unique_ptr<cluster::EmbeddedControlPlane> leases_;
  const std::unique_ptr<cluster::EmbeddedControlPlane> state_records_;
  const std::unique_ptr<cluster::ControlPlane> blind_;  // over state_records_; may be null
  std::unique_ptr<cluster::ControlPlaneStateStore> state_;
  std::unique_ptr<cluster::LocationCache> locations_;
  std::unique_ptr<cluster::Directory> directory_;
  std::unique_ptr<cluster::Membership> membership_;
  bool leaving_ = false;
  bool left_ = false;
  int evictions_ = 0;
  Status last_join_;
};

}  // namespace quern::testing

#endif  // QUERN_TESTING_SIM_NODE_H_
