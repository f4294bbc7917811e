// A StateStore in this process's memory: for programs that need no durable state, for tests and for
// simulations. The semantics are the full ones of StateStore: claims, fencing by epoch,
// compare-and-set at the revision of one's own last write, tombstones.
//
//   MemoryStateStore store;                          // callbacks inline, before the call returns
//   MemoryStateStore simulated(executor.get());      // the write and its callback run there
//   System system({.name = "shop", .state_store = &store});
//
// Without an executor an operation is done, and its callback called, before Claim, Save or Clear
// returns: hold no lock across the call. With one the operation itself happens when the executor
// gets to it, so that a frozen executor delays a write past another owner's claim. Timeouts are not
// used: memory always answers. Thread-safe.

#ifndef QUERN_RUNTIME_MEMORY_STATE_STORE_H_
#define QUERN_RUNTIME_MEMORY_STATE_STORE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "quern/runtime/executor.h"
#include "quern/runtime/state_store.h"

namespace quern {

class MemoryStateStore : public StateStore {
 public:
  // The executor, if any, must outlive the store and every callback.
  explicit MemoryStateStore(Executor* executor = nullptr);
  ~MemoryStateStore() override;
  MemoryStateStore(const MemoryStateStore&) = delete;
  MemoryStateStore& operator=(const MemoryStateStore&) = delete;

  void Claim(const GrainId& id, const Epoch& epoch, Duration timeout,
             std::function<void(StatusOr<ClaimedState>)> done) override;
  void Save(const StateClaim& claim, StateSnapshot snapshot, Duration timeout,
            std::function<void(StatusOr<StateClaim>)> done) override;
  void Clear(const StateClaim& claim, Duration timeout,
             std::function<void(StatusOr<StateClaim>)> done) override;

  uint64_t refused_writes() const override;

  // Grains with a record, tombstones included. Thread-safe.
  size_t size() const;

 private:
  struct Records;

  void Run(std::function<void()> operation);

  Executor* const executor_;
  const std::shared_ptr<Records> records_;  // shared with operations still queued on the executor
};

}  // namespace quern

#endif  // QUERN_RUNTIME_MEMORY_STATE_STORE_H_
