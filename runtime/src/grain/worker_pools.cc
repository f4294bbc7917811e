#include "grain/worker_pools.h"

#include <algorithm>
#include <utility>

#include "system/system_core.h"

namespace quern::internal {
namespace {

Status Stopping() { return absl::UnavailableError("the system stops"); }

bool Takes(const CellPtr<Activation>& member) {
  return member->state() != ActivationState::kDeactivating;
}

}  // namespace

bool WorkerPools::Fenced() const { return host_.Fenced(); }

CellPtr<Activation> WorkerPools::Choose(Pool& pool, int workers_max) {
  const auto& members = pool.members;
  int here = 0;
  for (const CellPtr<Activation>& member : members) {
    if (!Takes(member)) continue;
    if (member->messages() == 0) return member;
    ++here;
  }
  if (here < workers_max) return {};
  for (size_t looked = 0; looked < members.size(); ++looked) {
    const CellPtr<Activation>& next = members[pool.turn++ % members.size()];
    if (Takes(next)) return next;
  }
  return {};  // all began to leave just now
}

void WorkerPools::Begin(Pool& pool, const GrainKind& kind, const GrainId& id, Envelope* first) {
  auto* activation = new Activation(this, &core_, &kind, id, Epoch());
  pool.members.push_back(CellPtr<Activation>::Adopt(activation));
  activation->Offer(first);  // it has not begun, so it takes it
  activation->Begin();
}

Delivery WorkerPools::Route(const GrainKind& kind, const GrainId& id, Message message) {
  for (;;) {
    CellPtr<Activation> member;
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) break;
      Pool& pool = pools_[id];
      member = Choose(pool, kind.options.stateless_workers);
      if (!member) {
        Begin(pool, kind, id, std::move(message).release());
        return Delivery::kAccepted;
      }
    }
    if (const std::optional<Delivery> taken = member->Offer(message.get())) {
      std::move(message).release();
      return *taken;
    }
    // It began to deactivate meanwhile: look again.
  }
  std::move(message).Fail(Stopping());
  return Delivery::kStopped;
}

void WorkerPools::OnEnded(Activation& activation, std::vector<Envelope*> unhandled) {
  const GrainKind& kind = activation.kind();
  const GrainId id = activation.grain_id();
  const bool was_active = activation.was_active();
  const Status outcome = activation.outcome();
  // What it did not run another may, unless it never came to be: then they share its fate.
  for (Envelope* envelope : unhandled) {
    if (was_active) {
      Route(kind, id, Message(envelope));
    } else {
      Message(envelope).Fail(outcome);
    }
  }
  CellPtr<Activation> ended;
  absl::MutexLock lock(&mutex_);
  const auto pool = pools_.find(id);
  auto& members = pool->second.members;
  const auto member = std::ranges::find(members, &activation, &CellPtr<Activation>::get);
  ended = std::move(*member);
  members.erase(member);
  if (members.empty()) pools_.erase(pool);
}

bool WorkerPools::Deactivate(const GrainId& id, const Status& why) {
  absl::MutexLock lock(&mutex_);
  const auto pool = pools_.find(id);
  if (pool == pools_.end()) return false;
  for (const auto& member : pool->second.members) member->RequestEnd(why);
  return true;
}

GrainInfo WorkerPools::InfoOf(const Pool& pool) {
  GrainInfo info = pool.members.front()->Info();
  info.workers = pool.members.size();
  info.messages = 0;
  for (const auto& member : pool.members) {
    info.messages += member->messages();
    info.idle = std::min(info.idle, member->Info().idle);
  }
  return info;
}

std::optional<GrainInfo> WorkerPools::Peek(const GrainId& id) const {
  absl::MutexLock lock(&mutex_);
  const auto pool = pools_.find(id);
  if (pool == pools_.end()) return std::nullopt;
  return InfoOf(pool->second);
}

std::vector<GrainInfo> WorkerPools::List(std::string_view kind) const {
  std::vector<GrainInfo> all;
  absl::MutexLock lock(&mutex_);
  for (const auto& [id, pool] : pools_) {
    if (kind.empty() || id.kind == kind) all.push_back(InfoOf(pool));
  }
  return all;
}

size_t WorkerPools::Count(std::string_view kind) const {
  size_t count = 0;
  absl::MutexLock lock(&mutex_);
  for (const auto& [id, pool] : pools_) {
    if (kind.empty() || id.kind == kind) count += pool.members.size();
  }
  return count;
}

void WorkerPools::BeginStop() {
  absl::MutexLock lock(&mutex_);
  stopping_ = true;
  for (const auto& [id, pool] : pools_) {
    for (const auto& member : pool.members) member->RequestStop();
  }
}

bool WorkerPools::empty() const {
  absl::MutexLock lock(&mutex_);
  return pools_.empty();
}

void WorkerPools::AwaitEnd() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(+[](decltype(pools_)* pools) { return pools->empty(); }, &pools_));
}

}  // namespace quern::internal
