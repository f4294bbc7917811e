// The one place where contended facts are decided: versioned records with compare-and-set
// (ARCHITECTURE.md, D12). Who owns, who leads, who holds is decided by Create/Update/Delete, never
// by a read, a list or a watch, which are hints.
//
//   plane.Update("flights.9f2c.view.main", bytes, revision, 1s, [](CasResult r) {
//     if (r.outcome == CasOutcome::kApplied) revision = r.revision;
//     if (r.outcome == CasOutcome::kUnknown) /* settle by the nonce in the value: see settle.h */;
//   });
//
// Thread-safe. Nothing blocks or suspends: callbacks arrive once each, on a thread of the
// provider's (post to an Executor first). The destructor answers what is outstanding with kUnknown
// / CANCELLED and stops the provider's threads. One conformance suite
// (tests/cluster/control_plane_conformance_test.cc) runs on every provider.

#ifndef QUERN_CLUSTER_CONTROL_PLANE_H_
#define QUERN_CLUSTER_CONTROL_PLANE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "quern/runtime/clock.h"
#include "quern/runtime/status.h"

namespace quern::cluster {

// `revision` is unique within a provider's table and grows with every applied mutation of it.
struct Record {
  std::string key;
  std::string value;
  uint64_t revision = 0;
};

enum class CasOutcome : uint8_t {
  kApplied,  // `revision` is the record's new revision
  kRefused,  // the record was not at the expected revision: surely not applied
  kUnsent,   // the store could not be reached: surely not applied
  kUnknown,  // no answer in time: applied, not applied, or applied later
};

struct CasResult {
  CasOutcome outcome = CasOutcome::kUnknown;
  uint64_t revision = 0;
  std::string detail;  // for logs
};

// A table keeps records of one lifetime class apart.
enum class Table : uint8_t {
  kControl,  // views, incarnation, spawn records, datacenters: never expires
  kLease,    // leases: the store may drop what has not moved for ten lease lengths (garbage
             // collection only)
  kState,    // grain state: never expires
};

// One change of a record, or the end of the initial listing of a watch.
struct WatchEvent {
  enum class Kind : uint8_t { kPut, kDeleted, kInitialDone, kGap };
  Kind kind = Kind::kPut;  // kGap: events may have been missed; the current records follow as kPut,
                           // then kInitialDone
  Record record;
};

// Ends the watch when destroyed; no callback begins afterwards, one that runs is waited for.
class WatchHandle {
 public:
  virtual ~WatchHandle() = default;
};

class ControlPlane {
 public:
  using CasCallback = std::function<void(CasResult)>;
  using GetCallback = std::function<void(StatusOr<Record>)>;
  using ListCallback = std::function<void(StatusOr<std::vector<Record>>)>;
  using WatchCallback = std::function<void(const WatchEvent&)>;

  virtual ~ControlPlane() = default;

  // NOT_FOUND: no such record (or deleted). UNAVAILABLE, DEADLINE_EXCEEDED. The value may be stale.
  virtual void Get(Table table, std::string_view key, Duration timeout, GetCallback done) = 0;

  // Applied only if there is no record (or a deleted one).
  virtual void Create(Table table, std::string_view key, std::string value, Duration timeout,
                      CasCallback done) = 0;

  // Applied only if the record is at `expected`.
  virtual void Update(Table table, std::string_view key, std::string value, uint64_t expected,
                      Duration timeout, CasCallback done) = 0;

  // Leaves a tombstone; applied only if the record is at `expected`.
  virtual void Delete(Table table, std::string_view key, uint64_t expected, Duration timeout,
                      CasCallback done) = 0;

  // Records whose key begins with `prefix` (whole dot-separated tokens), in no order.
  virtual void List(Table table, std::string_view prefix, Duration timeout, ListCallback done) = 0;

  // The current records as kPut, then kInitialDone, then every change; intermediate values may be
  // skipped. `on_event` is called by one thread at a time.
  virtual std::unique_ptr<WatchHandle> Watch(Table table, std::string_view prefix,
                                             WatchCallback on_event) = 0;
};

// Keys are laid out <cluster>.<incarnation id>.<type>.<escaped id>; state keys lack the
// incarnation. Escape() turns any bytes into one token that every provider accepts ([A-Za-z0-9_-],
// others as =XX); Unescape is its inverse.
std::string EscapeKeyToken(std::string_view bytes);

// INVALID_ARGUMENT when `token` was not made by EscapeKeyToken.
StatusOr<std::string> UnescapeKeyToken(std::string_view token);

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_CONTROL_PLANE_H_
