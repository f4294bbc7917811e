#include "scheduler/worker.h"

#include <boost/fiber/fiber.hpp>
#include <boost/fiber/operations.hpp>

#include <algorithm>
#include <memory>
#include <utility>

#include "actor/turn.h"
#include "quern/runtime/limits.h"
#include "scheduler/cpu_pause.h"
#include "scheduler/fiber_stack.h"
#include "scheduler/scheduler.h"
#include "scheduler/step_driver.h"
#include "scheduler/worker_algorithm.h"

namespace quern::internal {
namespace {

constexpr int kClockEveryMessages = 8;  // a power of two
constexpr uint32_t kPollEveryTurnsMin = 8;
constexpr uint32_t kPollEveryTurnsMax = 32;
constexpr Duration kPollOften = std::chrono::microseconds(20);  // polls this close become fewer
constexpr uint32_t kDispatchEveryTurns = 1024;
constexpr Duration kShortSleep = std::chrono::microseconds(50);  // with its wake-up
constexpr Duration kWatchEvery = std::chrono::milliseconds(2);
constexpr Duration kWatchGapMax = std::chrono::milliseconds(100);
constexpr uint64_t kWatchEveryTurns = 1 << 14;  // by one that is busy: half a millisecond or more

}  // namespace

constinit thread_local Worker* Worker::current_ = nullptr;

Turn* CurrentTurn() {
  Worker* worker = Worker::Current();
  return worker == nullptr ? nullptr : worker->turn();
}

Worker::Worker(Scheduler* scheduler, int index, std::unique_ptr<Poller> poller)
    : scheduler_(scheduler),
      index_(index),
      driver_(scheduler->step_driver()),
      poller_(std::move(poller)),
      timers_(scheduler->clock().Now()),
      blocks_(&scheduler->depot()),
      now_(scheduler->clock().Now()),
      clock_mask_(driver_ == nullptr ? kClockEveryMessages - 1 : 0),
      counts_ticks_(&scheduler->clock() == &SystemClock()),
      spin_limit_(scheduler->spin_limit()) {}

Worker::~Worker() = default;

void Worker::Run() {
  current_ = this;
  boost::fibers::use_scheduling_algorithm<WorkerAlgorithm>(this);
  main_ = boost::fibers::context::active();
  idling_.store(false, std::memory_order_relaxed);
  StartRunner();
  Waiter stopped;
  stop_waiter_ = &stopped;
  stopped.Wait();
}

void Worker::Stop() {
  static constexpr auto kRun = [](Worker& worker, InboxItem* item) {
    delete item;
    worker.stopping_ = true;
    while (worker.idle_ != nullptr) {
      Runner* runner = std::exchange(worker.idle_, worker.idle_->next_idle);
      worker.algorithm_->awakened(runner->context);
    }
    worker.idle_count_ = 0;
    if (worker.runners_ == 0 && worker.stop_waiter_ != nullptr) worker.stop_waiter_->Wake();
  };
  Post(new InboxItem{nullptr, kRun});
}

void Worker::Post(InboxItem* item) {
  InboxItem* head = inbox_.load(std::memory_order_relaxed);
  do {
    item->next = head;
  } while (!inbox_.compare_exchange_weak(head, item, std::memory_order_seq_cst));
  Notify();
}

bool Worker::Notify() {
  if (!parked_.load(std::memory_order_seq_cst)) return false;
  if (!parked_.exchange(false, std::memory_order_seq_cst)) return false;
  scheduler_->waking_.fetch_add(1, std::memory_order_seq_cst);
  poller_->Wake();
  return true;
}

void Worker::NotifyTime() {
  time_moved_.store(true, std::memory_order_seq_cst);
  Notify();
}

bool Worker::Hand(MailboxCell* cell) {
  MailboxCell* open = kOpen;
  return handed_.compare_exchange_strong(open, cell, std::memory_order_seq_cst);
}

void Worker::PassOnCell() {
  if (driver_ != nullptr || !scheduler_->HasIdleWorker()) return;
  if (MailboxCell* cell = queue_.Pop(); cell != nullptr) scheduler_->Inject(cell);
}

Time Worker::ReadClock() {
  if (driver_ != nullptr) [[unlikely]]
    driver_->PreemptionPoint(*this);
  return now_ = scheduler_->clock().Now();
}

Time Worker::NowForTimeout(Duration timeout) {
  constexpr Duration kFar = RecentClock::kAheadMax * 100;
  if (timeout < kFar || !counts_ticks_) return ReadClock();
  return recent_clock_.Now([this] { return ReadClock(); });
}

bool Worker::InFiber() const {
  return runner_ != nullptr || boost::fibers::context::active() == main_;
}

void Worker::StartRunner() {
  ++runners_;
  ++starting_;
  boost::fibers::fiber(boost::fibers::launch::post, std::allocator_arg, FiberStack(), [this] {
    driver_ == nullptr ? RunnerBody() : SteppedRunnerBody();
  }).detach();
}

// Three parts of a loop that turns a few dozen nanoseconds long go round.
[[gnu::always_inline]] inline MailboxCell* Worker::NextCell() {
  MailboxCell* cell = queue_.Pop();
  return cell != nullptr || !Poll() ? cell : queue_.Pop();
}

[[gnu::always_inline]] inline void Worker::EnsureSpare() {
  if (idle_ == nullptr && starting_ == 0) [[unlikely]] {
    StartSpare();
  }
}

[[gnu::always_inline]] inline void Worker::AfterTurn() {
  const uint64_t turns = this->turns() + 1;
  turns_.store(turns, std::memory_order_relaxed);
  Beat();
  if (turns >= poll_at_turn_) [[unlikely]] {
    LookAround(turns);
  } else if (inbox_.load(std::memory_order_relaxed) != nullptr) [[unlikely]] {
    DrainInbox();
  }
}

// The worker joins its runners: Run() returns when the last one has left.
void Worker::RunnerBody() {
  Runner* runner = AdoptFiber(__builtin_frame_address(0));
  --starting_;
  while (!stopping_) {
    MailboxCell* cell = nullptr;
    if (!algorithm_->has_woken() && !algorithm_->dispatch_due()) {
      cell = NextCell();
      if (cell == nullptr && !algorithm_->has_woken()) cell = SpinForCell();
    }
    if (cell == nullptr) {
      if (stopping_ || idle_count_ >= kRunnersIdleMax) break;
      // Idle, not yielded: it may be handed the queue again at once.
      runner->next_idle = std::exchange(idle_, runner);
      ++idle_count_;
      runner->context->suspend();
      // Woken for the queue: one turn, whoever else is ready.
      if (stopping_ || (cell = NextCell()) == nullptr) continue;
    }
    EnsureSpare();
    cell->RunTurn(*this);
    AfterTurn();
  }
  RunnerGone();
}

// The driver hands over one cell at a time, and everything else a worker does between turns.
void Worker::SteppedRunnerBody() {
  Runner* runner = AdoptFiber(__builtin_frame_address(0));
  --starting_;
  while (!stopping_ && idle_count_ < kRunnersIdleMax) {
    runner->next_idle = std::exchange(idle_, runner);
    ++idle_count_;
    runner->context->suspend();
    MailboxCell* cell = std::exchange(stepped_cell_, nullptr);
    if (cell == nullptr) continue;
    EnsureSpare();
    cell->RunTurn(*this);
    turns_.store(turns() + 1, std::memory_order_relaxed);
  }
  RunnerGone();
}

void Worker::RunnerGone() {
  if (driver_ != nullptr) driver_->RemoveRunner(runner_);
  (runner_->previous == nullptr ? runners_list_ : runner_->previous->next) = runner_->next;
  if (runner_->next != nullptr) runner_->next->previous = runner_->previous;
  if (--runners_ == 0 && stopping_ && stop_waiter_ != nullptr) stop_waiter_->Wake();
}

Runner* Worker::AdoptFiber(const void* frame) {
  auto* context = boost::fibers::context::active();
  auto* runner = new Runner(context, this);
  context->set_properties(runner);
  SetRunner(runner);
  runner->stack_top = frame;
  NoteStack(frame);
  if (driver_ != nullptr) driver_->AddRunner(runner);
  runner->next = std::exchange(runners_list_, runner);
  if (runner->next != nullptr) runner->next->previous = runner;
  return runner;
}

void Worker::StartFiber(Turn* turn, std::function<void()> body) {
  ++runners_;
  boost::fibers::fiber(boost::fibers::launch::post, std::allocator_arg, FiberStack(),
                       [this, turn, body = std::move(body)] {
                         AdoptFiber(__builtin_frame_address(0));
                         SetTurn(turn);
                         body();
                         RunnerGone();
                       })
      .detach();
}

// Nobody is left to take over the queue.
void Worker::StartSpare() {
  if (runners_ < scheduler_->runners_max()) {
    StartRunner();
  } else if (!queue_.empty()) {
    stalls_.fetch_add(1, std::memory_order_relaxed);
  }
}

void Worker::LookAround(uint64_t turns) {
  const Time polled = std::exchange(polled_at_, ReadClock());
  const bool often = polled_at_ - polled < kPollOften;
  poll_every_ = often ? std::min(poll_every_ * 2, kPollEveryTurnsMax) : kPollEveryTurnsMin;
  poll_at_turn_ = turns + poll_every_;
  Poll();
  if (scheduler_->HasInjected()) TakeInjected();
  if (turns >= dispatch_at_turn_) {
    dispatch_at_turn_ = turns + kDispatchEveryTurns;
    algorithm_->RequestDispatch();
  }
  if (turns >= watch_at_turn_) {
    watch_at_turn_ = turns + kWatchEveryTurns;
    WatchOnce();
  }
}

// Fibers that neither run, nor are idle, nor have yet to begin.
void Worker::PublishCounts() {
  counts_.Publish(runners_ - idle_count_ - starting_ - (runner_ != nullptr ? 1 : 0));
}

WorkerCounts::Seen Worker::SeenCounts() {
  if (driver_ != nullptr) PublishCounts();
  return counts_.seen();
}

bool Worker::Poll() {
  bool found = DrainInbox();
  if (time_moved_.load(std::memory_order_relaxed) && time_moved_.exchange(false)) ReadClock();
  AdvanceTimers();
  if (queue_.empty()) found |= TakeInjected();
  return found || !queue_.empty() || algorithm_->has_woken();
}

bool Worker::DrainInbox() {
  if (inbox_.load(std::memory_order_relaxed) == nullptr) return false;
  InboxItem* newest = inbox_.exchange(nullptr, std::memory_order_seq_cst);
  InboxItem* oldest = nullptr;
  while (newest != nullptr) {
    InboxItem* next = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  while (oldest != nullptr) {
    InboxItem* item = std::exchange(oldest, oldest->next);
    item->run(*this, item);
  }
  return true;
}

void Worker::TakeHanded(Worker& from) {
  MailboxCell* cell = from.handed_.load(std::memory_order_seq_cst);
  if (IsCell(cell) &&
      from.handed_.compare_exchange_strong(cell, nullptr, std::memory_order_seq_cst)) {
    queue_.PushBack(cell);
  }
}

bool Worker::TakeInjected() {
  if (!scheduler_->HasInjected() || !on_duty()) return false;
  const size_t taken = scheduler_->TakeInjected(&queue_);
  if (taken > 1) PassOnWatch();
  return taken != 0;
}

void Worker::AdvanceTimers() {
  if (timers_.size() != 0) timers_.Advance(now_);
}

bool Worker::HasOutsideWork() const {
  // With cells of its own that no runner is left to run, it has no use for more.
  return HasMail() || on_duty_.load(std::memory_order_seq_cst) != serving_ ||
         (queue_.empty() && scheduler_->HasInjected() && serving_) || algorithm_->dispatch_due();
}

void Worker::IdleUntil(const std::chrono::steady_clock::time_point& limit) {
  idling_.store(true, std::memory_order_relaxed);
  LookForWork(limit);
  idling_.store(false, std::memory_order_relaxed);
}

void Worker::LookForWork(const std::chrono::steady_clock::time_point& limit) {
  // A long spin in vain is a part of the time without work.
  const bool has_spun = std::exchange(spun_in_vain_, false);
  const Time now = ReadClock();
  const Time began = has_spun ? spin_began_.value_or(now) : now;
  theft_pause_.Ended(now);
  bool slept = false;
  // Once: who then wakes in vain, to watch or behind somebody quicker, only takes up a core.
  for (bool may_spin = !has_spun;; may_spin = false) {
    Poll();
    if (std::exchange(woken_, false)) scheduler_->Awake();
    if (algorithm_->has_ready_fibers() || algorithm_->dispatch_due()) {
      if (slept) NoteSlept(now_ - began);
      PassOnLeft();
      return;
    }
    std::optional<Duration> timeout;
    if (const Time due = NextDue(); due != kNever) timeout = due - now_;
    // Only users' own Boost primitives set a limit: the runtime sleeps on its timer wheel.
    if (limit != std::chrono::steady_clock::time_point::max()) {
      const Duration left = limit - std::chrono::steady_clock::now();
      timeout = timeout.has_value() ? std::min(*timeout, left) : left;
      if (left <= Duration::zero()) return;
    }
    PublishCounts();
    if (const bool on = on_duty(); on != serving_) {
      serving_ = on;
      scheduler_->serving_.fetch_add(on ? 1 : -1, std::memory_order_seq_cst);
    }
    if (!serving_) {
      RestOffDuty(timeout);
      ReadClock();
      continue;
    }
    scheduler_->idle_.fetch_add(1, std::memory_order_seq_cst);
    const bool found = may_spin && MaySpin() && Spin();
    const bool stolen = !found && Steal();
    if (!found && !stolen) {
      Sleep(timeout);
      slept = true;
    }
    scheduler_->idle_.fetch_sub(1, std::memory_order_seq_cst);
    if (stolen) return PassOnLeft();
    ReadClock();
  }
}

// Of what it wakes for by itself.
Time Worker::NextDue() {
  if (scheduler_->manual_clock()) return kNever;
  const Time due = timers_.NextDue();
  const bool may_steal_later = !theft_pause_.Over(now_) && StealVictim() != nullptr;
  return may_steal_later ? std::min(due, theft_pause_.until()) : due;
}

// So short that a spin would have been better.
void Worker::NoteSlept(Duration slept) {
  if (slept < kShortSleep) spin_limit_ = scheduler_->spin_limit();
}

// What another worker waits for is often back within a microsecond: a runner that waits for it
// where it stands needs no switch of fibers and no clock.
MailboxCell* Worker::SpinForCell() {
  if (!MaySpin() || !serving_ || !on_duty() || theft_pause_.began()) return nullptr;
  idling_.store(true, std::memory_order_relaxed);
  scheduler_->idle_.fetch_add(1, std::memory_order_seq_cst);
  const bool found = Spin();
  scheduler_->idle_.fetch_sub(1, std::memory_order_seq_cst);
  idling_.store(false, std::memory_order_relaxed);
  Beat();
  spun_in_vain_ = !found;
  if (!found) return nullptr;
  MailboxCell* cell = queue_.Pop();
  return cell != nullptr || !Poll() ? cell : queue_.Pop();
}

// One is enough.
bool Worker::MaySpin() const { return spin_limit_ != 0 && scheduler_->Spinner() == nullptr; }

bool Worker::Spin() {
  constexpr int kLong = 64;  // a few microseconds: for the clock, and who waits for the dispatcher
  const bool has_runner = runner_ != nullptr || idle_ != nullptr;  // for a cell
  if (has_runner) {
    if (scheduler_->spinner_.load(std::memory_order_relaxed) != this) {
      scheduler_->spinner_.store(this, std::memory_order_seq_cst);
    }
    handed_.store(kOpen, std::memory_order_seq_cst);
  }
  spin_began_.reset();
  int spins = 0;
  bool found = false;
  for (; spins < spin_limit_ && !found; ++spins) {
    if (spins == kLong) spin_began_ = ReadClock();
    CpuPause();
    found = HasOutsideWork();
  }
  const bool handed = has_runner && Shut();
  found |= handed;
  if (found && spins > kLong) {
    ReadClock();
    if (runner_ != nullptr) algorithm_->RequestDispatch();  // else it is the dispatcher that spins
  }
  if (handed) {
    scheduler_->WakeForWaiting();
  } else if (found) {
    PassOnLeft();
  }
  // Spins that find something grow, others shrink.
  spin_limit_ = found ? std::min(scheduler_->spin_limit(), spin_limit_ * 2) : spin_limit_ / 2;
  return found || HasOutsideWork();
}

// Who wanted a watch while this one was looking for work may have woken nobody.
void Worker::PassOnLeft() {
  if (scheduler_->WatchAskedFor()) scheduler_->WakeForWaiting();
}

bool Worker::Shut() {
  MailboxCell* cell = handed_.exchange(nullptr, std::memory_order_seq_cst);
  if (!IsCell(cell)) return false;
  queue_.PushBack(cell);
  return true;
}

// While others are busy one of those that sleep looks after them: a handler that does not return
// would keep what waits behind it.
void Worker::Sleep(std::optional<Duration> timeout) {
  if (!BeginWatch()) {
    // Whoever watches may find something to do, and not come back.
    if (!scheduler_->AllIdle()) timeout = std::min(timeout.value_or(kWatchGapMax), kWatchGapMax);
    return Park(timeout);
  }
  Park(std::min(timeout.value_or(kWatchEvery), kWatchEvery));
  Rescue();
  EndWatch();
}

void Worker::Park(std::optional<Duration> limit) {
  scheduler_->OnParking();
  parked_.store(true, std::memory_order_seq_cst);
  const bool wanted = serving_ && scheduler_->WatchAskedFor();
  if (!HasOutsideWork() && !wanted) {
    parks_.fetch_add(1, std::memory_order_seq_cst);
    scheduler_->OnParked();
    poller_->Wait(limit);
  }
  woken_ = !parked_.exchange(false, std::memory_order_seq_cst);
}

}  // namespace quern::internal
