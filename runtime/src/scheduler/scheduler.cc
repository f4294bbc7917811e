#include "scheduler/scheduler.h"

#include <pthread.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <utility>

#include "scheduler/fiber_stack.h"
#include "scheduler/futex.h"
#include "scheduler/signal_stack.h"
#include "scheduler/step_driver.h"
#include "scheduler/waiter.h"
#include "scheduler/watchdog.h"
#include "scheduler/worker.h"
#include "system/system_core.h"

namespace quern::internal {
namespace {

constexpr size_t kInjectedBatchMax = 32;
constexpr int kSpinPauses = 2000;        // about 80 us
constexpr int kSpinPausesCrowded = 200;  // no core to spare

// cpu.max of cgroup v2: "quota period" or "max period"; 0 when there is none.
int CgroupQuota() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return 0;
  return std::max(1, static_cast<int>((std::stod(quota) + period - 1) / period));
}

}  // namespace

int Scheduler::DefaultWorkers() {
  const int hardware = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const int quota = CgroupQuota();
  return quota == 0 ? hardware : std::min(hardware, quota);
}

Scheduler::Scheduler(SystemCore* core, int workers, Clock* clock, StepDriver* driver)
    : core_(core), clock_(clock), driver_(driver) {
  if (workers <= 0) workers = DefaultWorkers();
  workers = std::min(workers, static_cast<int>(kWorkersMax));
  spin_limit_ = workers < static_cast<int>(std::thread::hardware_concurrency())
                    ? kSpinPauses
                    : kSpinPausesCrowded;
  worker_count_ = static_cast<size_t>(workers);
  workers_.resize(worker_count_ + kSpareWorkersMax);
  seen_turns_.resize(workers_.size());
  runners_max_ = RunnersWithin(MappingsMax(), worker_count_);
  for (int i = 0; i < workers; ++i) AddWorker();
  listener_ = clock->AddListener([this] {
    for (const auto& worker : this->workers()) worker->NotifyTime();
    thread_waits_.WakeAll();
  });
  if (driver_ != nullptr) {
    driver_->Begin(*this);
    return;
  }
  threads_.reserve(workers_.size());
  for (const auto& worker : this->workers()) StartThread(worker.get());
}

void Scheduler::AddWorker() {
  const size_t index = made_.load(std::memory_order_relaxed);
  workers_[index] = std::make_unique<Worker>(this, static_cast<int>(index), FutexPoller());
  serving_.fetch_add(1, std::memory_order_seq_cst);
  made_.store(index + 1, std::memory_order_release);
}

void Scheduler::StartThread(Worker* worker) {
  threads_.emplace_back([this, worker] {
    SetUpThread(worker->index());
    SignalStack signal_stack;
    worker->Run();
  });
}

void Scheduler::KeepSpares(int wanted) {
  const auto made = workers().subspan(worker_count_);
  for (const auto& spare : made) {
    const bool on = wanted-- > 0;
    if (spare->on_duty() != on) spare->SetOnDuty(on);
  }
  for (size_t i = made.size(); i < kSpareWorkersMax && wanted > 0; ++i, --wanted) {
    AddWorker();
    StartThread(workers().back().get());
  }
}

// Its name, for debuggers and top, and where it runs.
void Scheduler::SetUpThread(int index) const {
  constexpr size_t kNameBytes = 15;  // what the kernel keeps
  const std::string number = "-" + std::to_string(index);
  const std::string name = core_->options().name.substr(0, kNameBytes - number.size()) + number;
  pthread_setname_np(pthread_self(), name.c_str());
  const std::vector<int>& cpus = core_->options().worker_cpus;
  if (cpus.empty()) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpus[static_cast<size_t>(index) % cpus.size()]), &set);
  pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

Scheduler::~Scheduler() { Stop(); }

void Scheduler::StartWatchdog(Duration limit) {
  if (driver_ == nullptr) watchdog_ = std::make_unique<Watchdog>(core_, limit, &threads_);
}

