#include "network/network_impl.h"

#include <algorithm>
#include <utility>

#include "connection/wire_convert.h"
#include "quern/remoting/limits.h"

namespace quern::remoting {
namespace {

LocalNode MakeLocal(const Network::Options& options) {
  LocalNode local;
  local.identity = options.identity;
  local.handshake_timeout = options.handshake_timeout;
  local.idle_ping = options.idle_ping;
  local.idle_timeout = options.idle_timeout;
  // Often enough for the shortest of the times it serves.
  local.tick_period = std::min({limits::kTickPeriod, options.handshake_timeout / 4,
                                options.idle_ping / 2, options.idle_timeout / 4});
  return local;
}

Status Fenced(const PeerAddress& peer) {
  return absl::UnavailableError("send to " + peer.address + ": this node has no lease now");
}

// The handler ran, but what it answers counts for nothing any more.
UserReply FencedReply() {
  return {.status = absl::DeadlineExceededError(
              "the node that ran this lost its lease before it could answer: outcome unknown")};
}

Status RefusedBy(Inbox::Push push, const PeerAddress& peer) {
  switch (push) {
    case Inbox::Push::kFull:
      return absl::ResourceExhaustedError("send to " + peer.address + ": its queue is full");
    case Inbox::Push::kDown:
      return absl::UnavailableError("send to " + peer.address + ": it could not be reached");
    default:
      return absl::UnavailableError("send to " + peer.address + ": it was closed");
  }
}

Delivery DeliveryOf(Inbox::Push push) {
  if (push == Inbox::Push::kAccepted) return Delivery::kAccepted;
  return push == Inbox::Push::kFull ? Delivery::kFull : Delivery::kUnreachable;
}

}  // namespace

StatusOr<std::unique_ptr<Network>> Network::Start(Options options, Transport& transport,
                                                  Executor& executor, Clock& clock, Random& random,
                                                  NetworkHandler* handler) {
  auto network = std::make_unique<NetworkImpl>(std::move(options), transport, executor, clock,
                                               random, handler);
  if (Status status = network->Listen(); !status.ok()) return status;
  return network;
}

NetworkImpl::NetworkImpl(Options options, Transport& transport, Executor& executor, Clock& clock,
                         Random& random, NetworkHandler* handler)
    : options_(std::move(options)),
      transport_(transport),
      executor_(executor),
      clock_(clock),
      random_(random.Fork("remoting.network")),
      handler_(handler),
      logger_(options_.logger != nullptr ? *options_.logger : NullLogger()),
      inbox_(std::make_shared<Inbox>(executor, [this] { Drain(); })),
      local_(MakeLocal(options_)) {
  executor_.PostAfter(local_.tick_period, Guarded([this] { Tick(); }));
}

NetworkImpl::~NetworkImpl() { Stop(); }

Executor::Closure NetworkImpl::Guarded(std::function<void()> closure) {
  return [weak = std::weak_ptr<int>(alive_), closure = std::move(closure)] {
    if (weak.lock()) closure();
  };
}

Status NetworkImpl::Listen() {
  if (options_.listen_address.empty()) return absl::OkStatus();
  auto listener = transport_.Listen(options_.listen_address,
                                    [this](auto stream) { return Accept(std::move(stream)); });
  if (!listener.ok()) return listener.status();
  listener_ = *std::move(listener);
  if (local_.identity.advertised_address.empty()) {
    local_.identity.advertised_address = listener_->bound_address();
  }
  return absl::OkStatus();
}

Delivery NetworkImpl::Tell(const PeerAddress& peer, UserMessage message) {
  if (FencedAt(clock_.Now()) || !CheckUserMessage(message).ok()) return Delivery::kUnreachable;
  OutboundUser item{.message = std::move(message), .done = nullptr};
  return DeliveryOf(inbox_->PushUser(peer, item));
}

void NetworkImpl::Ask(const PeerAddress& peer, UserMessage message,
                      std::function<void(UserReply)> done) {
  const Status valid = FencedAt(clock_.Now()) ? Fenced(peer) : CheckUserMessage(message);
  OutboundUser item{.message = std::move(message), .done = std::move(done)};
  const Inbox::Push push = valid.ok() ? inbox_->PushUser(peer, item) : Inbox::Push::kClosed;
  if (push == Inbox::Push::kAccepted) return;
  executor_.Post(
      [done = std::move(item.done), status = valid.ok() ? RefusedBy(push, peer) : valid] {
        done(UserReply{.status = status});
      });
}

void NetworkImpl::SendSystem(const PeerAddress& peer, SystemBody body) {
  if (!CheckSystemBody(body).ok()) return;
  OutboundSystem item{.body = std::move(body), .done = nullptr};
  inbox_->PushSystem(peer, item);
}

void NetworkImpl::CallSystem(const PeerAddress& peer, SystemBody body, Duration timeout,
                             std::function<void(StatusOr<SystemBody>)> done) {
  const Status valid = CheckSystemBody(body);
  OutboundSystem item{.body = std::move(body),
                      .deadline = clock_.Now() + std::min(timeout, limits::kDeadlineMax),
                      .done = std::move(done)};
  const Inbox::Push push = valid.ok() ? inbox_->PushSystem(peer, item) : Inbox::Push::kClosed;
  if (push == Inbox::Push::kAccepted) return;
  executor_.Post([done = std::move(item.done),
                  status = valid.ok() ? RefusedBy(push, peer) : valid] { done(status); });
}

void NetworkImpl::Drain() {
  if (stopped_) return;
  Inbox::Taken taken = inbox_->Take();
  if (!taken.replies.empty() || !taken.system_replies.empty()) DrainReplies(taken);
  for (Inbox::Taken::PerPeer& peer : taken.peers) DrainPeer(peer);
  ArmDeadline();
}

// Takes over what was accepted: from here on every ask is in a table, and ends exactly once.
void NetworkImpl::DrainPeer(Inbox::Taken::PerPeer& taken) {
  const Time latest = clock_.Now() + limits::kDeadlineMax;
  std::vector<std::function<void(UserReply)>> refused;
  for (OutboundUser& item : taken.user) {
    if (!item.done) continue;
    item.request_id =
        requests_.Add(std::min(item.message.deadline, latest), std::exchange(item.done, nullptr));
    if (requests_.size() > limits::kRequestsOutstandingMax) {
      refused.push_back(*requests_.TakeUnsent(item.request_id));
    }
  }
  for (OutboundSystem& item : taken.system) {
    if (!item.done) continue;
    item.request_id = calls_.Add(item.deadline, std::exchange(item.done, nullptr));
  }
  Link* link = LinkFor(taken.peer);
  link->user.Push(std::move(taken.user));
  link->system.Push(std::move(taken.system));
  Flush(*link);
  for (const auto& done : refused) {
    done(UserReply{.status = absl::ResourceExhaustedError("too many asks wait for answers")});
  }
}

void NetworkImpl::DrainReplies(Inbox::Taken& taken) {
  std::vector<Channel*> touched;
  const bool fenced = FencedAt(clock_.Now());
  for (OutboundReply& out : taken.replies) {
    const auto found = channels_.find(out.channel);
    if (found == channels_.end() || !found->second->connection().open()) continue;
    Channel& channel = *found->second;
    --channel.open_requests;
    if (fenced && out.reply.status.ok()) {
      counters_.user_messages_fenced.Add(1);
      out.reply = FencedReply();
    }
    Status status = channel.connection().AddReply(out.request_id, &out.reply);
    if (!status.ok()) {
      UserReply instead{.status = std::move(status)};
      channel.connection().AddReply(out.request_id, &instead).IgnoreError();
    }
    QueueFlush(channel, &touched);
  }
  for (OutboundSystemReply& out : taken.system_replies) {
    const auto found = channels_.find(out.channel);
    if (found == channels_.end() || !found->second->connection().open()) continue;
    Channel& channel = *found->second;
    --channel.open_requests;
    Status status = out.reply.ok() ? CheckSystemBody(*out.reply) : absl::OkStatus();
    if (status.ok()) status = channel.connection().AddSystemReply(out.request_id, &out.reply);
    if (!status.ok()) {
      StatusOr<SystemBody> instead = std::move(status);
      channel.connection().AddSystemReply(out.request_id, &instead).IgnoreError();
    }
    QueueFlush(channel, &touched);
  }
  for (Channel* channel : touched) {
    channel->flush_queued = false;
    channel->connection().Flush();
  }
}

void NetworkImpl::QueueFlush(Channel& channel, std::vector<Channel*>* touched) {
  if (channel.connection().unflushed_bytes() >= limits::kBatchBytesSoft)
    channel.connection().Flush();
  if (!std::exchange(channel.flush_queued, true)) touched->push_back(&channel);
}

// One timer for the earliest deadline of all; asks of one length arm it once a length.
void NetworkImpl::ArmDeadline() {
  const Time next = std::min(requests_.next_deadline(), calls_.next_deadline());
  if (next >= deadline_armed_) return;
  if (deadline_timer_ != 0) executor_.Cancel(deadline_timer_);
  deadline_armed_ = next;
  deadline_timer_ = executor_.PostAfter(next - clock_.Now(), Guarded([this] { ExpireRequests(); }));
}

void NetworkImpl::ExpireRequests() {
  deadline_timer_ = 0;
  deadline_armed_ = kNever;
  const Time now = clock_.Now();
  auto requests = requests_.TakeExpired(now);
  auto calls = calls_.TakeExpired(now);
  ArmDeadline();
  const Status unsent = absl::UnavailableError("the deadline came before it could be sent");
  const Status unknown = absl::DeadlineExceededError("no answer came before the deadline");
  FailRequests(std::move(requests), unsent, unknown);
  FailCalls(std::move(calls), unsent, unknown);
}

void NetworkImpl::Tick() {
  if (stopped_) return;
  executor_.PostAfter(local_.tick_period, Guarded([this] { Tick(); }));
  std::vector<Channel*> channels;
  for (const auto& [id, channel] : channels_) channels.push_back(channel.get());
  std::ranges::sort(channels, {}, &Channel::id);
  const Time now = clock_.Now();
  for (Channel* channel : channels) {
    if (!channel->ended) channel->connection().Tick(now);
  }
}

void NetworkImpl::KeepSession(const PeerAddress& peer) {
  Inbox::Peer* entry = stopped_ ? nullptr : inbox_->Find(peer);
  if (entry == nullptr) return;
  Link* link = LinkFor(entry);
  link->keep_session = true;
  EnsureSession(*link);
}

void NetworkImpl::ClosePeer(const ProcessId& process, CloseReason reason) {
  if (stopped_ || IsZero(process)) return;
  Drain();
  if (closed_processes_.insert(process).second) {
    closed_order_.push_back(process);
    if (closed_order_.size() > limits::kClosedProcessesMax) {
      closed_processes_.erase(closed_order_.front());
      closed_order_.pop_front();
    }
  }
  const Status status =
      absl::UnavailableError("the peer was closed: " + std::string(CloseReasonName(reason)));
  for (const std::unique_ptr<Link>& link : links_) {
    if (link->peer.process_id != process) continue;
    link->closed = true;
    link->keep_session = false;
    inbox_->SetClosed(link->inbox);
    FailQueued(*link, kUserLane, status);
    FailQueued(*link, kSystemLane, status);
  }
  std::vector<Channel*> doomed;
  for (const auto& [id, channel] : channels_) {
    const bool open = channel->connection().open();
    if (open ? channel->connection().peer().identity.process_id == process
             : channel->link != nullptr && channel->link->peer.process_id == process) {
      doomed.push_back(channel.get());
    }
  }
  std::ranges::sort(doomed, {}, &Channel::id);
  for (Channel* channel : doomed) {
    if (!channel->ended) channel->connection().Close(reason);
  }
}

void NetworkImpl::Probe(const PeerAddress& peer, Duration timeout,
                        std::function<void(ProbeResult)> done) {
  const uint64_t id = ++last_id_;
  auto finish = [this, id, done = std::move(done)](ProbeResult result) {
    if (!stopped_) executor_.Post(Guarded([this, id] { probes_.erase(id); }));
    done(result);
  };
  auto& probe = probes_[id] =
      std::make_unique<ProbeCall>(local_, peer.process_id, Nonce(), clock_, std::move(finish));
  const auto with_probe = [this, id](auto then) {
    return Guarded([this, id, then] {
      if (const auto found = probes_.find(id); found != probes_.end()) then(*found->second);
    });
  };
  executor_.PostAfter(timeout, with_probe([](ProbeCall& call) { call.OnTimeout(); }));
  transport_.Connect(
      peer.address, timeout, probe.get(),
      [this, id, weak = std::weak_ptr<int>(alive_)](StatusOr<std::unique_ptr<Stream>> stream) {
        if (!weak.lock()) return;
        const auto found = probes_.find(id);
        if (found != probes_.end()) found->second->OnDialled(std::move(stream));
      });
}

void NetworkImpl::SetViewVersion(uint64_t version) { local_.view_version = version; }

void NetworkImpl::SetSendingUntil(Time until) {
  sending_until_.store(until.time_since_epoch().count(), std::memory_order_relaxed);
}

void NetworkImpl::SetIncarnation(uint64_t incarnation) {
  local_.identity.incarnation = incarnation;
}

NetworkStats NetworkImpl::stats() const {
  NetworkStats stats{.user_messages_sent = counters_.user_messages_sent.Get(),
                     .user_messages_received = counters_.user_messages_received.Get(),
                     .user_messages_fenced = counters_.user_messages_fenced.Get(),
                     .frames_sent = counters_.frames_sent.Get(),
                     .frames_received = counters_.frames_received.Get(),
                     .bytes_sent = counters_.bytes_sent.Get(),
                     .bytes_received = counters_.bytes_received.Get()};
  absl::MutexLock lock(&closed_mutex_);
  stats.closed = closed_;
  return stats;
}

void NetworkImpl::Stop() {
  if (stopped_) return;
  Drain();
  stopped_ = true;
  inbox_->Close();
  std::vector<Channel*> channels;
  for (const auto& [id, channel] : channels_) channels.push_back(channel.get());
  std::ranges::sort(channels, {}, &Channel::id);
  for (Channel* channel : channels) {
    if (!channel->ended) channel->connection().Close(CloseReason::kShutdown);
  }
  // They stay where they are: one of them may be on the stack.
  for (auto& [id, probe] : probes_) probe->OnTimeout();
  listener_.reset();
  const Status status = absl::UnavailableError("the network was stopped");
  const Status unknown = absl::DeadlineExceededError("the network was stopped: outcome unknown");
  FailRequests(requests_.TakeAll(), status, unknown);
  FailCalls(calls_.TakeAll(), status, unknown);
}

}  // namespace quern::remoting
