#include "quern/cluster/node.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <absl/synchronization/notification.h>
#include <absl/time/time.h>

#include "node/node_impl.h"
#include "quern/cluster/actor_address.h"
#include "quern/runtime/system.h"

namespace quern::cluster {
namespace {

constexpr size_t kRemovedProcessesMax = 4096;
constexpr Duration kDrainCheckEvery = std::chrono::milliseconds(10);
// How long answers of a member that has left in good order are still taken, and how long it stays
// to give them.
constexpr Duration kGoodbye = std::chrono::seconds(1);
constexpr Duration kLinger = std::chrono::milliseconds(200);

remoting::ProcessId NewProcessId(Random& random) {
  remoting::ProcessId id{};
  const uint64_t halves[2] = {random.Next(), random.Next()};
  std::memcpy(id.data(), halves, id.size());
  return id;
}

Status Validate(const NodeOptions& options) {
  if (options.cluster_id.empty())
    return absl::InvalidArgumentError("node: NodeOptions::cluster_id is empty");
  if (options.node_id.empty())
    return absl::InvalidArgumentError("node: NodeOptions::node_id is empty");
  if (options.records == nullptr || options.leases == nullptr) {
    return absl::InvalidArgumentError(
        "node: NodeOptions::records and ::leases, two connections to the control "
        "plane, are required");
  }
  return absl::OkStatus();
}

}  // namespace

StatusOr<std::unique_ptr<Node>> Node::Start(System& system, NodeOptions options) {
  if (Status status = Validate(options); !status.ok()) return status;
  auto node = std::make_unique<NodeImpl>(system, std::move(options));
  if (Status status = node->Start(); !status.ok()) return status;
  return node;
}

NodeImpl::NodeImpl(System& system, NodeOptions options)
    : options_(std::move(options)),
      system_(system),
      port_(system.network_port()),
      process_(OwnProcessIdentity()),
      process_id_(NewProcessId(*options_.random)),
      records_(*options_.records),
      leases_(*options_.leases) {}

NodeImpl::~NodeImpl() {
  port_.SetServingUntil(Time::min());
  port_.SetRouter(nullptr);
  if (io_ == nullptr) return;
  io_->Run([this] {
    if (caller_ != nullptr) caller_->Stop();
    directory_.reset();
    membership_.reset();
    if (network_ != nullptr) network_->Stop();
    network_.reset();
  });
  io_->Stop();
}

Status NodeImpl::Start() {
  if (Status status = StartNetwork(); !status.ok()) return status;
  Locator& locator = *this;
  caller_ = std::make_unique<GrainCaller>(GrainCaller::Options{}, locator, *network_, &port_,
                                          executor(), *options_.clock);
  if (Status status = Join(); !status.ok()) return status;
  port_.SetRouter(this);
  return absl::OkStatus();
}

Status NodeImpl::StartNetwork() {
  remoting::Network::Options network;
  network.identity.cluster_id = options_.cluster_id;
  network.identity.datacenter = options_.datacenter;
  network.identity.node_id = options_.node_id;
  network.identity.process_id = process_id_;
  network.listen_address = options_.listen_address;
  network.logger = options_.logger;
  auto io = remoting::AsioIo::Start({.name = options_.node_id + "-io"});
  if (!io.ok()) return io.status();
  io_ = *std::move(io);
  Status status;
  io_->Run([&] {
    auto started = remoting::Network::Start(std::move(network), io_->transport(), *io_,
                                            *options_.clock, *options_.random, this);
    if (started.ok()) network_ = *std::move(started);
    status = started.status();
  });
  return status;
}

Status NodeImpl::Join() {
  const Duration limit = options_.join_timeout;
  return RunOnExecutor(limit + limit / 2, [this, limit](const Membership::Done& done) {
    const StoreIncarnationOptions store{.cluster = options_.cluster_id,
                                        .timeout = limit,
                                        .clock = options_.clock,
                                        .random = options_.random};
    OpenStoreIncarnation(records_, executor(), store,
                         [this, limit, done](const StatusOr<StoreIdentity>& id) {
                           if (!id.ok()) return done(id.status());
                           StartProtocols(*id);
                           membership_->Join(limit, done);
                         });
  });
}

void NodeImpl::StartProtocols(const StoreIdentity& store) {
  DirectoryPort* const directory_port = this;
  DirectoryOptions directory;
  directory.self = process_id_;
  directory_ = std::make_unique<Directory>(directory, executor(), *options_.clock, *options_.random,
                                           *options_.logger, directory_port);
  MembershipPort* const membership_port = this;
  MembershipObserver* const observer = this;
  MembershipOptions membership;
  membership.cluster_id = options_.cluster_id;
  membership.store = store;
  membership.self = DescribeSelf();
  membership.lease = options_.lease;
  membership.proof_of_exit = options_.proof_of_exit;
  membership_ =
      std::make_unique<Membership>(membership, records_, leases_, executor(), *options_.clock,
                                   *options_.random, *options_.logger, membership_port, observer);
}

Member NodeImpl::DescribeSelf() const {
  Member self;
  self.node_id = options_.node_id;
  self.process_id = process_id_;
  self.bound_address = network_->identity().advertised_address;
  self.address = network_->identity().advertised_address;
  self.roles = options_.roles;
  self.kinds = port_.HostedKinds();
  self.exit_provable = true;  // bound = advertised, bound exclusively, listening before it joins
  self.pid = process_.pid;
  self.pid_start_time = process_.start_time;
  self.boot_id = process_.boot_id;
  return self;
}

Status NodeImpl::RunOnExecutor(Duration limit, std::function<void(Membership::Done)> work) {
  struct Outcome {
    absl::Notification done;
    Status status;
  };
  auto outcome = std::make_shared<Outcome>();  // outlives a callback that comes after the limit
  executor().Post([outcome, work = std::move(work)] {
    work([outcome](Status status) {
      if (outcome->done.HasBeenNotified()) return;
      outcome->status = std::move(status);
      outcome->done.Notify();
    });
  });
  if (!outcome->done.WaitForNotificationWithTimeout(absl::FromChrono(limit))) {
    return absl::DeadlineExceededError("node " + options_.node_id +
                                       ": the control plane did not answer in time");
  }
  return outcome->status;
}

// ---- Leaving

Status NodeImpl::Leave() {
  {
    absl::MutexLock lock(&mutex_);
    if (std::exchange(left_, true)) return absl::OkStatus();
  }
  const Duration limit = options_.lease.length;
  return RunOnExecutor(limit * 2, [this, limit](const Membership::Done& done) {
    if (membership_ == nullptr) return done(absl::OkStatus());
    membership_->Leave([this, limit, done](const Status& status) {
      if (!status.ok()) return done(status);
      for (const ActivationInfo& activation : port_.Activations()) {
        port_.Deactivate(activation.id,
                         absl::UnavailableError("node " + options_.node_id + " leaves"));
      }
      CloseWhenDrained(options_.clock->Now() + limit, done);
    });
  });
}

// Drained is when no activation is here any more and what waited for one has been sent on, which
// takes a membership.
void NodeImpl::CloseWhenDrained(Time deadline, Membership::Done done) {
  if (!drained_ && port_.Activations().empty()) {
    drained_ = true;
    sent_on_ = caller_->EarlierCallsHaveEnded();
  }
  if ((drained_ && sent_on_()) || options_.clock->Now() >= deadline) {
    return membership_->Close([this, done = std::move(done)](const Status& status) {
      executor().PostAfter(kLinger, [done, status] { done(status); });
    });
  }
  executor().PostAfter(kDrainCheckEvery, [this, deadline, done = std::move(done)]() mutable {
    if (membership_ != nullptr) CloseWhenDrained(deadline, std::move(done));
  });
}

// ---- Views

void NodeImpl::ObserveViews(std::function<void(const ViewInfo&)> on_view) {
  executor().Post([this, on_view = std::move(on_view)]() mutable {
    if (view_ != nullptr) on_view(Describe(*view_));
    observers_.push_back(std::move(on_view));
  });
}

ViewInfo NodeImpl::view() const {
  absl::MutexLock lock(&mutex_);
  return info_;
}

ViewInfo NodeImpl::Describe(const View& view) const {
  ViewInfo info;
  info.version = view.version;
  info.control_plane_incarnation = view.control_plane_incarnation;
  for (const Member& member : view.members) {
    info.members.push_back({.node_id = member.node_id,
                            .address = member.peer(),
                            .incarnation = member.incarnation,
                            .active = member.state == MemberState::kActive,
                            .kinds = member.kinds});
  }
  const Member* coordinator = view.Coordinator();
  info.is_coordinator = coordinator != nullptr && coordinator->process_id == process_id_;
  return info;
}

void NodeImpl::OnView(const ViewPtr& view, bool continuous) {
  const ViewPtr previous = std::exchange(view_, view);
  network_->SetViewVersion(view->version);
  if (const Member* self = view->Find(process_id_)) network_->SetIncarnation(self->incarnation);
  if (previous != nullptr) {
    for (const Member& member : previous->members) {
      if (view->Find(member.process_id) == nullptr) Remove(member);
    }
  }
  for (const Member& member : view->members) {
    if (member.process_id != process_id_) network_->KeepSession(member.peer());
  }
  directory_->OnView(view, continuous);
  const ViewInfo info = Describe(*view);
  {
    absl::MutexLock lock(&mutex_);
    info_ = info;
  }
  for (const auto& observer : observers_) observer(info);
}

// Leaving the view closes a node's lanes everywhere: messages and handshakes of that process are
// refused from now on. One that was leaving has drained: what it still owes us are answers.
void NodeImpl::Remove(const Member& member) {
  options_.logger->Log(LogLevel::kInfo, "member removed from the view",
                       {{"member", member.node_id}, {"incarnation", member.incarnation}});
  caller_->ForgetProcess(member.process_id);
  if (member.state == MemberState::kLeaving) {
    executor().PostAfter(kGoodbye, [this, process = member.process_id] {
      if (network_ != nullptr) network_->ClosePeer(process, remoting::CloseReason::kRemoved);
    });
  } else {
    network_->ClosePeer(member.process_id, remoting::CloseReason::kRemoved);
  }
  if (!removed_.insert(member.process_id).second) return;
  removed_order_.push_back(member.process_id);
  if (removed_order_.size() > kRemovedProcessesMax) {
    removed_.erase(removed_order_.front());
    removed_order_.pop_front();
  }
}

void NodeImpl::OnServingUntil(Time until) {
  port_.SetServingUntil(until);
  // Once drained there is nobody left to be fenced, and the last answers still have to go out.
  network_->SetSendingUntil(drained_ ? kNever : until);
  directory_->OnServingUntil(until);
  if (fence_timer_ != 0) executor().Cancel(std::exchange(fence_timer_, 0));
  const Duration left = until == Time::min() ? Duration::zero() : until - options_.clock->Now();
  fenced_ = left <= Duration::zero();
  if (!fenced_) fence_timer_ = executor().PostAfter(left, [this] { fenced_ = true; });
}

void NodeImpl::OnEvicted(const Status& why) {
  options_.logger->Log(LogLevel::kError, "evicted from the view; nothing is served here any more",
                       {{"node", options_.node_id}, {"why", why.ToString()}});
  for (const ActivationInfo& activation : port_.Activations()) {
    port_.Deactivate(activation.id, why);
  }
  // Whoever still has a connection, in another datacenter say, has to look elsewhere at once.
  executor().Post([this, why] {
    caller_->Stop();
    network_->Stop();
    if (options_.on_evicted) options_.on_evicted(why);
  });
}

void NodeImpl::OnFrozen(const Status& why) {
  options_.logger->Log(LogLevel::kError,
                       "the control plane has lost writes; nothing new is claimed here",
                       {{"node", options_.node_id}, {"why", why.ToString()}});
  directory_->Freeze();
}

}  // namespace quern::cluster
