#include "quern/testing/sim_net.h"

#include <algorithm>
#include <utility>

namespace quern::testing {
namespace {

constexpr Duration kSessionCheckEvery = std::chrono::milliseconds(50);

}  // namespace

SimNet::SimNet(VirtualTime& time, std::unique_ptr<Random> random, Options options)
    : time_(time), random_(std::move(random)), options_(options), executor_(time.NewExecutor()) {
  executor_->PostAfter(kSessionCheckEvery, [this] { CheckSessions(); });
}

SimNet::~SimNet() = default;

SimEndpoint* SimNet::Find(const remoting::ProcessId& process) const {
  const auto found = open_.find(process);
  return found == open_.end() ? nullptr : found->second;
}

bool SimNet::IsCut(const remoting::ProcessId& from, const remoting::ProcessId& to) const {
  const auto a = known_.find(from);
  const auto b = known_.find(to);
  if (a == known_.end() || b == known_.end()) return false;
  return cuts_.contains({a->second.node_id, b->second.node_id});
}

Duration SimNet::Delay() {
  const auto span = static_cast<uint64_t>((options_.delay_max - options_.delay_min).count());
  return options_.delay_min + Duration(span == 0 ? 0 : random_->Below(span));
}

bool SimNet::Chance(double share) {
  return share > 0 && static_cast<double>(random_->Below(1'000'000)) < share * 1e6;
}

// ---- Processes and sessions

void SimNet::Open(SimEndpoint* endpoint) {
  const remoting::ProcessId process = endpoint->identity.process_id;
  open_[process] = endpoint;
  known_[process] = endpoint->identity;
}

void SimNet::Close(const remoting::ProcessId& process) {
  const auto node = open_.extract(process);
  if (node.empty()) return;
  const remoting::NodeIdentity identity = node.mapped()->identity;
  for (const auto& [other, endpoint] : open_) {
    const Pair pair = std::minmax(process, other);
    const bool hidden = IsCut(process, other);
    if (!down_.erase(pair) && !hidden) TellDown(*endpoint, identity, remoting::StreamEnd::kFin);
    cut_since_.erase(pair);
  }
  std::vector<uint64_t> lost;
  for (const auto& [id, call] : calls_) {
    if (call.from == process) lost.push_back(id);
    if (call.to == process && !IsCut(process, call.from)) lost.push_back(id);
  }
  for (const uint64_t id : lost) {
    Answer(id, absl::DeadlineExceededError("the connection was lost; the outcome is unknown"));
  }
}

void SimNet::TellDown(SimEndpoint& to, const remoting::NodeIdentity& peer,
                      remoting::StreamEnd how) {
  const remoting::ProcessId process = to.identity.process_id;
  executor_->PostAfter(Delay(), [this, process, end = remoting::SessionEnd{peer, how, {}}] {
    SimEndpoint* endpoint = Find(process);
    if (endpoint == nullptr) return;
    endpoint->executor->Post([this, process, end] {
      if (SimEndpoint* alive = Find(process)) alive->on_session_down(end);
    });
  });
}

void SimNet::TellUp(SimEndpoint& to, const remoting::NodeIdentity& peer) {
  const remoting::ProcessId process = to.identity.process_id;
  to.executor->Post([this, process, peer] {
    if (SimEndpoint* alive = Find(process)) alive->on_session_up(peer);
  });
}

void SimNet::EndSession(const remoting::ProcessId& a, const remoting::ProcessId& b,
                        remoting::StreamEnd how) {
  SimEndpoint* first = Find(a);
  SimEndpoint* second = Find(b);
  if (first == nullptr || second == nullptr || !down_.insert(std::minmax(a, b)).second) return;
  TellDown(*first, second->identity, how);
  TellDown(*second, first->identity, how);
}

// A cut is noticed by silence alone; a session that can stand again does.
void SimNet::CheckSessions() {
  executor_->PostAfter(kSessionCheckEvery, [this] { CheckSessions(); });
  for (auto a = open_.begin(); a != open_.end(); ++a) {
    for (auto b = std::next(a); b != open_.end(); ++b) {
      const Pair pair(a->first, b->first);
      const bool cut = IsCut(pair.first, pair.second) || IsCut(pair.second, pair.first);
      const bool refused = refusing_.contains(a->second->identity.advertised_address) ||
                           refusing_.contains(b->second->identity.advertised_address);
      if (!cut) {
        cut_since_.erase(pair);
        if (!refused && down_.erase(pair) > 0) {
          TellUp(*a->second, b->second->identity);
          TellUp(*b->second, a->second->identity);
        }
      } else if (!down_.contains(pair)) {
        const Time since = cut_since_.try_emplace(pair, time_.Now()).first->second;
        if (time_.Now() - since >= options_.idle_timeout) {
          EndSession(pair.first, pair.second, remoting::StreamEnd::kTimeout);
        }
      }
    }
  }
}

// ---- Messages

// Runs `arrive` on the receiver's executor unless the message is lost on the way.
void SimNet::Deliver(const remoting::ProcessId& from, const remoting::ProcessId& to,
                     std::function<void(SimEndpoint&)> arrive) {
  Time due = time_.Now() + Delay();
  Time& last = last_due_[{from, to}];
  due = last = std::max(due, last);
  executor_->PostAfter(due - time_.Now(), [this, from, to, arrive = std::move(arrive)] {
    SimEndpoint* endpoint = Find(to);
    if (endpoint == nullptr || IsCut(from, to)) return;
    ++delivered_;
    endpoint->executor->Post([this, to, arrive] {
      if (SimEndpoint* alive = Find(to)) arrive(*alive);
    });
  });
}

void SimNet::Send(const remoting::ProcessId& from, const remoting::PeerAddress& to,
                  remoting::SystemBody body) {
  const SimEndpoint* sender = Find(from);
  if (sender == nullptr || IsCut(from, to.process_id) || Chance(options_.loss)) return;
  Deliver(from, to.process_id,
          [identity = sender->identity, body = std::move(body)](SimEndpoint& endpoint) {
            endpoint.on_message(identity, body, nullptr);
          });
}

void SimNet::Call(const remoting::ProcessId& from, const remoting::PeerAddress& to,
                  remoting::SystemBody body, Duration timeout, CallDone done) {
  const uint64_t id = ++last_call_;
  SimEndpoint* sender = Find(from);
  if (sender == nullptr) return;
  Waiting& call = calls_[id];
  call.from = from;
  call.to = to.process_id;
  call.done = std::move(done);
  if (Find(to.process_id) == nullptr && !IsCut(from, to.process_id)) {
    executor_->PostAfter(Delay(), [this, id] {
      Answer(id, absl::UnavailableError("connection refused; surely not sent"));
    });
    return;
  }
  call.timer = sender->executor->PostAfter(timeout, [this, id] {
    Answer(id, absl::DeadlineExceededError("no answer in time; the outcome is unknown"));
  });
  if (IsCut(from, to.process_id) || Chance(options_.loss)) return;
  Carry(id, from, to.process_id, body);
  if (!Chance(options_.repeat)) return;
  executor_->PostAfter(options_.repeat_after,
                       [this, from, to = to.process_id, body] { Carry(0, from, to, body); });
}

void SimNet::Carry(uint64_t call, const remoting::ProcessId& from, const remoting::ProcessId& to,
                   const remoting::SystemBody& body) {
  if (holds_.contains({known_.at(to).node_id, body.type})) {
    held_.push_back([this, call, from, to, body] { Carry(call, from, to, body); });
    return;
  }
  Deliver(from, to, [this, call, from, to, body](SimEndpoint& endpoint) {
    endpoint.on_message(
        known_.at(from), body, [this, call, from, to](StatusOr<remoting::SystemBody> reply) {
          if (IsCut(to, from) || Chance(options_.loss)) return;
          Deliver(to, from,
                  [this, call, reply = std::move(reply)](SimEndpoint&) { Answer(call, reply); });
        });
  });
}

void SimNet::Answer(uint64_t id, StatusOr<remoting::SystemBody> result) {
  auto node = calls_.extract(id);
  if (node.empty()) return;
  Waiting& call = node.mapped();
  SimEndpoint* caller = Find(call.from);
  if (caller == nullptr) return;
  caller->executor->Cancel(call.timer);
  caller->executor->Post(
      [this, from = call.from, done = std::move(call.done), result = std::move(result)] {
        if (Find(from) != nullptr) done(result);
      });
}

void SimNet::Probe(const remoting::ProcessId& from, const remoting::PeerAddress& to,
                   Duration timeout, std::function<void(remoting::ProbeResult)> done) {
  const bool silent = IsCut(from, to.process_id) || IsCut(to.process_id, from);
  remoting::ProbeResult result = remoting::ProbeResult::kRefused;
  if (SimEndpoint* there = Find(to.process_id)) {
    // A stopped process keeps its listener: the kernel accepts, nobody shakes hands.
    result = there->executor->frozen() ? remoting::ProbeResult::kInconclusive
                                       : remoting::ProbeResult::kSameProcess;
  }
  if (refusing_.contains(to.address)) result = remoting::ProbeResult::kRefused;
  if (silent) result = remoting::ProbeResult::kInconclusive;
  const bool waits = result == remoting::ProbeResult::kInconclusive;
  executor_->PostAfter(waits ? timeout : 2 * Delay(), [this, from, result, done = std::move(done)] {
    if (SimEndpoint* caller = Find(from)) caller->executor->Post([result, done] { done(result); });
  });
}

void SimNet::Cut(const std::string& from, const std::string& to) { cuts_.insert({from, to}); }
void SimNet::Heal(const std::string& from, const std::string& to) { cuts_.erase({from, to}); }
void SimNet::HealAll() { cuts_.clear(); }
void SimNet::Hold(const std::string& to, const std::string& type) { holds_.insert({to, type}); }
void SimNet::Release() {
  holds_.clear();
  for (const auto& carry : std::exchange(held_, {})) carry();
}
void SimNet::Refuse(const std::string& address, bool on) {
  if (on) {
    refusing_.insert(address);
  } else {
    refusing_.erase(address);
  }
}

}  // namespace quern::testing
