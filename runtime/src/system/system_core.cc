#include "system/system_core.h"

#include <utility>

#include "actor/actor_cell.h"
#include "actor/dead_letters.h"
#include "grain/epoch_guard.h"
#include "grain/grain_host.h"
#include "network/actor_kinds.h"
#include "network/system_network_port.h"
#include "quern/runtime/check.h"
#include "quern/runtime/event_stream.h"
#include "quern/runtime/memory_state_store.h"
#include "scheduler/scheduler.h"
#include "scheduler/waiter.h"
#include "scheduler/worker.h"

namespace quern::internal {
namespace {

std::atomic<uint64_t> last_cell_id{0};

}  // namespace

uint64_t SystemCore::NextCellId() {
  return last_cell_id.fetch_add(1, std::memory_order_relaxed) + 1;
}

SystemCore* SystemCore::Start(SystemOptions options) {
  auto* core = new SystemCore(std::move(options));
  core->root_ = ActorCell::NewRoot(core, [core] { core->root_stopped_->Wake(); });
  return core;
}

SystemCore::SystemCore(SystemOptions options) : options_(std::move(options)) {
  if (options_.clock == nullptr) options_.clock = &SystemClock();
  if (options_.random == nullptr) options_.random = &SystemRandom();
  if (options_.logger == nullptr) {
    own_logger_ = StderrLogger(options_.name, LogLevel::kWarn, LogFormat::kText, *options_.clock);
    options_.logger = own_logger_.get();
  }
  if (options_.state_store == nullptr) {
    own_state_store_ = std::make_unique<MemoryStateStore>();
    options_.state_store = own_state_store_.get();
  }
  events_ = std::make_unique<EventStream>(this);
  dead_letters_ = std::make_unique<DeadLetters>(this, options_.dead_letters_kept);
  sender_epochs_ = std::make_unique<EpochGuard>();
  actor_kinds_ = std::make_unique<ActorKinds>();
  scheduler_ =
      std::make_unique<Scheduler>(this, options_.workers, options_.clock, options_.step_driver);
  grain_host_ = NewGrainHost(*this);
  network_port_ = std::make_unique<SystemNetworkPort>(this);
}

SystemCore::~SystemCore() = default;

void SystemCore::Release() {
  if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

void SystemCore::Stop() {
  QUERN_CHECK(Worker::Current() == nullptr || &Worker::Current()->scheduler() != scheduler_.get());
  if (stopping_.exchange(true, std::memory_order_seq_cst)) return;
  grain_host_->Stop();
  Waiter stopped;
  root_stopped_ = &stopped;
  root_->RequestStop();
  stopped.Wait();
  events_->Close();
  scheduler_->Stop();
  stopped_.store(true, std::memory_order_release);
  root_ = {};
}

Delivery SystemCore::RouteGrain(const GrainId& id, Message message) {
  if (stopping()) {
    std::move(message).Fail(absl::UnavailableError(id.ToString() + ": the system is stopping"));
    return Delivery::kStopped;
  }
  Router* router = this->router();
  const bool here = router == nullptr || (stateless_kinds_.load(std::memory_order_acquire) &&
                                          grain_host_->IsStateless(id.kind));
  if (!here) return router->RouteGrain(id, std::move(message));
  return grain_host_->RouteLocal(id, std::move(message));
}

}  // namespace quern::internal
