// A state store that can keep saves back, so that a process can be stopped with writes of its own
// under way, as a paused machine has them. The demo's --pause needs it: without it the moment
// between a handler's Save and the store is too short to be met on purpose.
//
//   HoldingStateStore store(inner);
//   store.Hold([](const quern::GrainId& id) { .. });   // called for each save kept back
//   store.Release();                                   // they go to the inner store, too late
//
// Claim and Clear pass. Thread-safe.

#ifndef QUERN_SAMPLES_FLIGHTS_HOLDING_STATE_STORE_H_
#define QUERN_SAMPLES_FLIGHTS_HOLDING_STATE_STORE_H_

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <functional>
#include <vector>

#include "quern/runtime/state_store.h"

namespace flights {

class HoldingStateStore : public quern::StateStore {
 public:
  using OnHeld = std::function<void(const quern::GrainId& id)>;

  // `inner` outlives this.
  explicit HoldingStateStore(quern::StateStore& inner) : inner_(inner) {}

  // Keeps every save back from now on; `on_held` runs on whichever thread saved.
  void Hold(OnHeld on_held);

  // Hands on what was kept back, and everything from now on.
  void Release();

  void Claim(const quern::GrainId& id, const quern::Epoch& epoch, quern::Duration timeout,
             std::function<void(quern::StatusOr<quern::ClaimedState>)> done) override;
  void Save(const quern::StateClaim& claim, quern::StateSnapshot snapshot, quern::Duration timeout,
            std::function<void(quern::StatusOr<quern::StateClaim>)> done) override;
  void Clear(const quern::StateClaim& claim, quern::Duration timeout,
             std::function<void(quern::StatusOr<quern::StateClaim>)> done) override;

  uint64_t refused_writes() const override { return inner_.refused_writes(); }

 private:
  quern::StateStore& inner_;
  absl::Mutex mutex_;
  OnHeld on_held_ ABSL_GUARDED_BY(mutex_);  // empty: saves pass
  std::vector<std::function<void()>> held_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_HOLDING_STATE_STORE_H_
