// cluster::Node put together: what the network brings is handed to Membership, Directory or the
// System; what those want sent goes to the network. Nothing is decided here.

#ifndef QUERN_CLUSTER_SRC_NODE_NODE_IMPL_H_
#define QUERN_CLUSTER_SRC_NODE_NODE_IMPL_H_

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "node/process_identity.h"
#include "quern/cluster/directory.h"
#include "quern/cluster/grain_caller.h"
#include "quern/cluster/membership.h"
#include "quern/cluster/node.h"
#include "quern/cluster/store_incarnation.h"
#include "quern/cluster/tethered_control_plane.h"
#include "quern/cluster/v1/cluster.pb.h"
#include "quern/remoting/asio_io.h"
#include "quern/remoting/network.h"

namespace quern::cluster {

class NodeImpl : public Node,
                 private Router,
                 private Locator,
                 private remoting::NetworkHandler,
                 private MembershipPort,
                 private MembershipObserver,
                 private DirectoryPort {
 public:
  NodeImpl(System& system, NodeOptions options);
  ~NodeImpl() override;

  // Listens and joins; blocks the thread. Called once, before anything else.
  Status Start();

  // ---- Node
  Status Leave() override;
  Router& router() override { return *this; }
  void ObserveViews(std::function<void(const ViewInfo&)> on_view) override;
  ViewInfo view() const override;
  Executor& executor() override { return *io_; }
  remoting::Network& network() override { return *network_; }

 private:
  // ---- Router: any thread
  Delivery RouteGrain(const GrainId& target, Message message) override;
  Delivery RouteActor(const std::string& address, Message message) override;
  void Spawn(std::string_view where, std::string_view kind, std::string_view name,
             std::string encoded_arguments, Duration timeout,
             std::function<void(StatusOr<std::string>)> done) override;
  void OnDeactivated(const GrainId& id, const Epoch& epoch) override;

  // ---- Everything below: executor only

  // Locator
  void Locate(const GrainId& id, const Epoch& stale, Time deadline,
              std::function<void(StatusOr<Location>)> done) override;

  // NetworkHandler
  void OnUserMessage(const remoting::NodeIdentity& from, remoting::UserMessage message,
                     ReplyUser reply) override;
  void OnSystemMessage(const remoting::NodeIdentity& from, remoting::SystemBody body,
                       ReplySystem reply) override;
  void OnSessionUp(const remoting::NodeIdentity& peer) override;
  void OnSessionDown(const remoting::SessionEnd& end) override;
  void OnHigherViewVersion(const remoting::NodeIdentity& from, uint64_t version) override;
  Status AdmitPeer(const remoting::NodeIdentity& peer) override;

  // MembershipPort
  void SendToMember(const remoting::PeerAddress& to, remoting::SystemBody body) override;
  void ProbeMember(const remoting::PeerAddress& member, Duration timeout,
                   std::function<void(remoting::ProbeResult)> done) override;
  bool ProcessIsGone(const Member& member) override;

  // MembershipObserver
  void OnView(const ViewPtr& view, bool continuous) override;
  void OnServingUntil(Time until) override;
  void OnEvicted(const Status& why) override;
  void OnFrozen(const Status& why) override;

  // DirectoryPort
  void Send(const remoting::PeerAddress& to, remoting::SystemBody body) override;
  void Call(const remoting::PeerAddress& to, remoting::SystemBody body, Duration timeout,
            CallDone done) override;
  void Activate(const GrainId& id, const Epoch& epoch, ActivateDone done) override;
  void Deactivate(const GrainId& id, const Status& why) override;
  void FetchView(uint64_t at_least) override;

  bool IsMember(const remoting::NodeIdentity& peer) const;
  void LocateForOutsider(const remoting::SystemBody& body, const ReplySystem& reply);
  void DeliverGrainMessage(const remoting::UserMessage& wire, Message message);
  void OnSpawnRequest(const remoting::SystemBody& body, const ReplySystem& reply);
  void SpawnSomewhere(v1::SpawnRequest request, Duration timeout, ReplySystem done);
  void SpawnHere(const v1::SpawnRequest& request, ReplySystem done);
  const Member* ChooseHost(const v1::SpawnRequest& request) const;
  void Remove(const Member& member);
  void CloseWhenDrained(Time deadline, Membership::Done done);

  Member DescribeSelf() const;
  ViewInfo Describe(const View& view) const;
  Status StartNetwork();
  Status Join();
  void StartProtocols(const StoreIdentity& store);

  // Runs `work` on the executor and waits until it has called back. DEADLINE_EXCEEDED after
  // `limit`.
  Status RunOnExecutor(Duration limit, std::function<void(Membership::Done)> work);

  const NodeOptions options_;
  // Set a moment after the lease has run out: fails calls early. What keeps a fenced node from
  // doing harm, the grain host and the network, looks at the clock itself.
  std::atomic<bool> fenced_{false};
  System& system_;
  NetworkPort& port_;
  const ProcessIdentity process_;
  const remoting::ProcessId process_id_;

  std::unique_ptr<remoting::AsioIo> io_;
  TetheredControlPlane records_;  // what they answer is posted to io_
  TetheredControlPlane leases_;
  std::unique_ptr<remoting::Network> network_;
  std::unique_ptr<GrainCaller> caller_;

  // Executor only.
  Executor::TimerId fence_timer_ = 0;
  std::unique_ptr<Membership> membership_;
  std::unique_ptr<Directory> directory_;
  ViewPtr view_;
  std::set<remoting::ProcessId> removed_;          // processes that have left the view
  std::deque<remoting::ProcessId> removed_order_;  // oldest first: bounds removed_
  bool drained_ = false;                           // leaving, and no activation is here any more
  std::function<bool()> sent_on_;  // once drained: what waited for one has been sent on
  std::vector<std::function<void(const ViewInfo&)>> observers_;

  mutable absl::Mutex mutex_;
  ViewInfo info_ ABSL_GUARDED_BY(mutex_);
  bool left_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_SRC_NODE_NODE_IMPL_H_
