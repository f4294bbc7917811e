// A control plane's store in this process, seen through one EmbeddedControlPlane a node. For one
// node alone, for tests, and for simulations: every way in which a real store misbehaves can be
// brought about per node, with latency and choice from a seed.
//
//   EmbeddedStore store(*server_executor, SeededRandom(7), {.latency_min = 1ms, .latency_max =
//   5ms}); auto plane = store.Connect("node-1", *node_executor); store.NextMutations("node-1",
//   EmbeddedFate::kAppliedUnanswered);  // the next one: kUnknown store.Stall("node-2", true); //
//   its requests wait, and are applied late store.Deafen("node-3", true);   // its watches hear
//   nothing and notice nothing
//
// The store is linearizable; requests and events of one node keep their order. Requests are applied
// on the store's executor, so that a frozen node's late write still arrives. Thread-safe. The
// executor outlives the store, the store outlives its planes.

#ifndef QUERN_CLUSTER_EMBEDDED_STORE_H_
#define QUERN_CLUSTER_EMBEDDED_STORE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "quern/cluster/control_plane.h"
#include "quern/runtime/clock.h"
#include "quern/runtime/executor.h"
#include "quern/runtime/random.h"

namespace quern::cluster {

class EmbeddedControlPlane;
class EmbeddedStoreState;

// What becomes of one mutation.
enum class EmbeddedFate : uint8_t {
  kNormal,
  kUnsent,             // answered kUnsent, not applied
  kAppliedUnanswered,  // applied; the answer is lost: kUnknown at its timeout
  kLost,               // not applied, no answer: kUnknown at its timeout
  kAppliedLate,        // applied `late_by` later, no answer: kUnknown at its timeout
};

struct EmbeddedStoreOptions {
  Duration latency_min = Duration::zero();  // each way
  Duration latency_max = Duration::zero();
  Duration late_by = std::chrono::seconds(5);
};

// Of every mutation of a node, the share with each fate; the rest is normal.
struct EmbeddedFaultShares {
  double unsent = 0;
  double applied_unanswered = 0;
  double lost = 0;
  double applied_late = 0;
};

class EmbeddedStore {
 public:
  EmbeddedStore(Executor& executor, std::unique_ptr<Random> random,
                EmbeddedStoreOptions options = {});
  ~EmbeddedStore();
  EmbeddedStore(const EmbeddedStore&) = delete;
  EmbeddedStore& operator=(const EmbeddedStore&) = delete;

  // A node's view of the store. Callbacks run on `executor`, which outlives the plane. A node may
  // have several (records and leases); faults strike all of them.
  std::unique_ptr<EmbeddedControlPlane> Connect(std::string node, Executor& executor);

  // Latency of every node's traffic from now on, each way.
  void SetLatency(Duration min, Duration max);

  // The fate of the node's next `count` mutations.
  void NextMutations(std::string_view node, EmbeddedFate fate, int count = 1);

  // Chance decides, from the store's seed, for every mutation that NextMutations has not decided.
  void SetFaultShares(std::string_view node, const EmbeddedFaultShares& shares);

  // Requests of the node (reads as well) wait and are carried out, in order, when the stall ends.
  void Stall(std::string_view node, bool on);

  // No connection: requests are answered kUnsent / UNAVAILABLE, answers and events under way are
  // lost. When it ends, watches report a gap and list again.
  void CutOff(std::string_view node, bool on);

  // Get and List answer from the records as they are at this call, until switched off.
  void ServeStaleReads(std::string_view node, bool on);

  // Watches of the node get no events, and no gap afterwards.
  void Deafen(std::string_view node, bool on);

  // Records that are not tombstones.
  size_t size(Table table) const;

 private:
  const std::shared_ptr<EmbeddedStoreState> state_;
};

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_EMBEDDED_STORE_H_
