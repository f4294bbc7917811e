#include "quern/datacenter/node.h"

#include <algorithm>
#include <utility>

#include <absl/synchronization/notification.h>

#include "quern/cluster/tethered_control_plane.h"
#include "quern/runtime/system.h"
#include "router/datacenter_router.h"

namespace quern::datacenter {
namespace {

// Few are enough: a gateway only tells where a grain is, messages then go straight to its node.
constexpr size_t kGatewaysMax = 3;

Authorship AuthorshipOf(const NodeOptions& options, const cluster::ViewInfo& view) {
  Authorship author;
  author.info.id = options.cluster.datacenter;
  author.info.region = options.region;
  author.info.zone = options.zone;
  author.info.state = DatacenterState::kActive;
  author.incarnation = view.control_plane_incarnation;
  author.view_version = view.version;
  author.node_id = options.cluster.node_id;
  for (const cluster::MemberInfo& member : view.members) {
    if (!member.active) continue;
    for (const std::string& kind : member.kinds) {
      if (std::ranges::find(author.info.kinds, kind) == author.info.kinds.end()) {
        author.info.kinds.push_back(kind);
      }
    }
    if (author.info.gateways.size() == kGatewaysMax) continue;
    author.info.gateways.push_back(member.address);
    author.gateway_node_ids.push_back(member.node_id);
  }
  return author;
}

class NodeImpl : public Node {
 public:
  NodeImpl(System& system, NodeOptions options, std::unique_ptr<cluster::Node> cluster)
      : system_(system),
        options_(std::move(options)),
        cluster_(std::move(cluster)),
        global_(*options_.global),
        registry_({.cluster_id = options_.cluster.cluster_id,
                   .lease = options_.cluster.lease.length,
                   .renew_every = options_.cluster.lease.renew_every,
                   .try_timeout = options_.cluster.lease.renew_timeout},
                  global_, cluster_->executor(), *options_.cluster.clock, *options_.cluster.random,
                  *options_.cluster.logger),
        router_({.datacenter = options_.cluster.datacenter,
                 .home = options_.home,
                 .own_cluster = &cluster_->router(),
                 .gateway_try_timeout = options_.cluster.lease.renew_timeout},
                registry_, cluster_->network(), cluster_->executor(), *options_.cluster.clock) {}

  ~NodeImpl() override {
    RunOnExecutor([this](const std::function<void()>& done) {
      router_.Stop();
      registry_.Yield();
      done();
    });
    system_.network_port().SetRouter(nullptr);
    global_.Cut();     // its answers are posted to the cluster's executor
    cluster_.reset();  // joins the executor's thread: nothing refers to the registry afterwards
  }

  Status AwaitRecord(Duration timeout) {
    auto seen = std::make_shared<absl::Notification>();
    cluster_->executor().Post([this] { registry_.Start(); });
    cluster_->ObserveViews([this](const cluster::ViewInfo& view) { OnView(view); });
    registry_.Observe([this, seen] {
      if (registry_.Find(options_.cluster.datacenter).ok() && !seen->HasBeenNotified())
        seen->Notify();
    });
    if (!seen->WaitForNotificationWithTimeout(absl::FromChrono(timeout))) {
      return absl::DeadlineExceededError(
          "join " + options_.cluster.datacenter +
          ": its record does not appear in the global control plane; is that up?");
    }
    system_.network_port().SetRouter(&router_);
    return absl::OkStatus();
  }

  Status Leave() override {
    const cluster::ViewInfo view = cluster_->view();
    const bool is_last = view.members.size() <= 1;
    RunOnExecutor([this, is_last](const std::function<void()>& done) {
      if (!is_last) {
        registry_.Yield();
        return done();
      }
      registry_.Retire(DatacenterState::kInactive, [done](const Status&) { done(); });
    });
    return cluster_->Leave();
  }

  std::vector<DatacenterInfo> Datacenters() const override { return registry_.All(); }

  cluster::Node& cluster() override { return *cluster_; }

 private:
  // Executor only. The coordinator writes the record; a new view means a new author's place.
  void OnView(const cluster::ViewInfo& view) {
    if (view.is_coordinator) {
      registry_.Author(AuthorshipOf(options_, view));
    } else {
      registry_.Yield();
    }
  }

  // Waits for `work` to call back, but not longer than a few tries of a control plane that may be
  // gone.
  void RunOnExecutor(std::function<void(std::function<void()>)> work) {
    auto finished = std::make_shared<absl::Notification>();
    cluster_->executor().Post([finished, work = std::move(work)] {
      work([finished] {
        if (!finished->HasBeenNotified()) finished->Notify();
      });
    });
    finished->WaitForNotificationWithTimeout(
        absl::FromChrono(options_.cluster.lease.renew_timeout * 3));
  }

  System& system_;
  const NodeOptions options_;
  std::unique_ptr<cluster::Node> cluster_;
  cluster::TetheredControlPlane global_;
  Registry registry_;
  DatacenterRouter router_;
};

}  // namespace

StatusOr<std::unique_ptr<Node>> Node::Start(System& system, NodeOptions options) {
  if (options.cluster.datacenter.empty()) {
    return absl::InvalidArgumentError("datacenter node: NodeOptions::cluster.datacenter is empty");
  }
  if (options.global == nullptr) {
    return absl::InvalidArgumentError(
        "datacenter node: NodeOptions::global, the global control plane, is missing");
  }
  const Duration timeout = options.cluster.join_timeout;
  StatusOr<std::unique_ptr<cluster::Node>> cluster = cluster::Node::Start(system, options.cluster);
  if (!cluster.ok()) return cluster.status();
  auto node = std::make_unique<NodeImpl>(system, std::move(options), *std::move(cluster));
  if (Status status = node->AwaitRecord(timeout); !status.ok()) return status;
  return node;
}

}  // namespace quern::datacenter
