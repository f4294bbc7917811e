#include "quern/cluster/grain_caller.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace quern::cluster {

// One message on its way, with what was tried so far.
struct GrainCaller::Call {
  Call(GrainId id_in, Message message_in) : id(std::move(id_in)), message(std::move(message_in)) {}

  GrainId id;
  Message message;
  Epoch stale;  // of the location that proved wrong
  int redirects = 0;
  Duration backoff = Duration::zero();
  Time given_up = kNever;
  std::shared_ptr<const int> era;  // kept alive by the calls of that era
};

// Replies and timers hold it weakly: they may come after the caller is gone.
class GrainCaller::Impl : public std::enable_shared_from_this<GrainCaller::Impl> {
 public:
  using CallPtr = std::shared_ptr<Call>;

  Impl(Options options, Locator& locator, remoting::Network& network, NetworkPort* local,
       Executor& executor, Clock& clock)
      : options_(options),
        locator_(locator),
        network_(network),
        local_(local),
        executor_(executor),
        clock_(clock),
        locations_(options.locations_max) {}

  Delivery Route(const GrainId& id, Message message) {
    Shard& shard = ShardOf(id);
    absl::MutexLock lock(&shard.mutex);
    if (shard.stopped) {
      std::move(message).Fail(
          absl::UnavailableError("call " + id.ToString() + ": this node has stopped"));
      return Delivery::kStopped;
    }
    const auto waiting = shard.waiting.find(id);
    if (waiting == shard.waiting.end()) {
      if (const auto location = locations_.Find(id)) {
        // Nobody is in line: what comes straight to the activation overtakes nothing.
        if (location->is_local && DeliverHere(id, *location, message, Passage::kFromNowOn)) {
          return Delivery::kAccepted;
        }
        if (!location->is_local) {
          SendThere(NewCall(shard, id, std::move(message)), *location);
          return Delivery::kAccepted;
        }
      }
    } else if (waiting->second.size() >= options_.waiting_per_grain_max) {
      std::move(message).Fail(absl::ResourceExhaustedError(
          "call " + id.ToString() + ": " + std::to_string(waiting->second.size()) +
          " messages already wait until it is located; slow down"));
      return Delivery::kFull;
    }
    Wait(shard, NewCall(shard, id, std::move(message)));
    return Delivery::kAccepted;
  }

  void Forget(const GrainId& id, const Epoch& epoch) { locations_.Erase(id, epoch); }

  void ForgetProcess(const remoting::ProcessId& process) { locations_.EraseProcess(process); }

  std::function<bool()> EarlierCallsHaveEnded() {
    std::vector<std::weak_ptr<const int>> eras;
    for (Shard& shard : shards_) {
      absl::MutexLock lock(&shard.mutex);
      eras.push_back(std::exchange(shard.era, std::make_shared<const int>(0)));
    }
    return [eras = std::move(eras)] {
      return std::ranges::all_of(eras, [](const auto& era) { return era.expired(); });
    };
  }

  void Stop() {
    for (Shard& shard : shards_) {
      std::unordered_map<GrainId, std::deque<CallPtr>, GrainIdHash> waiting;
      {
        absl::MutexLock lock(&shard.mutex);
        shard.stopped = true;
        waiting.swap(shard.waiting);
      }
      for (auto& [id, calls] : waiting) {
        FailAll(calls, absl::UnavailableError("call " + id.ToString() + ": this node stops"));
      }
    }
  }

 private:
  // Everything about one grain happens under its shard's lock, so that a message cannot overtake
  // those in line.
  struct Shard {
    absl::Mutex mutex;
    std::unordered_map<GrainId, std::deque<CallPtr>, GrainIdHash> waiting ABSL_GUARDED_BY(mutex);
    bool stopped ABSL_GUARDED_BY(mutex) = false;
    std::shared_ptr<const int> era ABSL_GUARDED_BY(mutex) = std::make_shared<const int>(0);
  };