void Scheduler::Stop() {
  if (std::exchange(stopped_, true)) return;
  watchdog_.reset();
  for (const auto& worker : workers()) worker->Stop();
  if (driver_ != nullptr) driver_->End();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  if (listener_ != 0) clock_->RemoveListener(listener_);
}

Worker* Scheduler::Spinner() const {
  Worker* last = spinner_.load(std::memory_order_seq_cst);
  return last != nullptr && last->open() ? last : nullptr;
}

void Scheduler::Inject(MailboxCell* cell) {
  if (Worker* spinner = Spinner(); spinner != nullptr && spinner->Hand(cell)) return;
  {
    absl::MutexLock lock(&mutex_);
    injected_.PushBack(cell);
    injected_size_.store(injected_.size(), std::memory_order_seq_cst);
  }
  WakeOne();
}

size_t Scheduler::TakeInjected(RunQueue* queue) {
  size_t taken = 0;
  bool more = false;
  {
    absl::MutexLock lock(&mutex_);
    const size_t share = injected_.size() / worker_count_ + 1;
    const size_t wanted = std::min(share, kInjectedBatchMax);
    for (; taken < wanted; ++taken) {
      MailboxCell* cell = injected_.PopFront();
      if (cell == nullptr) break;
      queue->PushBack(cell);
    }
    injected_size_.store(injected_.size(), std::memory_order_seq_cst);
    more = !injected_.empty();
  }
  if (more) WakeOne();
  return taken;
}

void Scheduler::WakeOne() {
  if (Spinner() != nullptr) return;
  // A thread that spins looks after it; when all sleep there is nothing to wait for.
  if (spinning_threads_.load(std::memory_order_seq_cst) > 0 && !AllIdle()) return;
  WakeSleeper();
}

void Scheduler::WakeForWaiting() {
  if (Spinner() != nullptr) return;
  if (HasInjected() || WatchAskedFor()) WakeSleeper();
}

void Scheduler::WakeSleeper() {
  if (waking_.load(std::memory_order_seq_cst) > 0) return;
  for (const auto& worker : workers()) {
    if (worker->on_duty() && worker->Notify()) return;
  }
}

// What it has left may have woken nobody else.
void Scheduler::Awake() {
  waking_.fetch_sub(1, std::memory_order_seq_cst);
  if (HasInjected()) WakeOne();
}

void Scheduler::OnParked() {
  if (quiet_waiters_.load(std::memory_order_seq_cst) > 0) FutexWakeAll(&quiet_);
}

void Scheduler::WaitUntilQuiet() {
  if (driver_ != nullptr) {
    while (driver_->Step()) {
    }
    return;
  }
  quiet_waiters_.fetch_add(1, std::memory_order_seq_cst);
  for (;;) {
    const uint32_t seen = quiet_.load(std::memory_order_seq_cst);
    // Who sleeps in both passes and has not gone to sleep meanwhile was asleep between them: one
    // may wake by its own timer and take over the cells of another.
    const auto all_asleep = [this] {
      return std::ranges::all_of(
          workers(), [](const auto& worker) { return worker->parked() && !worker->HasMail(); });
    };
    if (!HasInjected() && all_asleep() && all_asleep() &&
        quiet_.load(std::memory_order_seq_cst) == seen) {
      break;
    }
    FutexWait(quiet_, seen, std::chrono::milliseconds(10));
  }
  quiet_waiters_.fetch_sub(1, std::memory_order_seq_cst);
}

void ThreadWaits::Add(Waiter* waiter) {
  absl::MutexLock lock(&mutex_);
  waiters_.push_back(waiter);
}

void ThreadWaits::Remove(Waiter* waiter) {
  absl::MutexLock lock(&mutex_);
  std::erase(waiters_, waiter);
}

void ThreadWaits::WakeAll() {
  absl::MutexLock lock(&mutex_);
  for (Waiter* waiter : waiters_) waiter->LookAgain();
}

}  // namespace quern::internal
