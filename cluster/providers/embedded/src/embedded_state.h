// The two halves behind an embedded control plane: EmbeddedStoreState is the broker, with its
// faults; EmbeddedPlaneState is a node's end, with its outstanding requests and watches. The store
// knows planes weakly; neither calls the other with its own mutex held, callbacks run with none.

#ifndef QUERN_CLUSTER_SRC_EMBEDDED_STATE_H_
#define QUERN_CLUSTER_SRC_EMBEDDED_STATE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "embedded_records.h"
#include "quern/cluster/callback_gate.h"
#include "quern/cluster/embedded_store.h"

namespace quern::cluster {

struct EmbeddedRead {
  Table table = Table::kControl;
  std::string key;  // or the prefix of a list
  bool list = false;
};

using EmbeddedRequest = std::variant<EmbeddedMutation, EmbeddedRead>;
using EmbeddedReply = std::variant<CasResult, StatusOr<Record>, StatusOr<std::vector<Record>>>;

// One watch: a queue of events, filled by the store, emptied on the node's executor.
class EmbeddedWatch : public std::enable_shared_from_this<EmbeddedWatch> {
 public:
  EmbeddedWatch(Table table, std::string prefix, Executor& executor,
                ControlPlane::WatchCallback on_event)
      : table_(table),
        prefix_(std::move(prefix)),
        executor_(executor),
        on_event_(std::move(on_event)) {}

  bool Wants(Table table, std::string_view key) const;

  // Delivers `event` after `latency` and after all events before it.
  void Push(WatchEvent event, Duration latency);

  // Drops what is under way: the connection is gone.
  void DropQueue();

  void Close() { gate_.Close(); }

  const Table table_;
  const std::string prefix_;

 private:
  void DeliverOne();

  Executor& executor_;
  const ControlPlane::WatchCallback on_event_;
  absl::Mutex mutex_;
  std::deque<WatchEvent> queue_ ABSL_GUARDED_BY(mutex_);
  CallbackGate gate_;
};

class EmbeddedPlaneState : public std::enable_shared_from_this<EmbeddedPlaneState> {
 public:
  using Done = std::function<void(EmbeddedReply)>;

  EmbeddedPlaneState(std::shared_ptr<EmbeddedStoreState> store, std::string node,
                     Executor& executor)
      : store_(std::move(store)), node_(std::move(node)), executor_(executor) {}

  void Submit(EmbeddedRequest request, EmbeddedReply at_timeout, Duration timeout, Done done);

  // Answers from the executor without asking the store.
  void Refuse(EmbeddedReply reply, Done done);

  // The answer of the store, given on connection `cuts`; ignored when the request has timed out or
  // the connection is gone.
  void Answer(uint64_t id, EmbeddedReply reply, uint64_t cuts, Duration latency);

  // Answers all that is outstanding and waits for the callbacks that run on other threads: the
  // plane is being destroyed.
  void Close();

  const std::string& node() const { return node_; }
  EmbeddedStoreState& store() { return *store_; }
  Executor& executor() { return executor_; }

 private:
  struct Outstanding {
    Done done;
    EmbeddedReply at_timeout;
    Executor::TimerId timer = 0;
  };

  uint64_t Register(EmbeddedReply at_timeout, Duration timeout, Done done);
  void Resolve(uint64_t id, EmbeddedReply* reply);

  const std::shared_ptr<EmbeddedStoreState> store_;
  const std::string node_;
  Executor& executor_;
  absl::Mutex mutex_;
  uint64_t last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, Outstanding> outstanding_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread::id> answering_ ABSL_GUARDED_BY(mutex_);  // threads inside a callback
};

class EmbeddedStoreState : public std::enable_shared_from_this<EmbeddedStoreState> {
 public:
  EmbeddedStoreState(Executor& executor, std::unique_ptr<Random> random,
                     EmbeddedStoreOptions options)
      : executor_(executor), random_(std::move(random)), options_(options) {}

  // A request leaves its node.
  void Accept(std::weak_ptr<EmbeddedPlaneState> plane, const std::string& node, uint64_t id,
              EmbeddedRequest request);
  void AddWatch(const std::string& node, const std::shared_ptr<EmbeddedWatch>& watch);

  void SetLatency(Duration min, Duration max);
  void NextMutations(std::string_view node, EmbeddedFate fate, int count);
  void SetFaultShares(std::string_view node, const EmbeddedFaultShares& shares);
  void Stall(std::string_view node, bool on);
  void CutOff(std::string_view node, bool on);
  void ServeStaleReads(std::string_view node, bool on);
  void Deafen(std::string_view node, bool on);
  size_t size(Table table) const;
  uint64_t cuts(std::string_view node);

 private:
  struct Arrival {
    std::weak_ptr<EmbeddedPlaneState> plane;
    std::string node;
    uint64_t id = 0;
    EmbeddedRequest request;
    EmbeddedFate fate = EmbeddedFate::kNormal;
  };
  // What is wrong between the store and one node, and the requests on their way.
  struct Link {
    std::deque<EmbeddedFate> next_fates;
    EmbeddedFaultShares shares;
    bool stalled = false;
    bool cut = false;
    bool deaf = false;
    uint64_t cuts = 0;  // connections lost so far: an answer of an older one does not arrive
    std::deque<Arrival> on_the_way;  // keeps a node's order, whatever the latency of each
    std::deque<Arrival> held;        // arrived while stalled
    std::unique_ptr<EmbeddedRecords> stale;
    std::vector<std::weak_ptr<EmbeddedWatch>> watches;
  };
  Link& link(std::string_view node) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Duration Latency() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  EmbeddedFate FateOf(Link& link) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ArriveOne(const std::string& node);
  void CarryOut(Arrival arrival);
  void ApplyLate(Arrival arrival) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  EmbeddedReply Read(const EmbeddedRead& read, const Link& link) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  CasResult Apply(EmbeddedMutation mutation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Announce(const WatchEvent& event, Table table) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ListInto(EmbeddedWatch& watch, bool after_gap) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Executor& executor_;
  mutable absl::Mutex mutex_;
  const std::unique_ptr<Random> random_ ABSL_PT_GUARDED_BY(mutex_);
  EmbeddedStoreOptions options_ ABSL_GUARDED_BY(mutex_);
  EmbeddedRecords records_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Link, std::less<>> links_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_SRC_EMBEDDED_STATE_H_
