#include "flights/node_main.h"

#include <atomic>
#include <memory>
#include <utility>

#include "flights/airport.h"
#include "flights/child_process.h"
#include "flights/holding_state_store.h"
#include "flights/limits.h"
#include "flights/reader.h"
#include "flights/this_node.h"
#include "quern/cluster/control_plane_state_store.h"
#include "quern/cluster/nats_control_plane.h"
#include "quern/remoting/asio_io.h"
#include "quern/runtime/network_port.h"
#include "quern/runtime/system.h"

namespace flights {
namespace {

using quern::cluster::NatsControlPlane;

// Members are destroyed last to first: the node before the system it serves, both before the store
// and the connections below them.
class NodeProcess {
 public:
  explicit NodeProcess(const NodeProcessOptions& options)
      : options_(options),
        lease_(quern::cluster::LeaseTimes().DividedBy(options.lease_divisor)),
        logger_(quern::StderrLogger(options.name.ToString(), quern::LogLevel::kInfo,
                                    quern::LogFormat::kText, quern::SystemClock())) {}

  // Returns once this node serves.
  quern::Status Start();

  // Answers the launcher until it says leave (OK) or goes away (UNAVAILABLE).
  quern::Status Serve();

 private:
  quern::Status Connect();
  quern::StatusOr<std::unique_ptr<NatsControlPlane>> ConnectTo(const std::string& url);
  v1::FromNode Stats() const;
  void HoldWrites();
  void Send(const v1::FromNode& message) const {
    SendControl(options_.control_fd, message).IgnoreError();
  }

  const NodeProcessOptions options_;
  const quern::cluster::LeaseTimes lease_;
  const std::unique_ptr<quern::Logger> logger_;
  std::unique_ptr<NatsControlPlane> records_;
  std::unique_ptr<NatsControlPlane> leases_;
  std::unique_ptr<NatsControlPlane> states_;
  std::unique_ptr<NatsControlPlane> global_;
  std::unique_ptr<quern::remoting::AsioIo> io_;  // for the pauses of the state store
  std::unique_ptr<quern::cluster::ControlPlaneStateStore> durable_;
  std::unique_ptr<HoldingStateStore> store_;
  std::unique_ptr<quern::System> system_;
  std::atomic<bool> evicted_ = false;  // it serves nothing any more, and has nothing to leave
  std::unique_ptr<quern::datacenter::Node> node_;
};

quern::StatusOr<std::unique_ptr<NatsControlPlane>> NodeProcess::ConnectTo(const std::string& url) {
  return NatsControlPlane::Connect({.url = url,
                                    .cluster = std::string(kClusterId),
                                    .lease_ttl = lease_.length,
                                    .logger = logger_.get()});
}

quern::Status NodeProcess::Connect() {
  // Leases and grain state each have a connection of their own: nothing delays a renewal.
  for (auto& [plane, url] : {std::pair(&records_, &options_.nats_url),
                             {&leases_, &options_.nats_url},
                             {&states_, &options_.nats_url},
                             {&global_, &options_.global_nats_url}}) {
    auto connected = ConnectTo(*url);
    if (!connected.ok()) return connected.status();
    *plane = *std::move(connected);
  }
  return absl::OkStatus();
}

quern::Status NodeProcess::Start() {
  const std::string name = options_.name.ToString();
  SetThisNode(name);
  auto airports = Airports::Load(options_.airports_path, {.border_west = options_.border_west});
  if (!airports.ok()) return airports.status();
  if (quern::Status connected = Connect(); !connected.ok()) return connected;

  auto io = quern::remoting::AsioIo::Start({.name = "flights-io"});
  if (!io.ok()) return io.status();
  io_ = *std::move(io);
  durable_ = std::make_unique<quern::cluster::ControlPlaneStateStore>(
      *states_, *io_,
      quern::cluster::ControlPlaneStateStoreOptions{.cluster = std::string(kClusterId),
                                                    .writer = name});
  store_ = std::make_unique<HoldingStateStore>(*durable_);
  system_ = std::make_unique<quern::System>(
      quern::SystemOptions{.name = name, .logger = logger_.get(), .state_store = store_.get()});
  if (quern::Status hosted = system_->Host<Airport>(); !hosted.ok()) return hosted;
  if (quern::Status hosted = system_->HostActor<Reader>(); !hosted.ok()) return hosted;

  quern::datacenter::NodeOptions node_options;
  node_options.cluster.cluster_id = kClusterId;
  node_options.cluster.datacenter = options_.name.datacenter;
  node_options.cluster.node_id = options_.name.node;
  node_options.cluster.records = records_.get();
  node_options.cluster.leases = leases_.get();
  node_options.cluster.lease = lease_;
  node_options.cluster.logger = logger_.get();
  node_options.cluster.on_evicted = [this](const quern::Status&) { evicted_ = true; };
  node_options.global = global_.get();
  node_options.home = HomeRuleOf(*airports);
  auto node = quern::datacenter::Node::Start(*system_, std::move(node_options));
  if (!node.ok()) return node.status();
  node_ = *std::move(node);
  return absl::OkStatus();
}

quern::Status NodeProcess::Serve() {
  v1::FromNode ready;
  ready.mutable_ready();
  Send(ready);
  for (;;) {
    v1::ToNode message;
    const auto received = ReceiveControl(options_.control_fd, &message);
    if (!received.ok()) return received.status();
    if (!*received) return absl::UnavailableError("the launcher has gone");
    switch (message.command()) {
      case v1::ToNode::COMMAND_STATS:
        Send(Stats());
        break;
      case v1::ToNode::COMMAND_HOLD_WRITES:
        HoldWrites();
        break;
      case v1::ToNode::COMMAND_RELEASE_WRITES:
        store_->Release();
        break;
      case v1::ToNode::COMMAND_LEAVE:
        return evicted_ ? absl::OkStatus() : node_->Leave();
      default:
        break;
    }
  }
}

v1::FromNode NodeProcess::Stats() const {
  v1::FromNode message;
  v1::NodeStats& stats = *message.mutable_stats();
  for (const quern::ActivationInfo& info : system_->network_port().Activations()) {
    if (info.id.kind == AirportApi::kKind) stats.add_airports(info.id.key);
  }
  stats.set_refused_writes(store_->refused_writes());
  return message;
}

void NodeProcess::HoldWrites() {
  store_->Hold([this](const quern::GrainId& id) {
    v1::FromNode held;
    held.mutable_writes_held()->add_airports(id.key);
    Send(held);
  });
  v1::FromNode holding;
  holding.mutable_writes_held();
  Send(holding);
}

}  // namespace

quern::datacenter::HomeRule HomeRuleOf(const Airports& airports) {
  return [airports](const quern::GrainId& id) { return airports.Home(id.key); };
}

int RunNode(const NodeProcessOptions& options) {
  NodeProcess process(options);
  if (quern::Status started = process.Start(); !started.ok()) {
    v1::FromNode failed;
    failed.set_failed(std::string(started.message()));
    SendControl(options.control_fd, failed).IgnoreError();
    return kExitFailure;
  }
  return process.Serve().ok() ? kExitOk : kExitFailure;
}

}  // namespace flights
