#include "quern/cluster/embedded_store.h"

#include <utility>

#include "embedded_state.h"
#include "quern/cluster/embedded_control_plane.h"

namespace quern::cluster {
namespace {

EmbeddedReply Unreachable(const EmbeddedRequest& request) {
  const char* const why = "no connection to the store";
  if (std::holds_alternative<EmbeddedMutation>(request)) {
    return CasResult{CasOutcome::kUnsent, 0, why};
  }
  if (std::get<EmbeddedRead>(request).list) {
    return StatusOr<std::vector<Record>>(absl::UnavailableError(why));
  }
  return StatusOr<Record>(absl::UnavailableError(why));
}

}  // namespace

EmbeddedStoreState::Link& EmbeddedStoreState::link(std::string_view node) {
  const auto found = links_.find(node);
  return found != links_.end() ? found->second : links_[std::string(node)];
}

Duration EmbeddedStoreState::Latency() {
  const Duration spread = options_.latency_max - options_.latency_min;
  if (spread <= Duration::zero()) return options_.latency_min;
  const auto extra = random_->Below(static_cast<uint64_t>(spread.count()) + 1);
  return options_.latency_min + Duration(static_cast<Duration::rep>(extra));
}

EmbeddedFate EmbeddedStoreState::FateOf(Link& link) {
  if (!link.next_fates.empty()) {
    const EmbeddedFate fate = link.next_fates.front();
    link.next_fates.pop_front();
    return fate;
  }
  constexpr uint64_t kParts = 1'000'000;
  double left = static_cast<double>(random_->Below(kParts)) / static_cast<double>(kParts);
  const auto drawn = [&left](double share) {
    left -= share;
    return left < 0;
  };
  if (drawn(link.shares.unsent)) return EmbeddedFate::kUnsent;
  if (drawn(link.shares.applied_unanswered)) return EmbeddedFate::kAppliedUnanswered;
  if (drawn(link.shares.lost)) return EmbeddedFate::kLost;
  if (drawn(link.shares.applied_late)) return EmbeddedFate::kAppliedLate;
  return EmbeddedFate::kNormal;
}

void EmbeddedStoreState::Accept(std::weak_ptr<EmbeddedPlaneState> plane, const std::string& node,
                                uint64_t id, EmbeddedRequest request) {
  Duration latency;
  bool unsent = false;
  uint64_t cuts = 0;
  {
    absl::MutexLock lock(&mutex_);
    Link& to = link(node);
    cuts = to.cuts;
    latency = Latency();
    const bool mutation = std::holds_alternative<EmbeddedMutation>(request);
    const EmbeddedFate fate = mutation ? FateOf(to) : EmbeddedFate::kNormal;
    unsent = to.cut || fate == EmbeddedFate::kUnsent;
    if (!unsent) to.on_the_way.push_back({plane, node, id, std::move(request), fate});
  }
  if (unsent) {
    if (const auto to = plane.lock()) to->Answer(id, Unreachable(request), cuts, latency);
    return;
  }
  executor_.PostAfter(latency, [self = shared_from_this(), node] { self->ArriveOne(node); });
}

void EmbeddedStoreState::ArriveOne(const std::string& node) {
  Arrival arrival;
  {
    absl::MutexLock lock(&mutex_);
    Link& from = link(node);
    if (from.on_the_way.empty()) return;  // lost with its connection
    arrival = std::move(from.on_the_way.front());
    from.on_the_way.pop_front();
    if (from.stalled) {
      from.held.push_back(std::move(arrival));
      return;
    }
  }
  CarryOut(std::move(arrival));
}

void EmbeddedStoreState::CarryOut(Arrival arrival) {
  EmbeddedReply reply;
  Duration latency;
  uint64_t cuts = 0;
  {
    absl::MutexLock lock(&mutex_);
    Link& from = link(arrival.node);
    if (arrival.fate == EmbeddedFate::kLost) return;
    if (arrival.fate == EmbeddedFate::kAppliedLate) return ApplyLate(std::move(arrival));
    if (auto* mutation = std::get_if<EmbeddedMutation>(&arrival.request)) {
      reply = Apply(std::move(*mutation));
    } else {
      reply = Read(std::get<EmbeddedRead>(arrival.request), from);
    }
    if (arrival.fate == EmbeddedFate::kAppliedUnanswered || from.cut) return;
    latency = Latency();
    cuts = from.cuts;
  }
  if (const auto plane = arrival.plane.lock()) {
    plane->Answer(arrival.id, std::move(reply), cuts, latency);
  }
}

void EmbeddedStoreState::ApplyLate(Arrival arrival) {
  arrival.fate = EmbeddedFate::kAppliedUnanswered;
  executor_.PostAfter(options_.late_by,
                      [self = shared_from_this(), late = std::move(arrival)]() mutable {
                        self->CarryOut(std::move(late));
                      });
}

CasResult EmbeddedStoreState::Apply(EmbeddedMutation mutation) {
  WatchEvent event;
  event.kind = mutation.value ? WatchEvent::Kind::kPut : WatchEvent::Kind::kDeleted;
  event.record = {mutation.key, mutation.value.value_or(std::string()), 0};
  const Table table = mutation.table;
  CasResult result = records_.Apply(std::move(mutation));
  if (result.outcome == CasOutcome::kApplied) {
    event.record.revision = result.revision;
    Announce(event, table);
  }
  return result;
}

EmbeddedReply EmbeddedStoreState::Read(const EmbeddedRead& read, const Link& link) const {
  const EmbeddedRecords& records = link.stale ? *link.stale : records_;
  if (read.list) return StatusOr<std::vector<Record>>(records.List(read.table, read.key));
  std::optional<Record> record = records.Get(read.table, read.key);
  if (!record) return StatusOr<Record>(absl::NotFoundError("no record " + read.key));
  return StatusOr<Record>(*std::move(record));
}

void EmbeddedStoreState::Announce(const WatchEvent& event, Table table) {
  for (auto& [node, link] : links_) {
    std::erase_if(link.watches, [](const auto& watch) { return watch.expired(); });
    if (link.cut || link.deaf) continue;
    for (const auto& weak : link.watches) {
      const auto watch = weak.lock();
      if (watch && watch->Wants(table, event.record.key)) watch->Push(event, Latency());
    }
  }
}

void EmbeddedStoreState::ListInto(EmbeddedWatch& watch, bool after_gap) {
  if (after_gap) watch.Push({WatchEvent::Kind::kGap, {}}, Latency());
  for (Record& record : records_.List(watch.table_, watch.prefix_)) {
    watch.Push({WatchEvent::Kind::kPut, std::move(record)}, Latency());
  }
  watch.Push({WatchEvent::Kind::kInitialDone, {}}, Latency());
}

void EmbeddedStoreState::AddWatch(const std::string& node,
                                  const std::shared_ptr<EmbeddedWatch>& watch) {
  absl::MutexLock lock(&mutex_);
  Link& to = link(node);
  to.watches.push_back(watch);
  if (!to.cut) ListInto(*watch, /*after_gap=*/false);
}

void EmbeddedStoreState::SetLatency(Duration min, Duration max) {
  absl::MutexLock lock(&mutex_);
  options_.latency_min = min;
  options_.latency_max = max;
}

void EmbeddedStoreState::NextMutations(std::string_view node, EmbeddedFate fate, int count) {
  absl::MutexLock lock(&mutex_);
  link(node).next_fates.insert(link(node).next_fates.end(), static_cast<size_t>(count), fate);
}

void EmbeddedStoreState::SetFaultShares(std::string_view node, const EmbeddedFaultShares& shares) {
  absl::MutexLock lock(&mutex_);
  link(node).shares = shares;
}

void EmbeddedStoreState::Stall(std::string_view node, bool on) {
  std::deque<Arrival> held;
  {
    absl::MutexLock lock(&mutex_);
    Link& of = link(node);
    of.stalled = on;
    if (!on) held.swap(of.held);
  }
  for (Arrival& arrival : held) CarryOut(std::move(arrival));
}

void EmbeddedStoreState::CutOff(std::string_view node, bool on) {
  absl::MutexLock lock(&mutex_);
  Link& of = link(node);
  if (of.cut == on) return;
  of.cut = on;
  if (on) {
    ++of.cuts;
    of.on_the_way.clear();
  }
  for (const auto& weak : of.watches) {
    const auto watch = weak.lock();
    if (!watch) continue;
    if (on) {
      watch->DropQueue();
    } else {
      ListInto(*watch, /*after_gap=*/true);
    }
  }
}

void EmbeddedStoreState::ServeStaleReads(std::string_view node, bool on) {
  absl::MutexLock lock(&mutex_);
  link(node).stale = on ? std::make_unique<EmbeddedRecords>(records_) : nullptr;
}

void EmbeddedStoreState::Deafen(std::string_view node, bool on) {
  absl::MutexLock lock(&mutex_);
  link(node).deaf = on;
}

size_t EmbeddedStoreState::size(Table table) const {
  absl::MutexLock lock(&mutex_);
  return records_.List(table, "").size();
}

uint64_t EmbeddedStoreState::cuts(std::string_view node) {
  absl::MutexLock lock(&mutex_);
  return link(node).cuts;
}

EmbeddedStore::EmbeddedStore(Executor& executor, std::unique_ptr<Random> random,
                             EmbeddedStoreOptions options)
    : state_(std::make_shared<EmbeddedStoreState>(executor, std::move(random), options)) {}

EmbeddedStore::~EmbeddedStore() = default;

std::unique_ptr<EmbeddedControlPlane> EmbeddedStore::Connect(std::string node, Executor& executor) {
  return std::unique_ptr<EmbeddedControlPlane>(
      new EmbeddedControlPlane(state_, std::move(node), executor));
}

void EmbeddedStore::SetLatency(Duration min, Duration max) { state_->SetLatency(min, max); }
void EmbeddedStore::NextMutations(std::string_view node, EmbeddedFate fate, int count) {
  state_->NextMutations(node, fate, count);
}
void EmbeddedStore::SetFaultShares(std::string_view node, const EmbeddedFaultShares& shares) {
  state_->SetFaultShares(node, shares);
}
void EmbeddedStore::Stall(std::string_view node, bool on) { state_->Stall(node, on); }
void EmbeddedStore::CutOff(std::string_view node, bool on) { state_->CutOff(node, on); }
void EmbeddedStore::ServeStaleReads(std::string_view node, bool on) {
  state_->ServeStaleReads(node, on);
}
void EmbeddedStore::Deafen(std::string_view node, bool on) { state_->Deafen(node, on); }
size_t EmbeddedStore::size(Table table) const { return state_->size(table); }

}  // namespace quern::cluster
