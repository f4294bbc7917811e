#include "grain/local_grain_host.h"

#include <algorithm>
#include <utility>

#include "actor/call_chain.h"
#include "grain/shortcut.h"
#include "mailbox/envelope_extra.h"
#include "quern/runtime/check.h"
#include "quern/runtime/limits.h"
#include "quern/runtime/logger.h"
#include "scheduler/scheduler.h"
#include "scheduler/step_driver.h"
#include "system/system_core.h"

namespace quern::internal {
namespace {

ActivationInfo InfoOf(const Activation& activation) {
  return {activation.grain_id(), activation.epoch(), activation.state()};
}

Status Stopping() { return absl::UnavailableError("the system stops"); }

Status StaleOrder(const GrainId& id, const Epoch& epoch, const Epoch& last) {
  return WithReason(
      absl::AbortedError("activate " + id.ToString() + " at epoch " + epoch.ToString() +
                         ": epoch " + last.ToString() + " has been here"),
      Reason::kStaleEpoch);
}

// FAILED_PRECONDITION, ask_cycle: OnDeactivate waits for who asks here.
Status CheckCycle(const Activation& leaving, Envelope& envelope) {
  const CallChain* chain = envelope.is_ask() ? envelope.ask().chain : nullptr;
  if (chain == nullptr || !chain->Contains(leaving)) return absl::OkStatus();
  return CycleError(*chain, leaving.Path());
}

// How many may wait for a grain on its way out.
size_t WaitingMax(const GrainKind& kind) {
  const size_t capacity = kind.options.mailbox_capacity;
  return capacity == 0 ? kGrainWaitingMax : std::min(capacity, kGrainWaitingMax);
}

bool IsOfKind(const GrainId& id, std::string_view kind) { return kind.empty() || id.kind == kind; }

// The first `limit` grains behind `after`, whatever the order in which they are added: a heap with
// the highest on top, and one more, which says that there is another page.
class LowestGrains {
 public:
  explicit LowestGrains(const GrainListOptions& options)
      : options_(options), limit_(std::clamp<size_t>(options.limit, 1, kGrainPageMax)) {}

  bool Wants(const GrainId& id) const {
    if (!IsOfKind(id, options_.kind)) return false;
    if (options_.after.has_value() && id <= *options_.after) return false;
    return heap_.size() <= limit_ || id < heap_.front().id;
  }

  void Add(GrainInfo info) {
    if (!Wants(info.id)) return;
    heap_.push_back(std::move(info));
    std::ranges::push_heap(heap_, {}, &GrainInfo::id);
    if (heap_.size() <= limit_ + 1) return;
    std::ranges::pop_heap(heap_, {}, &GrainInfo::id);
    heap_.pop_back();
  }

  GrainPage Page() && {
    std::ranges::sort_heap(heap_, {}, &GrainInfo::id);
    GrainPage page;
    if (heap_.size() > limit_) {
      heap_.pop_back();
      page.next = heap_.back().id;
    }
    page.grains = std::move(heap_);
    return page;
  }