  Shard& ShardOf(const GrainId& id) { return shards_[GrainIdHash()(id) % shards_.size()]; }

  CallPtr NewCall(Shard& shard, const GrainId& id, Message message)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex) {
    auto call = std::make_shared<Call>(id, std::move(message));
    call->era = shard.era;
    call->given_up = std::min(call->message.deadline(), clock_.Now() + options_.tell_patience);
    return call;
  }

  // Puts a call in line; the first one in line has the grain located, and calls everybody back
  // whose messages would go past the line.
  void Wait(Shard& shard, CallPtr call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex) {
    const GrainId id = call->id;
    std::deque<CallPtr>& line = shard.waiting[id];
    line.push_back(std::move(call));
    if (line.size() > 1) return;
    if (local_ != nullptr) local_->Recall(id);
    executor_.Post([weak = weak_from_this(), id] {
      if (const auto self = weak.lock()) self->Resolve(id);
    });
  }

  // Executor only.
  void Resolve(const GrainId& id) {
    Time deadline = Time::min();
    Epoch stale;
    {
      Shard& shard = ShardOf(id);
      absl::MutexLock lock(&shard.mutex);
      const auto waiting = shard.waiting.find(id);
      if (waiting == shard.waiting.end()) return;
      for (const CallPtr& call : waiting->second) {
        deadline = std::max(deadline, call->given_up);
        stale = std::max(stale, call->stale);
      }
    }
    locator_.Locate(id, stale, deadline,
                    [weak = weak_from_this(), id](StatusOr<Location> location) {
                      if (const auto self = weak.lock()) self->OnLocated(id, location);
                    });
  }

  void OnLocated(const GrainId& id, const StatusOr<Location>& location) {
    Shard& shard = ShardOf(id);
    std::deque<CallPtr> calls;
    {
      absl::MutexLock lock(&shard.mutex);
      const auto waiting = shard.waiting.find(id);
      if (waiting == shard.waiting.end()) return;
      calls.swap(waiting->second);
      shard.waiting.erase(waiting);
      if (location.ok()) {
        locations_.Put(id, *location);
        for (CallPtr& call : calls) SendInLine(shard, std::move(call), *location);
        return;
      }
    }
    FailAll(calls, location.status());
  }

  void SendInLine(Shard& shard, CallPtr call, const Location& location)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex) {
    if (!location.is_local) return SendThere(std::move(call), location);
    if (DeliverHere(call->id, location, call->message, Passage::kOnce)) return;
    call->stale = location.epoch;
    if (++call->redirects > options_.redirects_max) {
      return std::move(call->message).Fail(Lost(*call));
    }
    Wait(shard, std::move(call));
  }

  // False: the activation is not there any more and the message is untouched.
  bool DeliverHere(const GrainId& id, const Location& location, Message& message, Passage passage) {
    if (local_ == nullptr) return false;
    switch (local_->DeliverToGrain(id, location.epoch, message, passage).outcome) {
      case GrainDelivery::Outcome::kAccepted:
      case GrainDelivery::Outcome::kRefused:
        return true;
      case GrainDelivery::Outcome::kNotHere:
      case GrainDelivery::Outcome::kStale:
        break;
    }
    locations_.Erase(id, location.epoch);
    return false;
  }

  void SendThere(CallPtr call, const Location& location) {
    remoting::UserMessage wire;
    wire.grain = call->id;
    wire.type_name = std::string(call->message.type_name());
    call->message.Encode(&wire.body);
    wire.deadline = call->message.deadline();
    wire.sender = call->message.sender();
    wire.target_epoch = location.epoch;
    wire.call_chain = call->message.call_chain();
    if (!call->message.expects_reply()) {
      if (network_.Tell(location.peer, std::move(wire)) == Delivery::kAccepted) {
        return std::move(call->message).Complete({}, {});  // it is on its way
      }
      locations_.Erase(call->id, location.epoch);
      return std::move(call->message)
          .Fail(absl::UnavailableError("tell " + call->id.ToString() + ": no way to " +
                                       location.peer.address));
    }
    network_.Ask(location.peer, std::move(wire),
                 [weak = weak_from_this(), call = std::move(call),
                  epoch = location.epoch](remoting::UserReply reply) {
                   if (const auto self = weak.lock()) self->OnReply(call, epoch, std::move(reply));
                 });
  }

  // Executor only.
  void OnReply(const CallPtr& call, const Epoch& asked, remoting::UserReply reply) {
    if (reply.status.ok()) return std::move(call->message).Complete(reply.body, reply.sender);
    const Reason reason = ReasonOf(reply.status);
    if (reply.from_peer && (reason == Reason::kMoved || reason == Reason::kNotOwner)) {
      return Redirect(call, asked);
    }
    // Out of reach, or there and without a lease: the next call asks where the grain is now.
    if (!reply.from_peer || absl::IsUnavailable(reply.status)) locations_.Erase(call->id, asked);
    if (!reply.from_peer && absl::IsUnavailable(reply.status))
      return RetryLater(call, reply.status);
    std::move(call->message).Fail(std::move(reply.status));
  }

  void Redirect(const CallPtr& call, const Epoch& asked) {
    locations_.Erase(call->id, asked);
    call->stale = asked;
    if (++call->redirects > options_.redirects_max)
      return std::move(call->message).Fail(Lost(*call));
    GetInLine(call);
  }

  // The message surely was not run: the node is gone or out of reach. Until the view says so, wait
  // and look again.
  void RetryLater(const CallPtr& call, const Status& why) {
    call->backoff = std::clamp(call->backoff * 2, options_.retry_first, options_.retry_max);
    if (clock_.Now() + call->backoff >= call->given_up) return std::move(call->message).Fail(why);
    executor_.PostAfter(call->backoff, [weak = weak_from_this(), call] {
      if (const auto self = weak.lock()) self->GetInLine(call);
    });
  }

  void GetInLine(const CallPtr& call) {
    Shard& shard = ShardOf(call->id);
    absl::MutexLock lock(&shard.mutex);
    if (shard.stopped) {
      return std::move(call->message)
          .Fail(absl::UnavailableError("call " + call->id.ToString() + ": stopped"));
    }
    Wait(shard, call);
  }

  Status Lost(const Call& call) const {
    return WithReason(
        absl::AbortedError("call " + call.id.ToString() + ": it moved " +
                           std::to_string(call.redirects) + " times while being called; try again"),
        Reason::kMoved);
  }

  static void FailAll(std::deque<CallPtr>& calls, const Status& status) {
    for (const CallPtr& call : calls) std::move(call->message).Fail(status);
  }

  const Options options_;
  Locator& locator_;
  remoting::Network& network_;
  NetworkPort* const local_;
  Executor& executor_;
  Clock& clock_;
  LocationCache locations_;
  std::array<Shard, 64> shards_;
};

GrainCaller::GrainCaller(Options options, Locator& locator, remoting::Network& network,
                         NetworkPort* local, Executor& executor, Clock& clock)
    : impl_(std::make_shared<Impl>(options, locator, network, local, executor, clock)) {}

GrainCaller::~GrainCaller() { impl_->Stop(); }

Delivery GrainCaller::Route(const GrainId& id, Message message) {
  return impl_->Route(id, std::move(message));
}
void GrainCaller::Forget(const GrainId& id, const Epoch& epoch) { impl_->Forget(id, epoch); }
void GrainCaller::ForgetProcess(const remoting::ProcessId& process) {
  impl_->ForgetProcess(process);
}
std::function<bool()> GrainCaller::EarlierCallsHaveEnded() {
  return impl_->EarlierCallsHaveEnded();
}
void GrainCaller::Stop() { impl_->Stop(); }

}  // namespace quern::cluster
