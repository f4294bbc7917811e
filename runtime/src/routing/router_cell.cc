#include "routing/router_cell.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>
#include <xxhash.h>

#include "actor/actor_cell.h"
#include "actor/dead_letters.h"
#include "actor/mailbox_cell.h"
#include "mailbox/envelope_extra.h"
#include "quern/runtime/actor.h"
#include "quern/runtime/limits.h"
#include "routing/first_answer.h"
#include "system/system_core.h"

namespace quern::internal {
namespace {

uint64_t Hash(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

// The actor of the router's name: the parent of its routees.
struct PoolApi : Protocol<> {};
struct Pool : Actor<PoolApi> {};

Status Validate(const RouterOptions& options, std::string_view name, size_t size) {
  const auto refuse = [&](auto... what) {
    return absl::InvalidArgumentError(
        absl::StrCat("router ", absl::string_view(name.data(), name.size()), ": ", what...));
  };
  if (size < 1 || size > kRouteesMax) {
    return refuse("it has 1 to ", kRouteesMax, " routees, not ", size);
  }
  if (options.strategy == Routing::kConsistentHash && !options.key) {
    return refuse("consistent hashing needs a key: RouterOptions::key, made by RouteBy()");
  }
  if (options.virtual_nodes < 1 || options.virtual_nodes > kVirtualNodesMax) {
    return refuse("virtual_nodes is 1 to ", kVirtualNodesMax);
  }
  if (options.interval <= Duration::zero()) return refuse("interval must be above zero");
  return absl::OkStatus();
}

}  // namespace

bool Routee::alive() const { return local == nullptr || !local->closed(); }

// While one exists, no table that was current during its life is freed.
class RouterCell::Reading {
 public:
  explicit Reading(RouterCell& router) : router_(router) {
    router_.readers_.fetch_add(1, std::memory_order_seq_cst);
    table_ = router_.table_.load(std::memory_order_seq_cst);
  }
  ~Reading() { router_.readers_.fetch_sub(1, std::memory_order_seq_cst); }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  const Table& table() const { return *table_; }