 private:
  const GrainListOptions& options_;
  const size_t limit_;
  std::vector<GrainInfo> heap_;
};

Status CheckOptions(const std::string& kind, const GrainOptions& options) {
  const auto wrong = [&](const char* what) {
    return absl::InvalidArgumentError("host " + kind + ": " + what);
  };
  if (options.idle_timeout <= Duration::zero() || options.state_timeout <= Duration::zero() ||
      options.activate_timeout <= Duration::zero()) {
    return wrong("a timeout must be positive (kNeverIdle: it stays)");
  }
  if (options.activate_tries < 1 || options.activate_tries > kActivateTriesMax) {
    return wrong("activate_tries is 1 to 100");
  }
  if (options.stateless_workers < 0 || options.stateless_workers > kStatelessWorkersMax) {
    return wrong("stateless_workers is 0 (an ordinary grain) to 1024");
  }
  if (std::ranges::count(options.filters, nullptr) != 0) return wrong("a filter is null");
  return absl::OkStatus();
}

void FailAll(std::vector<Envelope*> envelopes, const Status& why) {
  for (Envelope* envelope : envelopes) Message(envelope).Fail(why);
}

}  // namespace

std::unique_ptr<GrainHost> NewGrainHost(SystemCore& core) {
  return std::make_unique<LocalGrainHost>(core);
}

// Local epochs begin at the time of day, so that a store that outlives this process is never asked
// to accept one that it has seen.
LocalGrainHost::LocalGrainHost(SystemCore& core)
    : core_(core),
      visits_(core.scheduler().worker_count() + kSpareWorkersMax),
      pools_(core, *this),
      ended_(kEndedEpochsMax),
      local_epochs_(static_cast<uint64_t>(core.clock().WallNow().time_since_epoch().count())),
      serving_until_(kNever.time_since_epoch().count()) {}

LocalGrainHost::~LocalGrainHost() {
  absl::MutexLock lock(&live_mutex_);
  QUERN_CHECK(live_ == 0);
}

Status LocalGrainHost::Host(const GrainType& type, GrainOptions options) {
  auto kind = std::make_unique<GrainKind>();
  kind->kind = options.kind.empty() ? std::string(type.kind) : options.kind;
  if (Status valid = GrainId(kind->kind, "key").Validate(); !valid.ok()) return valid;
  if (Status valid = CheckOptions(kind->kind, options); !valid.ok()) return valid;
  if (stopping_.load(std::memory_order_acquire)) return Stopping();
  kind->type = type;
  kind->state_store = options.state_store != nullptr ? options.state_store : core_.state_store();
  kind->options = std::move(options);
  const bool stateless = kind->options.stateless_workers > 0;
  absl::MutexLock lock(&kinds_mutex_);
  const std::string name = kind->kind;
  if (!kinds_.try_emplace(name, std::move(kind)).second) {
    return absl::AlreadyExistsError("host " + name +
                                    ": hosted already; another class needs a kind of its own in "
                                    "GrainOptions");
  }
  if (stateless) {
    has_pools_.store(true, std::memory_order_release);
    core_.NoteStatelessKind();
  }
  return absl::OkStatus();
}

const GrainKind* LocalGrainHost::FindStateless(std::string_view kind) const {
  if (!has_pools_.load(std::memory_order_acquire)) return nullptr;
  const GrainKind* hosted = FindKind(kind);
  return hosted != nullptr && hosted->options.stateless_workers > 0 ? hosted : nullptr;
}

bool LocalGrainHost::IsStateless(std::string_view kind) const {
  return FindStateless(kind) != nullptr;
}

const GrainKind* LocalGrainHost::FindKind(std::string_view kind) const {
  absl::MutexLock lock(&kinds_mutex_);
  const auto found = kinds_.find(kind);
  return found == kinds_.end() ? nullptr : found->second.get();
}

std::vector<std::string> LocalGrainHost::HostedKinds() const {
  std::vector<std::string> names;
  absl::MutexLock lock(&kinds_mutex_);
  for (const auto& [name, kind] : kinds_) names.push_back(name);
  return names;
}

const WireTable* LocalGrainHost::WireTableOf(std::string_view kind) const {
  const GrainKind* hosted = FindKind(kind);
  return hosted == nullptr ? nullptr : hosted->type.wire;
}

Epoch LocalGrainHost::NextLocalEpoch() {
  return Epoch{.counter = local_epochs_.fetch_add(1, std::memory_order_relaxed) + 1};
}

StatusOr<LocalGrainHost::Entry*> LocalGrainHost::Begin(Shard& shard, const GrainKey& key,
                                                       const Epoch& epoch,
                                                       const std::vector<Envelope*>& first) {
  // Stop() sets this before it looks into the shards: none that begins is overlooked.
  if (stopping_.load(std::memory_order_acquire)) return Stopping();
  const GrainKind* kind = FindKind(key.id->kind);
  if (kind == nullptr) {
    return absl::NotFoundError("kind " + key.id->kind +
                               " is not hosted here: call System::Host<...>() first");
  }
  if (Status valid = key.id->Validate(); !valid.ok()) return valid;
  {
    absl::MutexLock lock(&live_mutex_);
    ++live_;
  }
  auto* activation = new Activation(this, &core_, kind, *key.id, epoch);
  Entry& entry = shard.Insert(CellPtr<Activation>::Adopt(activation), key.hash);
  core_.sender_epochs().Raise(*key.id, epoch);
  activation->TakeFirst(first);
  activation->Begin();
  return &entry;
}

Delivery LocalGrainHost::RouteLocal(const GrainId& id, Message message, Shortcut& shortcut) {
  if (const GrainKind* stateless = FindStateless(id.kind); stateless != nullptr) [[unlikely]] {
    return pools_.Route(*stateless, id, std::move(message));
  }
  const GrainKey key(id);
  Shard& shard = table_.ShardOf(key);
  for (;;) {
    CellPtr<Activation> activation;
    Status refused;
    {
      absl::MutexLock lock(&shard.mutex);
      Entry* entry = shard.Find(key);
      if (entry == nullptr) {
        // The message goes in first: an activation that fails at once answers it.
        StatusOr<Entry*> begun = Begin(shard, key, NextLocalEpoch(), {message.get()});
        if (begun.ok()) {
          std::move(message).release();
          return Delivery::kAccepted;
        }
        refused = begun.status();
      } else if (entry->activation->state() != ActivationState::kDeactivating) {
        activation = entry->activation;
      } else if (Status cycle = CheckCycle(*entry->activation, *message.get()); !cycle.ok()) {
        refused = std::move(cycle);
      } else if (Next& next = entry->NextOf();
                 next.messages.size() < WaitingMax(entry->activation->kind())) {
        next.messages.push_back(std::move(message).release());
        return Delivery::kAccepted;
      } else {
        refused = absl::ResourceExhaustedError(id.ToString() + ": too many wait for it to return");
      }
    }
    if (!refused.ok()) {
      const bool full = refused.code() == absl::StatusCode::kResourceExhausted;
      std::move(message).Fail(std::move(refused));
      return full ? Delivery::kFull : Delivery::kStopped;
    }
    if (const std::optional<Delivery> taken = activation->Offer(message.get())) {
      std::move(message).release();
      shortcut.LeadTo(std::move(activation));
      return *taken;
    }
    // It began to deactivate meanwhile: look again.
  }
}

GrainDelivery LocalGrainHost::DeliverToGrain(const GrainId& id,
                                             const std::optional<Epoch>& expected, Message& message,
                                             Passage passage) {
  using Outcome = GrainDelivery::Outcome;
  const CellPtr<Activation> activation = FindActivation(id);
  const Epoch here = activation ? activation->epoch() : ended_.Highest(id);
  if (Fenced()) {
    std::move(message).Fail(absl::UnavailableError(id.ToString() + ": this node has no lease now"));
    return {Outcome::kRefused, here};
  }
  if (!activation) return {Outcome::kNotHere, here};
  if (activation->state() == ActivationState::kDeactivating) {
    Status cycle = CheckCycle(*activation, *message.get());
    if (cycle.ok()) return {Outcome::kNotHere, here};
    std::move(message).Fail(std::move(cycle));
    return {Outcome::kRefused, here};
  }
  if (expected.has_value() && *expected != here) return {Outcome::kStale, here};
  if (passage == Passage::kFromNowOn) GivePassage(*message.get(), activation);
  const std::optional<Delivery> taken = activation->Offer(message.get());
  if (!taken.has_value()) return {Outcome::kNotHere, here};
  std::move(message).release();
  return {*taken == Delivery::kAccepted ? Outcome::kAccepted : Outcome::kRefused, here};
}

void LocalGrainHost::GivePassage(const Envelope& envelope, const CellPtr<Activation>& activation) {
  const EnvelopeExtra* extra = FindExtra(envelope);
  if (extra == nullptr || extra->shortcut == nullptr) return;
  activation->SetPassage(core_.router_number());
  extra->shortcut->LeadTo(activation);
}

void LocalGrainHost::Recall(const GrainId& id) {
  if (const CellPtr<Activation> activation = FindActivation(id)) activation->SetPassage(0);
}

CellPtr<Activation> LocalGrainHost::FindActivation(const GrainId& id) {
  const GrainKey key(id);
  Shard& shard = table_.ShardOf(key);
  absl::MutexLock lock(&shard.mutex);
  Entry* entry = shard.Find(key);
  return entry == nullptr ? CellPtr<Activation>() : entry->activation;
}

void LocalGrainHost::Activate(const GrainId& id, const Epoch& epoch,
                              std::function<void(StatusOr<ActivationInfo>)> done) {
  if (Fenced()) {
    done(absl::UnavailableError("activate " + id.ToString() + ": this node has no lease now"));
    return;
  }
  if (stopping_.load(std::memory_order_acquire)) {
    done(Stopping());
    return;
  }
  const GrainKey key(id);
  Shard& shard = table_.ShardOf(key);
  StatusOr<ActivationInfo> answer = absl::UnknownError("");
  {
    absl::MutexLock lock(&shard.mutex);
    Entry* entry = shard.Find(key);
    if (entry == nullptr) {
      if (const Epoch last = ended_.Highest(id); epoch <= last) {
        answer = StaleOrder(id, epoch, last);
      } else if (StatusOr<Entry*> begun = Begin(shard, key, epoch, {}); begun.ok()) {
        (*begun)->waiting.push_back(std::move(done));
        return;
      } else {
        answer = begun.status();
      }
    } else if (entry->activation->state() == ActivationState::kActive) {
      answer = InfoOf(*entry->activation);
    } else if (entry->activation->state() == ActivationState::kActivating) {
      entry->waiting.push_back(std::move(done));
      return;
    } else {
      entry->NextOf().orders.push_back({epoch, std::move(done)});
      return;
    }
  }
  done(std::move(answer));
}

void LocalGrainHost::OnActivated(Activation& activation) {
  std::vector<ActivationTable::ActivateDone> waiting;
  {
    const GrainKey key(activation.grain_id());
    Shard& shard = table_.ShardOf(key);
    absl::MutexLock lock(&shard.mutex);
    waiting = std::exchange(shard.Find(key)->waiting, {});
  }
  for (auto& done : waiting) done(InfoOf(activation));
}

void LocalGrainHost::OnEnded(Activation& activation, std::vector<Envelope*> unhandled) {
  const GrainId id = activation.grain_id();
  const GrainKey key(id);
  Router* router = core_.router();
  const bool was_active = activation.was_active();
  const Status outcome = activation.outcome();
  Next next;
  Entry ended;
  Status not_begun;
  {
    Shard& shard = table_.ShardOf(key);
    absl::MutexLock lock(&shard.mutex);
    ended = shard.Remove(key);
    if (was_active) ended_.Raise(id, activation.epoch());
    if (ended.next != nullptr) next = std::move(*ended.next);
    // Those of an activation that never came to be share its fate; the others are routed again, in
    // order, before anything newer.
    if (was_active) {
      next.messages.insert(next.messages.begin(), unhandled.begin(), unhandled.end());
      unhandled.clear();
    }
    not_begun = BeginNext(shard, key, router == nullptr, &next);
  }
  FailAll(std::move(unhandled), outcome);
  for (auto& done : ended.waiting) done(outcome);
  for (auto& order : next.orders) order.done(not_begun);
  if (router != nullptr && was_active) router->OnDeactivated(id, activation.epoch());
  if (router == nullptr || stopping_.load(std::memory_order_acquire)) {
    FailAll(std::move(next.messages), not_begun.ok() ? Stopping() : not_begun);
  } else {
    for (Envelope* envelope : next.messages) router->RouteGrain(id, Message(envelope));
  }
  NoteGone();
}

Status LocalGrainHost::BeginNext(Shard& shard, const GrainKey& key, bool local, Next* next) {
  Epoch epoch;
  for (const auto& order : next->orders) epoch = std::max(epoch, order.epoch);
  if (next->orders.empty()) {
    if (!local || next->messages.empty()) return absl::OkStatus();
    epoch = NextLocalEpoch();
  } else if (const Epoch last = ended_.Highest(*key.id); epoch <= last) {
    return StaleOrder(*key.id, epoch, last);
  }
  std::vector<Envelope*> first;
  if (local) first.swap(next->messages);
  StatusOr<Entry*> begun = Begin(shard, key, epoch, first);
  if (!begun.ok()) {
    next->messages.insert(next->messages.end(), first.begin(), first.end());
    return begun.status();
  }
  for (auto& order : std::exchange(next->orders, {})) {
    (*begun)->waiting.push_back(std::move(order.done));
  }
  return absl::OkStatus();
}

Status LocalGrainHost::Deactivate(const GrainId& id, Status why) {
  if (FindStateless(id.kind) != nullptr && pools_.Deactivate(id, why)) return absl::OkStatus();
  const CellPtr<Activation> activation = FindActivation(id);
  if (!activation) {
    return absl::NotFoundError("deactivate " + id.ToString() + ": it is not active here");
  }
  activation->RequestEnd(std::move(why));
  return absl::OkStatus();
}

std::vector<ActivationInfo> LocalGrainHost::Activations() const {
  std::vector<ActivationInfo> all;
  for (const Shard& shard : table_.shards()) {
    absl::MutexLock lock(&shard.mutex);
    for (const auto& [key, entry] : shard.entries) all.push_back(InfoOf(*entry.activation));
  }
  return all;
}

std::optional<GrainInfo> LocalGrainHost::Peek(const GrainId& id) {
  if (FindStateless(id.kind) != nullptr) return pools_.Peek(id);
  const CellPtr<Activation> activation = FindActivation(id);
  if (!activation) return std::nullopt;
  return activation->Info();
}

GrainPage LocalGrainHost::List(const GrainListOptions& options) const {
  LowestGrains lowest(options);
  for (GrainInfo& info : pools_.List(options.kind)) lowest.Add(std::move(info));
  for (const Shard& shard : table_.shards()) {
    absl::MutexLock lock(&shard.mutex);
    for (const auto& [key, entry] : shard.entries) {
      if (lowest.Wants(*key.id)) lowest.Add(entry.activation->Info());
    }
  }
  return std::move(lowest).Page();
}

size_t LocalGrainHost::Count(std::string_view kind) const {
  size_t count = pools_.Count(kind);
  for (const Shard& shard : table_.shards()) {
    absl::MutexLock lock(&shard.mutex);
    if (kind.empty()) {
      count += shard.entries.size();
      continue;
    }
    for (const auto& [key, entry] : shard.entries) count += IsOfKind(*key.id, kind) ? 1 : 0;
  }
  return count;
}

void LocalGrainHost::SetServingUntil(Time until) {
  serving_until_.store(until.time_since_epoch().count(), std::memory_order_release);
}

bool LocalGrainHost::ServesAt(Time now) const {
  return now < Time(Duration(serving_until_.load(std::memory_order_acquire)));
}

bool LocalGrainHost::Fenced() const {
  const Time until{Duration(serving_until_.load(std::memory_order_acquire))};
  return until != kNever && core_.clock().Now() >= until;
}

void LocalGrainHost::NoteGone() {
  absl::MutexLock lock(&live_mutex_);
  --live_;
}

void LocalGrainHost::Stop() {
  stopping_.store(true, std::memory_order_release);
  for (Shard& shard : table_.shards()) {
    std::vector<CellPtr<Activation>> here;
    {
      absl::MutexLock lock(&shard.mutex);
      for (const auto& [key, entry] : shard.entries) here.push_back(entry.activation);
    }
    for (const auto& activation : here) {
      activation->RequestEnd(
          WithReason(absl::CancelledError("the system stops"), Reason::kCancelled));
      activation->RequestStop();
    }
  }
  pools_.BeginStop();
  if (StepDriver* driver = StepDriver::OfThread(); driver != nullptr) {
    driver->RunUntilCertainly([this] {
      absl::MutexLock lock(&live_mutex_);
      return live_ == 0 && pools_.empty();
    });
  }
  pools_.AwaitEnd();
  absl::MutexLock lock(&live_mutex_);
  live_mutex_.Await(absl::Condition(+[](int64_t* live) { return *live == 0; }, &live_));
}

}  // namespace quern::internal
