// The Network: links, processes and channels, and what happens between them. Protocol without I/O
// is in connection/, threads are left behind in inbox.h; everything here runs on the executor.
//
// Sources: network_impl.cc the public calls and what they queue; links.cc sending and dialling;
// channels.cc what connections bring.

#ifndef QUERN_REMOTING_SRC_NETWORK_NETWORK_IMPL_H_
#define QUERN_REMOTING_SRC_NETWORK_NETWORK_IMPL_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_map.h>
#include <absl/synchronization/mutex.h>

#include "connection/connection.h"
#include "connection/request_table.h"
#include "network/channel.h"
#include "network/inbox.h"
#include "network/link.h"
#include "network/probe.h"
#include "quern/remoting/network.h"

namespace quern::remoting {

// Written by the executor alone, read by anyone.
class Counter {
 public:
  void Add(uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  uint64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

class NetworkImpl final : public Network {
 public:
  struct Counters {
    Counter user_messages_sent;
    Counter user_messages_received;
    Counter user_messages_fenced;
    Counter frames_sent;
    Counter frames_received;
    Counter bytes_sent;
    Counter bytes_received;
  };

  NetworkImpl(Options options, Transport& transport, Executor& executor, Clock& clock,
              Random& random, NetworkHandler* handler);
  ~NetworkImpl() override;

  Status Listen();

  Delivery Tell(const PeerAddress& peer, UserMessage message) override;
  void Ask(const PeerAddress& peer, UserMessage message,
           std::function<void(UserReply)> done) override;
  void SendSystem(const PeerAddress& peer, SystemBody body) override;
  void CallSystem(const PeerAddress& peer, SystemBody body, Duration timeout,
                  std::function<void(StatusOr<SystemBody>)> done) override;
  void KeepSession(const PeerAddress& peer) override;
  void ClosePeer(const ProcessId& process, CloseReason reason) override;
  void Probe(const PeerAddress& peer, Duration timeout,
             std::function<void(ProbeResult)> done) override;
  void SetViewVersion(uint64_t version) override;
  void SetIncarnation(uint64_t incarnation) override;
  void SetSendingUntil(Time until) override;
  const NodeIdentity& identity() const override { return local_.identity; }
  NetworkStats stats() const override;
  void Stop() override;

  // What channels bring.
  Time Now() const { return clock_.Now(); }
  Counters& counters() { return counters_; }
  CloseReason AdmitChannel(const PeerHello& peer);
  void OnChannelOpen(Channel& channel, const PeerHello& peer);
  void OnChannelWritable(Channel& channel);
  void OnChannelEnd(Channel& channel, StreamEnd how, CloseReason reason);
  void OnViewVersion(Channel& channel, uint64_t version);
  void OnUserMessage(Channel& channel, uint64_t request_id, UserMessage message);
  void OnUserReply(Channel& channel, uint64_t request_id, UserReply reply);
  void OnSystemMessage(Channel& channel, uint64_t request_id, SystemBody body, Time deadline);
  void OnSystemReply(Channel& channel, uint64_t request_id, StatusOr<SystemBody> reply);

 private:
  // Asked when a message comes and again when it is written: between the two the process may have
  // been stopped for long.
  bool FencedAt(Time now) const {
    return now >= Time(Duration(sending_until_.load(std::memory_order_relaxed)));
  }

  // A closure that does nothing once this object is gone.
  Executor::Closure Guarded(std::function<void()> closure);

  // network_impl.cc
  void Drain();
  void DrainPeer(Inbox::Taken::PerPeer& taken);
  void DrainReplies(Inbox::Taken& taken);
  void QueueFlush(Channel& channel, std::vector<Channel*>* touched);
  void ArmDeadline();
  void ExpireRequests();
  void Tick();

  // links.cc
  Link* LinkFor(Inbox::Peer* peer);
  void AttachLink(Link& link, const ProcessId& process);
  Channel* Route(Link& link, uint16_t lane);
  void Flush(Link& link);
  void FlushUser(Link& link);
  void FlushSystem(Link& link);
  void SendUser(Channel& channel, OutboundUser& item, Time now);
  void SendSystemItem(Channel& channel, OutboundSystem& item, Time now);
  void Dial(Link& link, uint16_t lane);
  void OnDialled(uint64_t channel_id, StatusOr<std::unique_ptr<Stream>> stream);
  void OnDialFailed(Link& link, uint16_t lane, const Status& status);
  void Pause(Link& link);
  void EndDown(Link& link);
  void EndPause(Link& link);
  void EnsureSession(Link& link);
  bool HasSession(const Link& link) const;
  void FailQueued(Link& link, uint16_t lane, const Status& status);
  void FailUser(OutboundUser& item, const Status& status);
  void FailSystem(OutboundSystem& item, const Status& status);

  // channels.cc
  StreamEvents* Accept(std::unique_ptr<Stream> stream);
  Channel& NewChannel(ConnectionOptions options, Link* link);
  void Retire(Channel& channel);
  void OnOpenChannelEnd(Channel& channel, StreamEnd how, CloseReason reason);
  std::vector<Link*> LeaveProcess(Channel& channel);
  void FailRequests(std::vector<RequestTable<UserReply>::Ended> ended, const Status& unsent,
                    const Status& unknown);
  void FailCalls(std::vector<RequestTable<StatusOr<SystemBody>>::Ended> ended, const Status& unsent,
                 const Status& unknown);
  void CountClosed(CloseReason reason);
  std::string Nonce();

  const Options options_;
  Transport& transport_;
  Executor& executor_;
  Clock& clock_;
  const std::unique_ptr<Random> random_;
  NetworkHandler* const handler_;
  Logger& logger_;
  std::shared_ptr<Inbox> inbox_;
  Counters counters_;
  std::atomic<Duration::rep> sending_until_{kNever.time_since_epoch().count()};
  mutable absl::Mutex closed_mutex_;
  std::map<CloseReason, uint64_t> closed_ ABSL_GUARDED_BY(closed_mutex_);

  // Executor only.
  LocalNode local_;
  bool stopped_ = false;
  std::unique_ptr<Listener> listener_;
  std::vector<std::unique_ptr<Link>> links_;
  std::map<ProcessId, Process> processes_;
  absl::flat_hash_map<uint64_t, std::unique_ptr<Channel>> channels_;
  std::vector<std::unique_ptr<Channel>> retired_;
  std::map<uint64_t, std::unique_ptr<ProbeCall>> probes_;
  size_t handshakes_ = 0;  // accepted connections that are not open
  uint64_t last_id_ = 0;   // of channels and probes
  uint64_t last_generation_ = 0;
  RequestTable<UserReply> requests_;
  RequestTable<StatusOr<SystemBody>> calls_;
  Executor::TimerId deadline_timer_ = 0;
  Time deadline_armed_ = kNever;
  std::set<ProcessId> closed_processes_;
  std::deque<ProcessId> closed_order_;
  uint64_t view_told_ = 0;  // highest version that the handler was told of
  Time view_told_at_{};
  std::shared_ptr<int> alive_ = std::make_shared<int>();  // watched by closures
};

}  // namespace quern::remoting

#endif  // QUERN_REMOTING_SRC_NETWORK_NETWORK_IMPL_H_
