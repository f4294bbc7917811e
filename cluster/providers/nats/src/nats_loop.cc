#include "nats_loop.h"

#include <algorithm>

#include <absl/time/time.h>
#include <nats/nats.h>

#include "nats_limits.h"

namespace quern::cluster {

NatsLoop::NatsLoop(const Clock& clock, OnMessage on_message)
    : clock_(clock), on_message_(std::move(on_message)) {}

NatsLoop::~NatsLoop() {
  absl::MutexLock lock(&mutex_);
  for (const Inbound& inbound : messages_) natsMsg_Destroy(inbound.message);
}

void NatsLoop::Start() {
  thread_ = std::thread([this] { Run(); });
}

void NatsLoop::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.Signal();
  }
  if (thread_.joinable()) thread_.join();
}

void NatsLoop::Post(Closure closure) {
  absl::MutexLock lock(&mutex_);
  if (stopping_) return;
  closures_.push_back(std::move(closure));
  if (waiting_) changed_.Signal();
}

void NatsLoop::PostMessage(uint64_t receiver, natsMsg* message) {
  {
    absl::MutexLock lock(&mutex_);
    if (!stopping_) {
      messages_.push_back({receiver, message});
      if (waiting_) changed_.Signal();
      return;
    }
  }
  natsMsg_Destroy(message);
}

uint64_t NatsLoop::After(Duration delay, Closure closure) {
  const uint64_t id = ++last_timer_;
  const Time due = clock_.Now() + delay;
  timers_.emplace(std::pair(due, id), std::move(closure));
  due_[id] = due;
  return id;
}

void NatsLoop::Cancel(uint64_t timer) {
  const auto found = due_.find(timer);
  if (found == due_.end()) return;
  timers_.erase({found->second, timer});
  due_.erase(found);
}

bool NatsLoop::Take(std::vector<Inbound>* messages, std::vector<Closure>* closures) {
  absl::MutexLock lock(&mutex_);
  while (messages_.empty() && closures_.empty() && !stopping_) {
    if (timers_.empty()) {
      waiting_ = true;
      changed_.Wait(&mutex_);
      waiting_ = false;
      continue;
    }
    const Time wake = std::max(timers_.begin()->first.first, timers_not_before_);
    const Duration left = wake - clock_.Now();
    if (left <= Duration::zero()) break;
    waiting_ = true;
    changed_.WaitWithTimeout(&mutex_, absl::FromChrono(left));
    waiting_ = false;
  }
  messages->swap(messages_);
  closures->swap(closures_);
  return !stopping_ || !messages->empty() || !closures->empty();
}

// After a pause of the process (SIGSTOP, a suspended machine) everything is overdue, and answers
// may be waiting in the socket: they go first.
void NatsLoop::RunTimers() {
  const Time woke = clock_.Now();
  const bool overdue =
      !timers_.empty() && woke - timers_.begin()->first.first > kNatsPauseSuspected;
  if (overdue && woke - last_ran_ > kNatsPauseSuspected)
    timers_not_before_ = woke + kNatsPauseGrace;
  last_ran_ = woke;
  while (!timers_.empty()) {
    const Time now = clock_.Now();
    if (timers_.begin()->first.first > now || timers_not_before_ > now) return;
    auto node = timers_.extract(timers_.begin());
    due_.erase(node.key().second);
    node.mapped()();
  }
}

void NatsLoop::Run() {
  std::vector<Inbound> messages;
  std::vector<Closure> closures;
  while (Take(&messages, &closures)) {
    for (const Inbound& inbound : messages) {
      on_message_(inbound.receiver, inbound.message);
      natsMsg_Destroy(inbound.message);
    }
    messages.clear();
    for (Closure& closure : closures) closure();
    closures.clear();
    RunTimers();
  }
  timers_.clear();
}

}  // namespace quern::cluster
