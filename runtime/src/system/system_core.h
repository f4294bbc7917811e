// What every part of a running system shares: clock, logger, workers, dead letters, the router, the
// grain host. Counted: cells hold it, so a Ref that outlives the System still answers.

#ifndef QUERN_RUNTIME_SRC_SYSTEM_SYSTEM_CORE_H_
#define QUERN_RUNTIME_SRC_SYSTEM_SYSTEM_CORE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "metrics/ask_counts.h"
#include "quern/runtime/clock.h"
#include "quern/runtime/internal/cell.h"
#include "quern/runtime/logger.h"
#include "quern/runtime/network_port.h"
#include "quern/runtime/random.h"
#include "quern/runtime/shutdown.h"
#include "quern/runtime/state_store.h"
#include "quern/runtime/status.h"
#include "quern/runtime/system_options.h"

namespace quern {
class EventStream;
}

namespace quern::internal {

class ActorCell;
class ActorKinds;
class DeadLetters;
class GrainHost;
class MailboxCensus;
class OffloadPool;
class Scheduler;
class Shortcut;
class Waiter;
class EpochGuard;

class SystemCore {
 public:
  // Starts the workers. The caller owns one count.
  static SystemCore* Start(SystemOptions options);

  void AddRef() { refs_.fetch_add(1, std::memory_order_relaxed); }
  void Release();

  // Stops every grain and actor, then the workers. Blocks the thread; idempotent; never on a
  // worker.
  // Waits for the actors no longer than until `deadline`: System::Stop().
  Status StopBy(Time deadline);
  Status StopWithin(Duration timeout);
  // The root was given a failure, and stops every actor by itself. Thread-safe.
  void Fail(Status why);
  // Blocks the thread until a stop has begun or every actor has been stopped by a failure; returns
  // that failure.
  Status WaitUntilStopping();

  // From the moment Stop() begins: spawns and grain calls are refused.
  bool stopping() const { return stopping_.load(std::memory_order_acquire); }

  // Stop() has returned: nothing below may be touched.
  bool stopped() const { return stopped_.load(std::memory_order_acquire); }

  // Valid until Stop() has returned.
  const SystemOptions& options() const { return options_; }
  Clock& clock() const { return *options_.clock; }
  Random& random() const { return *options_.random; }
  Logger& logger() const { return *options_.logger; }
  StateStore* state_store() const { return options_.state_store; }
  Scheduler& scheduler() const { return *scheduler_; }
  DeadLetters& dead_letters() const { return *dead_letters_; }
  EventStream& events() const { return *events_; }
  EpochGuard& sender_epochs() const { return *sender_epochs_; }
  ActorKinds& actor_kinds() const { return *actor_kinds_; }
  GrainHost& grain_host() const { return *grain_host_; }
  NetworkPort& network_port() const { return *network_port_; }
  // Null once the system has stopped. Thread-safe.
  CellPtr<ActorCell> SharedRoot() const;
  Shutdown& shutdown() const { return *shutdown_; }
  OffloadPool& offload_pool() const { return *offload_pool_; }
  Duration uptime() const { return clock().Now() - started_; }

  // What RunUntilSignal() waits for: a signal's number, or that Stop() has begun.
  static constexpr uint32_t kSignalMask = 0xff;
  static constexpr uint32_t kStopBegan = 0x100;
  std::atomic<uint32_t>& signal_word() { return signal_word_; }

  // Null: no network. Read once and used at once.
  Router* router() const { return router_.load(std::memory_order_acquire); }
  void SetRouter(Router* router);
  // Which of those that there were it is; 0: none. What one has allowed does not count for the
  // next.
  uint32_t router_number() const { return router_number_.load(std::memory_order_acquire); }

  MailboxCensus& census() const { return *census_; }
  AskCounts& asks() { return asks_; }
  const AskCounts& asks() const { return asks_; }

  // Where a grain's message goes: the router, or without one, or when its kind has stateless
  // workers here, the local host, which leads `shortcut` to what it finds.
  Delivery RouteGrain(const GrainId& id, Message message, Shortcut& shortcut);

  // From now on the grain host is asked before the router.
  void NoteStatelessKind() { stateless_kinds_.store(true, std::memory_order_release); }

  static uint64_t NextCellId();

 private:
  bool WaitForRoot(Time deadline);
  Status StillRunning() const;
  void OnRootStopped();

  explicit SystemCore(SystemOptions options);
  ~SystemCore();

  SystemOptions options_;
  std::atomic<uint32_t> refs_{1};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> stopped_{false};
  std::atomic<bool> stateless_kinds_{false};
  std::atomic<Router*> router_{nullptr};
  std::atomic<uint32_t> router_number_{0};
  std::atomic<uint32_t> routers_{0};  // that there were
  AskCounts asks_;
  std::unique_ptr<Logger> own_logger_;
  std::unique_ptr<StateStore> own_state_store_;
  std::unique_ptr<MailboxCensus> census_;
  std::unique_ptr<EventStream> events_;
  std::unique_ptr<DeadLetters> dead_letters_;
  std::unique_ptr<EpochGuard> sender_epochs_;
  std::unique_ptr<ActorKinds> actor_kinds_;
  std::unique_ptr<GrainHost> grain_host_;
  std::unique_ptr<NetworkPort> network_port_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<Shutdown> shutdown_;
  std::unique_ptr<OffloadPool> offload_pool_;
  Time started_;
  std::atomic<uint32_t> signal_word_{0};

  absl::Mutex stop_mutex_;  // held by whoever stops; a plain thread
  mutable absl::Mutex end_mutex_;
  CellPtr<ActorCell> root_;  // set before the start, reset under end_mutex_
  Status failure_ ABSL_GUARDED_BY(end_mutex_);
  bool root_stopped_ ABSL_GUARDED_BY(end_mutex_) = false;
  Waiter* root_waiter_ ABSL_GUARDED_BY(end_mutex_) = nullptr;
  bool ending_ ABSL_GUARDED_BY(end_mutex_) = false;  // a stop has begun
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SYSTEM_SYSTEM_CORE_H_
