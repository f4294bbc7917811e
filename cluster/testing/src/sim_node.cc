#include "quern/testing/sim_node.h"

#include <algorithm>
#include <utility>

#include "blind_saves.h"
#include "quern/cluster/v1/cluster.pb.h"

namespace quern::testing {
namespace {

constexpr char kAskType[] = "sim.Ask";
constexpr int kRedirectsMax = 3;
constexpr Duration kRetryEvery = std::chrono::milliseconds(20);
constexpr Duration kJoinTimeout = std::chrono::seconds(30);
constexpr size_t kLocationsMax = 4096;

uint64_t NameHash(std::string_view name) { return StableHash(GrainId("node", name), 0); }

remoting::ProcessId NewProcess(Random& random) {
  remoting::ProcessId process{};
  for (uint8_t& byte : process) byte = static_cast<uint8_t>(random.Next());
  return process;
}

std::string EncodeAsk(const GrainId& id, const Epoch& epoch) {
  cluster::v1::ActivateRequest ask;
  ask.mutable_grain()->set_kind(id.kind);
  ask.mutable_grain()->set_key(id.key);
  ask.mutable_epoch()->set_incarnation(epoch.incarnation);
  ask.mutable_epoch()->set_view_version(epoch.view_version);
  ask.mutable_epoch()->set_counter(epoch.counter);
  return ask.SerializeAsString();
}

}  // namespace

struct SimNode::Asking {
  GrainId id;
  Time deadline;
  std::function<void(Status)> done;
  Epoch stale;
  int redirects = 0;
};

SimNode::SimNode(SimWorld world, std::string name, uint64_t seed)
    : world_(world),
      name_(std::move(name)),
      random_(SeededRandom(seed ^ NameHash(name_))),
      executor_(world_.time.NewExecutor()),
      records_(world_.store.Connect(name_, *executor_)),
      leases_(world_.store.Connect(name_ + ".lease", *executor_)),
      state_records_(world_.store.Connect(name_ + ".state", *executor_)),
      blind_(world_.options.blind_saves ? std::make_unique<BlindSaves>(*state_records_) : nullptr) {
  cluster::ControlPlane& plane =
      blind_ ? *blind_ : static_cast<cluster::ControlPlane&>(*state_records_);
  state_ = std::make_unique<cluster::ControlPlaneStateStore>(
      plane, *executor_,
      cluster::ControlPlaneStateStoreOptions{
          .cluster = "sim", .writer = name_, .clock = &world_.time, .random = random_.get()});
  host_ = std::make_unique<SimHost>(name_, world_.time, *executor_, random_->Fork("host"), *state_,
                                    world_.oracles);
  host_->on_deactivated = [this](const GrainId& id, const Epoch& epoch) {
    if (directory_ != nullptr) directory_->OnDeactivated(id, epoch);
  };
  locations_ = std::make_unique<cluster::LocationCache>(kLocationsMax);
  OpenEndpoint();
  cluster::DirectoryOptions directory;
  directory.self = process();
  directory.placement_of = [this](std::string_view) {
    return cluster::Placement{world_.options.placement, ""};
  };
  directory.call_timeout = world_.options.call_timeout;
  directory.retry_max = std::chrono::milliseconds(100);
  directory.ended_epochs_max = world_.options.ended_epochs_max;
  directory_ = std::make_unique<cluster::Directory>(directory, *executor_, world_.time, *random_,
                                                    NullLogger(), this);
  cluster::MembershipOptions membership;
  membership.cluster_id = "sim";
  membership.store = {42, 1};
  membership.self = Self();
  membership.lease = world_.options.lease;
  membership.partition_count = world_.options.partitions;
  membership.record_timeout = std::chrono::milliseconds(200);
  membership_ = std::make_unique<cluster::Membership>(
      membership, *records_, *leases_, *executor_, world_.time, *random_, NullLogger(), this, this);
}

SimNode::~SimNode() {
  world_.net.Close(process());
  world_.oracles.Died(process());
  membership_.reset();
  directory_.reset();
}

void SimNode::OpenEndpoint() {
  auto endpoint = std::make_unique<SimEndpoint>();
  endpoint->identity.cluster_id = "sim";
  endpoint->identity.node_id = name_;
  endpoint->identity.process_id = NewProcess(*random_);
  endpoint->identity.advertised_address = name_ + ":" + std::to_string(++processes_);
  endpoint->executor = executor_.get();
  endpoint->on_message = [this](const remoting::NodeIdentity& from, remoting::SystemBody body,
                                remoting::NetworkHandler::ReplySystem reply) {
    OnMessage(from, body, reply);
  };
  endpoint->on_session_up = [this](const remoting::NodeIdentity& peer) {
    membership_->OnSessionUp(peer);
  };
  endpoint->on_session_down = [this](const remoting::SessionEnd& end) {
    membership_->OnSessionDown(end);
  };
  endpoint_ = std::move(endpoint);
  world_.net.Open(endpoint_.get());
  host_->SetProcess(process());
}

const remoting::PeerAddress SimNode::peer() const {
  return {endpoint_->identity.advertised_address, process()};
}

cluster::Member SimNode::Self() const {
  cluster::Member self;
  self.node_id = name_;
  self.process_id = process();
  self.address = self.bound_address = endpoint_->identity.advertised_address;
  self.kinds = {"sim"};
  self.exit_provable = world_.options.exit_provable;
  return self;
}

void SimNode::Join() {
  membership_->Join(kJoinTimeout, [this](const Status& status) {
    last_join_ = status;
    if (!status.ok()) JoinAgain();
  });
}

void SimNode::JoinAgain() {
  executor_->PostAfter(kRetryEvery, [this] {
    left_ = leaving_;  // evicted on its way out
    if (left_) return;
    world_.net.Close(process());
    OpenEndpoint();
    directory_->Reset(process());
    membership_->Rejoin(Self(), kJoinTimeout, [this](const Status& status) {
      last_join_ = status;
      if (!status.ok()) JoinAgain();
    });
  });
}

void SimNode::Leave() {
  if (leaving_) return;
  leaving_ = true;
  membership_->Leave([this](const Status& status) {
    if (status.ok()) return Drain();
    leaving_ = false;
  });
}

void SimNode::Drain() {
  for (const GrainId& id : host_->active()) host_->Deactivate(id);
  if (directory_->stats().hosted > 0) {
    executor_->PostAfter(kRetryEvery, [this] { Drain(); });
    return;
  }
  membership_->Close([this](const Status&) { left_ = true; });
}

bool SimNode::MayServe() const { return world_.time.Now() < membership_->serving_until(); }

bool SimNode::IsServing() const {
  const cluster::ViewPtr view = membership_->view();
  const cluster::Member* self = view == nullptr ? nullptr : view->Find(process());
  return self != nullptr && self->state == cluster::MemberState::kActive && MayServe();
}

std::string SimNode::Describe() const {
  const cluster::ViewPtr view = membership_->view();
  const cluster::Member* self = view == nullptr ? nullptr : view->Find(process());
  std::string text = view == nullptr ? "no view" : "view " + std::to_string(view->version);
  text +=
      self == nullptr ? ", not in it" : ", " + std::string(cluster::MemberStateName(self->state));
  text += MayServe() ? ", leased" : ", no lease";
  text += frozen() ? ", frozen" : "";
  text += leaving_ ? ", leaving" : "";
  text += left_ ? ", left" : "";
  return text + ", evicted " + std::to_string(evictions_) +
         " times, last join: " + last_join_.ToString();
}

// ---- Asking, as a caller of a production node does

void SimNode::Ask(const GrainId& id, Duration timeout, std::function<void(Status)> done) {
  auto asking = std::make_shared<Asking>();
  asking->id = id;
  asking->deadline = world_.time.Now() + timeout;
  asking->done = std::move(done);
  executor_->Post([this, asking] { Try(asking); });
}

void SimNode::Try(const AskingPtr& asking) {
  if (const auto location = locations_->Find(asking->id)) return SendTo(asking, *location);
  directory_->Locate(asking->id, asking->stale, asking->deadline,
                     [this, asking](const StatusOr<cluster::Location>& location) {
                       if (!location.ok()) return asking->done(location.status());
                       locations_->Put(asking->id, *location);
                       SendTo(asking, *location);
                     });
}

void SimNode::SendTo(const AskingPtr& asking, const cluster::Location& location) {
  if (location.is_local) {
    return host_->Serve(asking->id, location.epoch, [this, asking, location](const Status& status) {
      OnAnswer(asking, location, status);
    });
  }
  const Duration left = std::max(asking->deadline - world_.time.Now(), Duration(1));
  world_.net.Call(process(), location.peer, {kAskType, EncodeAsk(asking->id, location.epoch)}, left,
                  [this, asking, location](const StatusOr<remoting::SystemBody>& reply) {
                    OnAnswer(asking, location, reply.status());
                  });
}

void SimNode::OnAnswer(const AskingPtr& asking, const cluster::Location& location,
                       const Status& status) {
  if (status.ok()) return asking->done(status);
  locations_->Erase(asking->id, location.epoch);
  if (ReasonOf(status) == Reason::kMoved) {
    asking->stale = location.epoch;
    if (++asking->redirects > kRedirectsMax) return asking->done(status);
    return Try(asking);
  }
  if (absl::IsUnavailable(status)) return Retry(asking);
  asking->done(status);
}

void SimNode::Retry(const AskingPtr& asking) {
  if (world_.time.Now() + kRetryEvery >= asking->deadline) {
    return asking->done(absl::UnavailableError(asking->id.ToString() + ": not reached in time"));
  }
  executor_->PostAfter(kRetryEvery, [this, asking] { Try(asking); });
}

void SimNode::OnMessage(const remoting::NodeIdentity& from, const remoting::SystemBody& body,
                        const remoting::NetworkHandler::ReplySystem& reply) {
  if (cluster::Membership::Handles(body.type)) return membership_->OnMessage(from, body);
  if (cluster::Directory::Handles(body.type)) return directory_->OnMessage(from, body, reply);
  cluster::v1::ActivateRequest ask;
  if (body.type != kAskType || !ask.ParseFromString(body.bytes) || !reply) return;
  const Epoch epoch{0, ask.epoch().incarnation(), ask.epoch().view_version(),
                    ask.epoch().counter()};
  host_->Serve(GrainId(ask.grain().kind(), ask.grain().key()), epoch,
               [reply](const Status& status) {
                 if (!status.ok()) return reply(status);
                 reply(remoting::SystemBody{kAskType, ""});
               });
}

// ---- Ports

void SimNode::SendToMember(const remoting::PeerAddress& to, remoting::SystemBody body) {
  world_.net.Send(process(), to, std::move(body));
}

void SimNode::ProbeMember(const remoting::PeerAddress& member, Duration timeout,
                          std::function<void(remoting::ProbeResult)> done) {
  world_.net.Probe(process(), member, timeout, std::move(done));
}

bool SimNode::ProcessIsGone(const cluster::Member& member) {
  return world_.options.one_machine && !world_.lives(member.process_id);
}

void SimNode::Send(const remoting::PeerAddress& to, remoting::SystemBody body) {
  world_.net.Send(process(), to, std::move(body));
}

void SimNode::Call(const remoting::PeerAddress& to, remoting::SystemBody body, Duration timeout,
                   CallDone done) {
  world_.net.Call(process(), to, std::move(body), timeout, std::move(done));
}

void SimNode::Activate(const GrainId& id, const Epoch& epoch, ActivateDone done) {
  host_->Activate(id, epoch, std::move(done));
}

void SimNode::Deactivate(const GrainId& id, const Status&) { host_->Deactivate(id); }

void SimNode::FetchView(uint64_t at_least) { membership_->OnHigherVersion(at_least); }

// ---- What membership says

void SimNode::OnView(const cluster::ViewPtr& view, bool continuous) {
  world_.oracles.SeesView(name_, *view);
  directory_->OnView(view, continuous);
}

void SimNode::OnServingUntil(Time until) {
  host_->SetServingUntil(until);
  directory_->OnServingUntil(until);
}

void SimNode::OnEvicted(const Status&) {
  ++evictions_;
  world_.oracles.Trace(name_, "evicted");
  JoinAgain();
}

void SimNode::OnFrozen(const Status& why) {
  world_.oracles.Fail(name_ + " froze: " + std::string(why.message()));
  directory_->Freeze();
}

}  // namespace quern::testing
