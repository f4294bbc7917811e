// The grains whose kinds are hosted as stateless workers: of one identity several activations work
// at once, none of them keeps anything, and a call goes to one that has nothing to do.
//
//   WorkerPools pools(core, fence);
//   pools.Route(kind, id, std::move(message));
//
// A pool begins empty, grows by one when a call finds all busy, up to the kind's stateless_workers
// (those on their way out not counted), and shrinks as its members idle out. When it is full, calls
// go round. Members have no epoch: nothing tells one of them from another.
//
// Thread-safe; never suspends, but for Stop().

#ifndef QUERN_RUNTIME_SRC_GRAIN_WORKER_POOLS_H_
#define QUERN_RUNTIME_SRC_GRAIN_WORKER_POOLS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "grain/activation.h"
#include "quern/runtime/grain_info.h"

namespace quern::internal {

class WorkerPools final : private ActivationOwner {
 public:
  // `host` knows whether it is fenced; outlives the pools.
  WorkerPools(SystemCore& core, const ActivationOwner& host) : core_(core), host_(host) {}
  WorkerPools(const WorkerPools&) = delete;
  WorkerPools& operator=(const WorkerPools&) = delete;

  // Takes the message.
  Delivery Route(const GrainKind& kind, const GrainId& id, Message message);

  // Asks all members to end; false: there are none.
  bool Deactivate(const GrainId& id, const Status& why);

  // The one that is there longest, with the messages of all.
  std::optional<GrainInfo> Peek(const GrainId& id) const;
  // Of all identities of `kind` (empty: of all kinds).
  std::vector<GrainInfo> List(std::string_view kind) const;
  size_t Count(std::string_view kind) const;

  // Refuses new ones and ends all.
  void BeginStop();
  bool empty() const;
  // Returns when all are gone. Blocks the thread.
  void AwaitEnd();

 private:
  struct Pool {
    std::vector<CellPtr<Activation>> members;  // the oldest first
    size_t turn = 0;                           // of the round
  };

  // ActivationOwner:
  bool Fenced() const override;
  void OnActivated(Activation&) override {}
  void OnEnded(Activation& activation, std::vector<Envelope*> unhandled) override;

  // Null: nobody has time, and there may be one more.
  static CellPtr<Activation> Choose(Pool& pool, int workers_max);
  static GrainInfo InfoOf(const Pool& pool);
  void Begin(Pool& pool, const GrainKind& kind, const GrainId& id, Envelope* first)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  SystemCore& core_;
  const ActivationOwner& host_;
  mutable absl::Mutex mutex_;
  std::unordered_map<GrainId, Pool, GrainIdHash> pools_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_GRAIN_WORKER_POOLS_H_
