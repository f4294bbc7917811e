// The GrainHost of a system: kinds, the table of activations, the fence, and what happens between
// one activation of a grain and the next.

#ifndef QUERN_RUNTIME_SRC_GRAIN_LOCAL_GRAIN_HOST_H_
#define QUERN_RUNTIME_SRC_GRAIN_LOCAL_GRAIN_HOST_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "grain/activation.h"
#include "grain/activation_table.h"
#include "grain/epoch_guard.h"
#include "grain/grain_host.h"
#include "grain/visits.h"
#include "grain/worker_pools.h"

namespace quern::internal {

class LocalGrainHost final : public GrainHost, private ActivationOwner {
 public:
  explicit LocalGrainHost(SystemCore& core);
  ~LocalGrainHost() override;
  LocalGrainHost(const LocalGrainHost&) = delete;
  LocalGrainHost& operator=(const LocalGrainHost&) = delete;

  Status Host(const GrainType& type, GrainOptions options) override;
  Delivery RouteLocal(const GrainId& id, Message message, Shortcut& shortcut) override;
  Visits& visits() override { return visits_; }
  std::vector<std::string> HostedKinds() const override;
  const WireTable* WireTableOf(std::string_view kind) const override;
  bool IsStateless(std::string_view kind) const override;
  void Activate(const GrainId& id, const Epoch& epoch,
                std::function<void(StatusOr<ActivationInfo>)> done) override;
  GrainDelivery DeliverToGrain(const GrainId& id, const std::optional<Epoch>& expected,
                               Message& message, Passage passage) override;
  void Recall(const GrainId& id) override;
  Status Deactivate(const GrainId& id, Status why) override;
  std::vector<ActivationInfo> Activations() const override;
  std::optional<GrainInfo> Peek(const GrainId& id) override;
  GrainPage List(const GrainListOptions& options) const override;
  size_t Count(std::string_view kind) const override;
  void SetServingUntil(Time until) override;
  bool ServesAt(Time now) const override;
  void Stop() override;

 private:
  friend class StepSabotage;

  using Shard = ActivationTable::Shard;
  using Entry = ActivationTable::Entry;
  using Next = ActivationTable::Next;

  // ActivationOwner:
  bool Fenced() const override;
  void OnActivated(Activation& activation) override;
  void OnEnded(Activation& activation, std::vector<Envelope*> unhandled) override;

  // Null: no such kind, or one without stateless workers.
  const GrainKind* FindStateless(std::string_view kind) const;
  const GrainKind* FindKind(std::string_view kind) const ABSL_LOCKS_EXCLUDED(kinds_mutex_);
  // A new activation, whose mailbox opens with `first`. NOT_FOUND (kind), INVALID_ARGUMENT (id),
  // UNAVAILABLE (stopping): `first` is untouched.
  StatusOr<Entry*> Begin(Shard& shard, const GrainKey& key, const Epoch& epoch,
                         const std::vector<Envelope*>& first)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);
  // Starts what was waited for, once the entry has left. What it took is taken out of `next`.
  Status BeginNext(Shard& shard, const GrainKey& key, bool local, Next* next)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);
  Epoch NextLocalEpoch();
  // Through the Ref that `envelope` was sent through, and before it is handed over: it is what
  // keeps that Ref.
  void GivePassage(const Envelope& envelope, const CellPtr<Activation>& activation);
  CellPtr<Activation> FindActivation(const GrainId& id);
  void NoteGone();

  SystemCore& core_;
  ActivationTable table_;
  Visits visits_;
  WorkerPools pools_;
  std::atomic<bool> has_pools_{false};  // a kind with stateless workers is hosted
  EpochGuard ended_;                    // the last epoch of each grain that was here
  std::atomic<uint64_t> local_epochs_;
  std::atomic<Time::rep> serving_until_;
  std::atomic<bool> stopping_{false};

  mutable absl::Mutex kinds_mutex_;
  std::map<std::string, std::unique_ptr<GrainKind>, std::less<>> kinds_
      ABSL_GUARDED_BY(kinds_mutex_);

  absl::Mutex live_mutex_;
  int64_t live_ ABSL_GUARDED_BY(live_mutex_) = 0;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_GRAIN_LOCAL_GRAIN_HOST_H_
