// What stands behind a RouterRef: a cell that is no actor. Its Post() runs on the sender's thread
// and hands the envelope to a routee, so a router is never a bottleneck. Its routees are children
// of an actor of the router's name, which does nothing but give them a place in the tree.
//
// The table of routees is read without a lock and replaced whole (under one).

#ifndef QUERN_RUNTIME_SRC_ROUTING_ROUTER_CELL_H_
#define QUERN_RUNTIME_SRC_ROUTING_ROUTER_CELL_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "quern/runtime/dead_letter.h"
#include "quern/runtime/fiber_sync.h"
#include "quern/runtime/internal/cell.h"
#include "quern/runtime/internal/routing.h"
#include "quern/runtime/random.h"
#include "quern/runtime/router.h"

namespace quern::internal {

class MailboxCell;

// Messages on their way to, in or under the hand of one routee. Shared with their envelopes.
using RouteLoad = std::atomic<int64_t>;

struct Routee {
  CellPtr<Cell> cell;
  const MailboxCell* local = nullptr;  // null: a proxy, which never ends
  uint64_t number = 0;                 // of those that were spawned here
  std::shared_ptr<RouteLoad> load;     // of kLeastMailbox

  bool alive() const;
};

class RouterCell final : public Cell {
 public:
  RouterCell(SystemCore* core, CellPtr<Cell> parent, std::string path, const RouterOptions& options,
             const RouteType& type, RouteeSpawner spawner);

  Status AddGiven(std::vector<CellPtr<Cell>> routees);
  Status Resize(int64_t delta);
  std::vector<CellPtr<Cell>> LivingRoutees();

  Delivery Post(Envelope* envelope) override;
  std::string Path() const override { return path_; }
  std::string_view PathView() override { return path_; }
  void RequestStop() override;
  SystemCore* system_core() const override { return core_; }

 private:
  struct Table {
    std::vector<Routee> routees;
    std::vector<std::pair<uint64_t, uint32_t>> ring;  // of kConsistentHash: hash, index
  };
  class Reading;

  ~RouterCell() override;

  Delivery Forward(Envelope* envelope, const Routee& routee);
  Delivery ToOneFrom(Envelope* envelope, const Table& table, uint64_t first);
  Delivery ByKey(Envelope* envelope, const Table& table);
  Delivery ToLeast(Envelope* envelope, const Table& table);
  Delivery ToAll(Envelope* envelope, const Table& table);
  Delivery Gather(Envelope* envelope, const Table& table);
  Delivery Chop(Envelope* envelope, const Table& table);
  Delivery NoRoutees(Envelope* envelope);
  Delivery CannotCopy(Envelope* envelope, const char* why);
  void DeadLetterFor(const Envelope& envelope, DeadLetterReason reason, const char* why);
  uint64_t RandomBelow(uint64_t bound);

  void Prune();
  std::unique_ptr<Table> NewTable(std::vector<Routee> routees) const;
  void Replace(std::vector<Routee> routees) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<Routee> Living() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  SystemCore* const core_;
  const CellPtr<Cell> parent_;  // of the routees; null: they were given
  const std::string path_;
  const RouterOptions options_;
  const RouteType& type_;
  const RouteeSpawner spawner_;

  std::atomic<uint64_t> next_{0};  // of kRoundRobin
  std::atomic<const Table*> table_{nullptr};
  std::atomic<uint32_t> readers_{0};

  TinyLock random_lock_;
  const std::unique_ptr<Random> random_ ABSL_PT_GUARDED_BY(random_lock_);

  absl::Mutex mutex_;
  uint64_t last_number_ ABSL_GUARDED_BY(mutex_) = 0;
  // Replaced tables that somebody may still read.
  std::vector<std::unique_ptr<const Table>> retired_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ROUTING_ROUTER_CELL_H_
