// What every operation of a ControlPlaneStateStore has: its record's key, a nonce of its own, a
// deadline, tries with pauses between them, and one answer. Used from one callback at a time.

#ifndef QUERN_CLUSTER_SRC_CONTROL_PLANE_STATE_OPERATION_H_
#define QUERN_CLUSTER_SRC_CONTROL_PLANE_STATE_OPERATION_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "grain_state_record.h"
#include "quern/cluster/control_plane_state_store.h"

namespace quern::cluster {

struct ControlPlaneStateStore::Core {
  Core(ControlPlane& plane_in, Executor& executor_in, ControlPlaneStateStoreOptions options_in)
      : plane(plane_in), executor(executor_in), options(std::move(options_in)) {}

  // The record as this process last wrote it, without its data. Nothing when it was not remembered
  // or is at another revision.
  std::optional<GrainStateRecord> Base(const GrainId& id, uint64_t revision);
  void Remember(const GrainId& id, const GrainStateRecord& written);
  void Forget(const GrainId& id);

  ControlPlane& plane;
  Executor& executor;
  const ControlPlaneStateStoreOptions options;
  std::atomic<uint64_t> refused{0};
  std::atomic<bool> closed{false};

  absl::Mutex mutex;
  std::unordered_map<GrainId, GrainStateRecord, GrainIdHash> bases ABSL_GUARDED_BY(mutex);
};

class StateOperation : public std::enable_shared_from_this<StateOperation> {
 public:
  using Core = ControlPlaneStateStore::Core;

  StateOperation(std::shared_ptr<Core> core, const char* verb, GrainId id, Epoch epoch,
                 Duration timeout);
  virtual ~StateOperation() = default;

 protected:
  // Reads the record; OnRead gets an empty one when there is none. Retries until the deadline.
  void Read();
  virtual void OnRead(GrainStateRecord record) = 0;

  // Offers `next` at `expected` (0: as a new record).
  void Offer(const GrainStateRecord& next, uint64_t expected);
  virtual void OnOffered(const CasResult& result) = 0;

  // After a pause that grows.
  void Later(std::function<void()> step);

  // The answer, exactly once.
  virtual void Fail(Status status) = 0;

  // What is true when time has run out.
  Status OutOfTime() const;
  Status Refused(const Epoch& stored);
  std::string Tried() const;

  const std::shared_ptr<Core> core_;
  const char* const verb_;
  const GrainId id_;
  const Epoch epoch_;
  const std::string key_;
  const uint64_t nonce_;
  bool in_doubt_ = false;  // a try went out and was not answered
  bool refused_ = false;   // the store refused a try: the record has moved past it

 private:
  Duration Left() const;
  void SetInDoubt();
  void TookRead(StatusOr<Record> record);
  void TookCas(const CasResult& result);

  Time deadline_;
  Duration backoff_;
  std::string last_error_ = "no time left";
};

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_SRC_CONTROL_PLANE_STATE_OPERATION_H_