 private:
  RouterCell& router_;
  const Table* table_;
};

RouterCell::RouterCell(SystemCore* core, CellPtr<Cell> parent, std::string path,
                       const RouterOptions& options, const RouteType& type, RouteeSpawner spawner)
    : Cell(SystemCore::NextCellId()),
      core_(core),
      parent_(std::move(parent)),
      path_(std::move(path)),
      options_(options),
      type_(type),
      spawner_(std::move(spawner)),
      random_(core->random().Fork("router " + path_)) {
  core_->AddRef();
  absl::MutexLock lock(&mutex_);
  Replace({});
}

RouterCell::~RouterCell() {
  delete table_.load(std::memory_order_acquire);
  core_->Release();
}

std::unique_ptr<RouterCell::Table> RouterCell::NewTable(std::vector<Routee> routees) const {
  auto table = std::make_unique<Table>();
  table->routees = std::move(routees);
  if (options_.strategy != Routing::kConsistentHash) return table;
  for (uint32_t i = 0; i < table->routees.size(); ++i) {
    // By number, not by path: the same pool spreads its keys alike under any name and everywhere.
    const Routee& routee = table->routees[i];
    const std::string id = routee.number != 0 ? absl::StrCat(routee.number) : routee.cell->Path();
    for (int v = 0; v < options_.virtual_nodes; ++v) {
      table->ring.emplace_back(Hash(absl::StrCat(id, "#", v)), i);
    }
  }
  std::sort(table->ring.begin(), table->ring.end());
  return table;
}

void RouterCell::Replace(std::vector<Routee> routees) {
  const Table* old =
      table_.exchange(NewTable(std::move(routees)).release(), std::memory_order_seq_cst);
  if (old != nullptr) retired_.emplace_back(old);
  // Who comes now reads the new one.
  if (readers_.load(std::memory_order_seq_cst) == 0) retired_.clear();
}

std::vector<Routee> RouterCell::Living() {
  std::vector<Routee> living = table_.load(std::memory_order_acquire)->routees;
  std::erase_if(living, [](const Routee& routee) { return !routee.alive(); });
  return living;
}

std::vector<CellPtr<Cell>> RouterCell::LivingRoutees() {
  absl::MutexLock lock(&mutex_);
  std::vector<CellPtr<Cell>> cells;
  for (Routee& routee : Living()) cells.push_back(std::move(routee.cell));
  return cells;
}

Status RouterCell::AddGiven(std::vector<CellPtr<Cell>> cells) {
  std::vector<Routee> routees;
  for (CellPtr<Cell>& cell : cells) {
    if (!cell) return absl::InvalidArgumentError(absl::StrCat(path_, ": an empty Ref"));
    const auto* local = dynamic_cast<const MailboxCell*>(cell.get());
    routees.push_back({std::move(cell), local, 0, std::make_shared<RouteLoad>(0)});
  }
  absl::MutexLock lock(&mutex_);
  Replace(std::move(routees));
  return absl::OkStatus();
}

Status RouterCell::Resize(int64_t delta) {
  if (spawner_ == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("resize ", path_, ": its routees were given, not spawned"));
  }
  std::vector<CellPtr<Cell>> leaving;
  {
    absl::MutexLock lock(&mutex_);
    std::vector<Routee> routees = Living();
    const int64_t size = static_cast<int64_t>(routees.size()) + delta;
    if (size < 1 || size > static_cast<int64_t>(kRouteesMax)) {
      return absl::InvalidArgumentError(
          absl::StrCat("resize ", path_, " to ", size, " routees: it has 1 to ", kRouteesMax));
    }
    for (; delta > 0; --delta) {
      const uint64_t number = ++last_number_;
      StatusOr<CellPtr<Cell>> cell = spawner_(parent_.get(), options_.routee, absl::StrCat(number));
      if (!cell.ok()) {
        Replace(std::move(routees));
        return cell.status();
      }
      const auto* local = dynamic_cast<const MailboxCell*>(cell->get());
      routees.push_back({*std::move(cell), local, number, std::make_shared<RouteLoad>(0)});
    }
    for (; delta < 0; ++delta) {
      leaving.push_back(std::move(routees.back().cell));
      routees.pop_back();
    }
    Replace(std::move(routees));
  }
  for (const CellPtr<Cell>& cell : leaving) cell->RequestStop();
  return absl::OkStatus();
}

void RouterCell::RequestStop() {
  if (parent_) parent_->RequestStop();
}

Delivery RouterCell::Post(Envelope* envelope) {
  if (core_->stopped()) {
    DropEnvelope(envelope, absl::UnavailableError(path_ + ": the system has stopped"));
    return Delivery::kStopped;
  }
  Reading reading(*this);
  const Table& table = reading.table();
  if (table.routees.empty()) return NoRoutees(envelope);
  switch (options_.strategy) {
    case Routing::kRoundRobin:
      return ToOneFrom(envelope, table, next_.fetch_add(1, std::memory_order_relaxed));
    case Routing::kRandom:
      return ToOneFrom(envelope, table, RandomBelow(table.routees.size()));
    case Routing::kConsistentHash:
      return ByKey(envelope, table);
    case Routing::kLeastMailbox:
      return ToLeast(envelope, table);
    case Routing::kFanOut:
      if (!envelope->is_ask()) return ToAll(envelope, table);
      return CannotCopy(envelope, "a fan-out is told, not asked; kScatterGatherFirst answers");
    case Routing::kScatterGatherFirst:
      return envelope->is_ask() ? Gather(envelope, table) : ToAll(envelope, table);
    case Routing::kTailChopping:
      if (envelope->is_ask()) return Chop(envelope, table);
      return ToOneFrom(envelope, table, RandomBelow(table.routees.size()));
  }
  return NoRoutees(envelope);
}

Delivery RouterCell::Forward(Envelope* envelope, const Routee& routee) {
  return routee.cell->Post(envelope);
}

// The first that lives, from `first` on.
Delivery RouterCell::ToOneFrom(Envelope* envelope, const Table& table, uint64_t first) {
  const size_t size = table.routees.size();
  for (size_t i = 0; i < size; ++i) {
    const Routee& routee = table.routees[(first + i) % size];
    if (!routee.alive()) continue;
    if (i > 0) Prune();
    return Forward(envelope, routee);
  }
  return NoRoutees(envelope);
}

// The caller still reads the table that goes: it is freed later.
void RouterCell::Prune() {
  if (!mutex_.TryLock()) return;
  Replace(Living());
  mutex_.Unlock();
}

Delivery RouterCell::ByKey(Envelope* envelope, const Table& table) {
  const RouteKey::Entry* entry = options_.key.Find(envelope->signature);
  if (entry == nullptr) {
    return ToOneFrom(envelope, table, next_.fetch_add(1, std::memory_order_relaxed));
  }
  std::string key;
  {
    std::unique_ptr<Envelope, void (*)(Envelope*)> guard(envelope, [](Envelope* e) {
      DropEnvelope(e, absl::UnknownError("the router's key function threw"));
    });
    key = entry->key(envelope->message());
    guard.release();
  }
  auto at = std::lower_bound(table.ring.begin(), table.ring.end(),
                             std::pair<uint64_t, uint32_t>(Hash(key), 0));
  for (size_t i = 0; i < table.ring.size(); ++i, ++at) {
    if (at == table.ring.end()) at = table.ring.begin();
    const Routee& routee = table.routees[at->second];
    if (routee.alive()) return Forward(envelope, routee);
  }
  return NoRoutees(envelope);
}

// Ties go round, so that an idle pool is used evenly.
Delivery RouterCell::ToLeast(Envelope* envelope, const Table& table) {
  const size_t size = table.routees.size();
  const uint64_t first = next_.fetch_add(1, std::memory_order_relaxed);
  const Routee* least = nullptr;
  int64_t least_load = 0;
  for (size_t i = 0; i < size; ++i) {
    const Routee& routee = table.routees[(first + i) % size];
    if (!routee.alive()) continue;
    const int64_t load = routee.load->load(std::memory_order_relaxed);
    if (least != nullptr && load >= least_load) continue;
    least = &routee;
    least_load = load;
    if (load == 0) break;
  }
  if (least == nullptr) return NoRoutees(envelope);
  least->load->fetch_add(1, std::memory_order_relaxed);
  std::shared_ptr<RouteLoad>& counted = ExtraOf(*envelope).load;
  if (counted != nullptr) counted->fetch_sub(1, std::memory_order_relaxed);  // a router before us
  counted = least->load;
  return Forward(envelope, *least);
}

Delivery RouterCell::ToAll(Envelope* envelope, const Table& table) {
  const RouteEntry* entry = type_.Find(envelope->signature);
  if (entry == nullptr || entry->copy == nullptr) {
    return CannotCopy(envelope, "its message cannot be copied");
  }
  std::unique_ptr<Envelope, void (*)(Envelope*)> original(
      envelope, [](Envelope* e) { DropEnvelope(e, absl::OkStatus()); });
  bool accepted = false;
  bool living = false;
  for (const Routee& routee : table.routees) {
    if (!routee.alive()) continue;
    living = true;
    Envelope* copy = entry->copy(envelope->message(), /*ask=*/false);
    copy->sender_id = SenderIdOf(*envelope);
    if (Forward(copy, routee) == Delivery::kAccepted) accepted = true;
  }
  if (!living) return NoRoutees(original.release());
  return accepted ? Delivery::kAccepted : Delivery::kStopped;
}

Delivery RouterCell::Gather(Envelope* envelope, const Table& table) {
  const RouteEntry* entry = type_.Find(envelope->signature);
  if (entry == nullptr || entry->copy == nullptr) {
    return CannotCopy(envelope, "its message cannot be copied");
  }
  std::vector<CellPtr<Cell>> living;
  for (const Routee& routee : table.routees) {
    if (routee.alive()) living.push_back(routee.cell);
  }
  if (living.empty()) return NoRoutees(envelope);
  std::make_shared<FirstAnswer>(core_, envelope, *entry, std::move(living))->AskAll();
  return Delivery::kAccepted;
}

Delivery RouterCell::Chop(Envelope* envelope, const Table& table) {
  const RouteEntry* entry = type_.Find(envelope->signature);
  if (entry == nullptr || entry->copy == nullptr) {
    return CannotCopy(envelope, "its message cannot be copied");
  }
  std::vector<CellPtr<Cell>> living;
  for (const Routee& routee : table.routees) {
    if (routee.alive()) living.push_back(routee.cell);
  }
  if (living.empty()) return NoRoutees(envelope);
  for (size_t i = living.size(); i > 1; --i) std::swap(living[i - 1], living[RandomBelow(i)]);
  std::make_shared<FirstAnswer>(core_, envelope, *entry, std::move(living))
      ->AskEvery(options_.interval);
  return Delivery::kAccepted;
}

Delivery RouterCell::NoRoutees(Envelope* envelope) {
  DeadLetterFor(*envelope,
                core_->stopping() ? DeadLetterReason::kSystemStopping : DeadLetterReason::kNotFound,
                "no routees");
  DropEnvelope(envelope, absl::UnavailableError(path_ + " has no routees"));
  return Delivery::kStopped;
}

Delivery RouterCell::CannotCopy(Envelope* envelope, const char* why) {
  DeadLetterFor(*envelope, DeadLetterReason::kUnhandled, why);
  DropEnvelope(envelope, absl::FailedPreconditionError(absl::StrCat(path_, ": ", why)));
  return Delivery::kStopped;
}

// An ask is told by its answer.
void RouterCell::DeadLetterFor(const Envelope& envelope, DeadLetterReason reason, const char* why) {
  if (envelope.is_ask()) return;
  core_->dead_letters().Add({.reason = reason,
                             .target = path_,
                             .message = envelope.signature->message_name,
                             .sender_id = SenderIdOf(envelope),
                             .why = why});
}

uint64_t RouterCell::RandomBelow(uint64_t bound) {
  TinyLockHolder lock(random_lock_);
  return random_->Below(bound);
}

StatusOr<CellPtr<Cell>> SpawnRoutee(Cell* parent, const SpawnRequest& request) {
  auto cell = ActorCell::Spawn(static_cast<ActorCell*>(parent), request);
  if (!cell.ok()) return cell.status();
  return CellPtr<Cell>::Adopt(cell->release());
}

StatusOr<CellPtr<Cell>> NewRouter(SystemCore* core, std::string_view name,
                                  const RouterOptions& options, const RouteType& type,
                                  RouteeSpawner spawner, std::vector<CellPtr<Cell>> given) {
  const bool spawns = spawner != nullptr;
  const size_t size = spawns ? options.size : given.size();
  if (Status valid = Validate(options, name, size); !valid.ok()) return valid;
  // An option that its cell keeps: with room for that it closes its family when it is stopped, and
  // a routee that comes too late is refused.
  const SpawnOptions kept{.start_tries = 1};
  StatusOr<Ref<PoolApi>> pool = Spawn<Pool>(core, nullptr, &kept, name);
  if (!pool.ok()) return pool.status();
  const std::string path = pool->path();
  auto* router = new RouterCell(core, pool->cell(), path, options, type, std::move(spawner));
  auto cell = CellPtr<Cell>::Adopt(router);
  Status added =
      spawns ? router->Resize(static_cast<int64_t>(size)) : router->AddGiven(std::move(given));
  if (!added.ok()) {
    pool->Stop();
    return added;
  }
  return cell;
}

Status ResizeRouter(Cell* router, int delta) {
  if (router == nullptr) return absl::NotFoundError("resize an empty RouterRef");
  return static_cast<RouterCell*>(router)->Resize(delta);
}

std::vector<CellPtr<Cell>> RouteesOf(Cell* router) {
  if (router == nullptr) return {};
  return static_cast<RouterCell*>(router)->LivingRoutees();
}

}  // namespace quern::internal
