#include "quern/datacenter/client.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <absl/synchronization/notification.h>

#include "quern/cluster/tethered_control_plane.h"
#include "quern/remoting/asio_io.h"
#include "quern/runtime/system.h"
#include "router/datacenter_router.h"

namespace quern::datacenter {
namespace {

remoting::ProcessId RandomProcessId(Random& random) {
  remoting::ProcessId id{};
  const uint64_t halves[2] = {random.Next(), random.Next()};
  std::memcpy(id.data(), halves, id.size());
  return id;
}

// A client hosts nothing: whatever a node sends it unasked is refused.
class ClientHandler : public remoting::NetworkHandler {
 public:
  void OnUserMessage(const remoting::NodeIdentity&, remoting::UserMessage,
                     ReplyUser reply) override {
    if (reply) reply({.status = absl::NotFoundError("a client hosts no actors")});
  }
  void OnSystemMessage(const remoting::NodeIdentity&, remoting::SystemBody,
                       ReplySystem reply) override {
    if (reply) reply(absl::NotFoundError("a client answers nothing"));
  }
  void OnSessionUp(const remoting::NodeIdentity&) override {}
  void OnSessionDown(const remoting::SessionEnd&) override {}
  void OnHigherViewVersion(const remoting::NodeIdentity&, uint64_t) override {}
  Status AdmitPeer(const remoting::NodeIdentity&) override { return absl::OkStatus(); }
};

class ClientImpl : public Client {
 public:
  ClientImpl(System& system, ClientOptions options, std::unique_ptr<remoting::AsioIo> io,
             std::unique_ptr<ClientHandler> handler, std::unique_ptr<remoting::Network> network)
      : system_(system),
        options_(std::move(options)),
        io_(std::move(io)),
        handler_(std::move(handler)),
        network_(std::move(network)),
        global_(*options_.global),
        registry_({.cluster_id = options_.cluster_id,
                   .lease = options_.lease.length,
                   .renew_every = options_.lease.renew_every,
                   .try_timeout = options_.lease.renew_timeout},
                  global_, *io_, *options_.clock, *options_.random, *options_.logger),
        router_({.datacenter = "",
                 .home = options_.home,
                 .own_cluster = nullptr,
                 .gateway_try_timeout = options_.lease.renew_timeout},
                registry_, *network_, *io_, *options_.clock) {}

  ~ClientImpl() override {
    system_.network_port().SetRouter(nullptr);
    io_->Run([this] {
      router_.Stop();
      network_->Stop();
      network_.reset();
    });
    io_->Stop();
  }

  Status AwaitDatacenters() {
    auto seen = std::make_shared<absl::Notification>();
    io_->Post([this] { registry_.Start(); });
    registry_.Observe([this, seen] {
      if (Missing().empty() && !seen->HasBeenNotified()) seen->Notify();
    });
    if (!seen->WaitForNotificationWithTimeout(absl::FromChrono(options_.connect_timeout))) {
      return absl::DeadlineExceededError("connect: not active in the global control plane:" +
                                         Missing());
    }
    system_.network_port().SetRouter(&router_);
    return absl::OkStatus();
  }

  std::vector<DatacenterInfo> Datacenters() const override { return registry_.All(); }

 private:
  std::string Missing() const {
    std::string missing;
    for (const std::string& id : options_.wait_for) {
      if (!registry_.Find(id).ok()) missing += " " + id;
    }
    return missing;
  }

  System& system_;
  const ClientOptions options_;
  std::unique_ptr<remoting::AsioIo> io_;
  std::unique_ptr<ClientHandler> handler_;
  std::unique_ptr<remoting::Network> network_;
  cluster::TetheredControlPlane global_;  // its answers are posted to io_
  Registry registry_;
  DatacenterRouter router_;
};

}  // namespace

StatusOr<std::unique_ptr<Client>> Client::Connect(System& system, ClientOptions options) {
  if (options.global == nullptr) {
    return absl::InvalidArgumentError(
        "client: ClientOptions::global, the global control plane, is missing");
  }
  auto io = remoting::AsioIo::Start({.name = options.client_id + "-io"});
  if (!io.ok()) return io.status();
  auto handler = std::make_unique<ClientHandler>();
  remoting::Network::Options network_options;
  network_options.identity.cluster_id = options.cluster_id;
  network_options.identity.node_id = options.client_id;
  network_options.identity.process_id = RandomProcessId(*options.random);
  network_options.identity.role = remoting::NodeRole::kClient;
  network_options.listen_address.clear();
  network_options.logger = options.logger;
  std::unique_ptr<remoting::Network> network;
  Status status;
  (*io)->Run([&] {
    auto started = remoting::Network::Start(std::move(network_options), (*io)->transport(), **io,
                                            *options.clock, *options.random, handler.get());
    if (started.ok()) network = *std::move(started);
    status = started.status();
  });
  if (!status.ok()) return status;
  auto client = std::make_unique<ClientImpl>(system, std::move(options), *std::move(io),
                                             std::move(handler), std::move(network));
  if (Status missing = client->AwaitDatacenters(); !missing.ok()) return missing;
  return client;
}

}  // namespace quern::datacenter
