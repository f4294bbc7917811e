#include "system/system_core.h"

#include <string>
#include <utility>

#include <absl/strings/str_cat.h>

#include "actor/actor_cell.h"
#include "actor/dead_letters.h"
#include "grain/epoch_guard.h"
#include "grain/grain_host.h"
#include "network/actor_kinds.h"
#include "network/system_network_port.h"
#include "quern/runtime/check.h"
#include "quern/runtime/event_stream.h"
#include "quern/runtime/memory_state_store.h"
#include "scheduler/futex.h"
#include "scheduler/offload_pool.h"
#include "scheduler/scheduler.h"
#include "scheduler/step_driver.h"
#include "scheduler/waiter.h"
#include "scheduler/worker.h"
#include "system/actor_listing.h"
#include "system/debugger_types.h"
#include "system/mailbox_census.h"

namespace quern::internal {
namespace {

std::atomic<uint64_t> last_cell_id{0};

}  // namespace

uint64_t SystemCore::NextCellId() {
  return last_cell_id.fetch_add(1, std::memory_order_relaxed) + 1;
}

SystemCore* SystemCore::Start(SystemOptions options) {
  auto* core = new SystemCore(std::move(options));
  core->root_ = ActorCell::NewRoot(core, [core] { core->OnRootStopped(); });
  return core;
}

SystemCore::SystemCore(SystemOptions options) : options_(std::move(options)) {
  if (const Status valid = options_.Validate(); !valid.ok()) {
    CheckFailed(__FILE__, __LINE__, valid.ToString().c_str());
  }
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
#if defined(NDEBUG)
  // As in a release build of Abseil: Debian's keeps a graph of all locks, a quarter of the work of
  // spawning. For the whole process.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
#endif
  started_ = options_.clock->Now();
  LinkDebuggerTypes(nullptr);
  shutdown_ = std::make_unique<Shutdown>(this);
  census_ = std::make_unique<MailboxCensus>(this);
  events_ = std::make_unique<EventStream>(this);
  dead_letters_ = std::make_unique<DeadLetters>(this, options_.dead_letters_kept);
  sender_epochs_ = std::make_unique<EpochGuard>();
  actor_kinds_ = std::make_unique<ActorKinds>();
  scheduler_ =
      std::make_unique<Scheduler>(this, options_.workers, options_.clock, options_.step_driver);
  offload_pool_ =
      std::make_unique<OffloadPool>(this, options_.offload_threads, options_.offload_queue);
  grain_host_ = NewGrainHost(*this);
  network_port_ = std::make_unique<SystemNetworkPort>(this);
  if (options_.watchdog_after > Duration::zero()) {
    scheduler_->StartWatchdog(options_.watchdog_after);
  }
}

SystemCore::~SystemCore() = default;

void SystemCore::Release() {
  if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

void SystemCore::OnRootStopped() {
  Waiter* waiter = nullptr;
  {
    absl::MutexLock lock(&end_mutex_);
    root_stopped_ = true;
    waiter = std::exchange(root_waiter_, nullptr);
  }
  // Also when a failure has reached it: RunUntilSignal() goes on to stop what is left.
  signal_word_.fetch_or(kStopBegan, std::memory_order_acq_rel);
  FutexWakeAll(&signal_word_);
  if (waiter != nullptr) waiter->Wake();
}

CellPtr<ActorCell> SystemCore::SharedRoot() const {
  absl::MutexLock lock(&end_mutex_);
  return root_;
}

Status SystemCore::StopWithin(Duration timeout) {
  const Time now = clock().Now();
  return StopBy(timeout > kNever - now ? kNever : now + timeout);
}

Status SystemCore::StopBy(Time deadline) {
  QUERN_CHECK(Worker::Current() == nullptr || &Worker::Current()->scheduler() != scheduler_.get());
  absl::MutexLock lock(&stop_mutex_);
  if (stopped()) return shutdown_->status();
  {
    absl::MutexLock end(&end_mutex_);
    ending_ = true;
  }
  signal_word_.fetch_or(kStopBegan, std::memory_order_acq_rel);
  FutexWakeAll(&signal_word_);
  shutdown_->Run(ShutdownPhase::kBeforeStop, deadline);
  if (!stopping_.exchange(true, std::memory_order_seq_cst)) grain_host_->Stop();
  shutdown_->Run(ShutdownPhase::kBeforeActorsStop, deadline);
  root_->RequestStop();
  if (!WaitForRoot(deadline)) return StillRunning();
  shutdown_->Run(ShutdownPhase::kAfterActorsStop, deadline);
  events_->Close();
  offload_pool_->Stop();
  scheduler_->Stop();
  stopped_.store(true, std::memory_order_release);
  absl::MutexLock end(&end_mutex_);
  root_ = {};
  return shutdown_->status();
}

bool SystemCore::WaitForRoot(Time deadline) {
  Waiter waiter(deadline == kNever ? nullptr : this);
  {
    absl::MutexLock lock(&end_mutex_);
    if (root_stopped_) return true;
    root_waiter_ = &waiter;
  }
  if (waiter.Wait(deadline) == Waiter::Outcome::kWoken) return true;
  {
    absl::MutexLock lock(&end_mutex_);
    if (root_waiter_ == &waiter) {
      root_waiter_ = nullptr;
      return false;
    }
  }
  waiter.Wait();  // the root stops this very moment
  return true;
}

Status SystemCore::StillRunning() const {
  constexpr size_t kNamed = 8;
  const ActorPage page = ListActors(*root_, {.limit = kNamed});
  std::string names;
  for (const ActorInfo& actor : page.actors) absl::StrAppend(&names, " ", actor.path);
  if (!page.next.empty()) names += " ..";
  Status status = absl::DeadlineExceededError(
      absl::StrCat("stop ", options_.name, ": its time is over and these still run:", names));
  logger().Log(LogLevel::kError, "the system has not stopped in time", {{"actors", names}});
  return status;
}

void SystemCore::Fail(Status why) {
  logger().Log(LogLevel::kError, "a failure has reached the root: every actor stops",
               {{"why", why.ToString()}});
  absl::MutexLock lock(&end_mutex_);
  if (failure_.ok()) failure_ = std::move(why);
}

Status SystemCore::WaitUntilStopping() {
  const auto over = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return ending_ || root_stopped_; };
  if (StepDriver* driver = StepDriver::OfThread(); driver != nullptr) {
    driver->RunUntilCertainly([&] {
      absl::MutexLock lock(&end_mutex_);
      return over();
    });
  }
  absl::MutexLock lock(&end_mutex_);
  end_mutex_.Await(absl::Condition(&over));
  return failure_;
}

void SystemCore::SetRouter(Router* router) {
  const uint32_t number = router == nullptr ? 0 : routers_.fetch_add(1) + 1;
  router_number_.store(number, std::memory_order_release);
  router_.store(router, std::memory_order_release);
}

Delivery SystemCore::RouteGrain(const GrainId& id, Message message, Shortcut& shortcut) {
  if (stopping()) {
    std::move(message).Fail(absl::UnavailableError(id.ToString() + ": the system is stopping"));
    return Delivery::kStopped;
  }
  Router* router = this->router();
  const bool here = router == nullptr || (stateless_kinds_.load(std::memory_order_acquire) &&
                                          grain_host_->IsStateless(id.kind));
  if (!here) return router->RouteGrain(id, std::move(message));
  return grain_host_->RouteLocal(id, std::move(message), shortcut);
}

}  // namespace quern::internal
