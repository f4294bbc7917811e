#include "scheduler/step_driver.h"

#include <boost/fiber/algo/round_robin.hpp>
#include <boost/fiber/operations.hpp>

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "actor/mailbox_cell.h"
#include "actor/turn.h"
#include "quern/runtime/check.h"
#include "quern/runtime/logger.h"
#include "scheduler/fiber_stack.h"
#include "scheduler/scheduler.h"
#include "scheduler/worker_algorithm.h"
#include "system/system_core.h"

namespace quern::internal {
namespace {

constexpr uint64_t kPreemptOneIn = 8;
constexpr uint64_t kAnyCellOneIn = 2;  // else the worker's own order
constexpr uint64_t kStrikeOneIn = 16;
constexpr uint64_t kRescueOneIn = 4;     // of the thefts: the owner counts as stuck
constexpr uint64_t kDispatchEvery = 64;  // steps; it frees the fibers that have ended

}  // namespace

// What Boost.Fiber asks on the driver's thread. Fibers come back to the main one whenever they
// suspend; there the next step is chosen.
class StepAlgorithm : public boost::fibers::algo::algorithm {
 public:
  explicit StepAlgorithm(StepDriver* driver) : driver_(driver) {}

  void awakened(boost::fibers::context* context) noexcept override { driver_->Awakened(context); }
  boost::fibers::context* pick_next() noexcept override { return driver_->PickNext(); }
  // Asked when another algorithm takes over: the dispatcher goes with it.
  bool has_ready_fibers() const noexcept override { return driver_->dispatcher_ != nullptr; }
  void suspend_until(const std::chrono::steady_clock::time_point&) noexcept override {}
  void notify() noexcept override {}

 private:
  StepDriver* const driver_;
};

thread_local StepDriver* StepDriver::of_thread_ = nullptr;

StepDriver::StepDriver(uint64_t seed, std::function<void(Duration)> advance)
    : seed_(seed), random_(SeededRandom(seed)), advance_(std::move(advance)) {}

StepDriver::~StepDriver() { QUERN_CHECK(scheduler_ == nullptr); }

void StepDriver::Begin(Scheduler& scheduler) {
  QUERN_CHECK(of_thread_ == nullptr && scheduler_ == nullptr);
  of_thread_ = this;
  scheduler_ = &scheduler;
  stepped_.resize(scheduler.workers().size());
  boost::fibers::use_scheduling_algorithm<StepAlgorithm>(this);
  main_ = Context::active();
  for (const auto& worker : scheduler.workers()) {
    As(*worker, [&] {
      StateOf(*worker).algorithm = new WorkerAlgorithm(worker.get());
      worker->main_ = main_;
      worker->StartRunner();
    });
  }
}

void StepDriver::End() {
  if (scheduler_ == nullptr) return;
  const auto ended = [this] {
    return std::ranges::all_of(scheduler_->workers(),
                               [](const auto& worker) { return worker->runners_ == 0; });
  };
  while (!ended()) QUERN_CHECK(Step());
  RunDispatcher();
  for (const auto& worker : scheduler_->workers()) worker->algorithm_ = nullptr;
  stepped_.clear();
  boost::fibers::use_scheduling_algorithm<boost::fibers::algo::round_robin>();
  scheduler_ = nullptr;
  of_thread_ = nullptr;
}

StepDriver::Stepped& StepDriver::StateOf(const Worker& worker) {
  return stepped_[static_cast<size_t>(worker.index())];
}

bool StepDriver::Step() {
  QUERN_CHECK(Context::active() == main_);
  actions_.clear();
  for (const auto& worker : scheduler_->workers()) Collect(*worker);
  if (actions_.empty()) return false;
  const Action action = actions_[random_->Below(actions_.size())];
  Perform(action);
  if (++steps_ % kDispatchEvery == 0) RunDispatcher();
  return true;
}

void StepDriver::Collect(Worker& worker) {
  if (worker.parked()) return;
  Stepped& state = StateOf(worker);
  if (std::exchange(state.counted_idle, false)) {
    scheduler_->idle_.fetch_sub(1);
    scheduler_->waking_.fetch_sub(1);
  }
  if (state.preempted != nullptr) {
    actions_.push_back({Kind::kContinue, &worker});
    return;
  }
  const size_t before = actions_.size();
  if (!worker.queue_.empty() && worker.idle_ != nullptr) {
    actions_.push_back({Kind::kRunCell, &worker});
  }
  if (worker.algorithm_->has_woken()) actions_.push_back({Kind::kResume, &worker});
  if (worker.HasMail() || worker.timers_.NextDue() <= scheduler_->clock().Now())
    actions_.push_back({Kind::kLookAround, &worker});
  if (scheduler_->HasInjected()) actions_.push_back({Kind::kTakeInjected, &worker});
  if (worker.queue_.empty() && worker.CanTake() && SomebodyHasCells())
    actions_.push_back({Kind::kSteal, &worker});
  if (actions_.size() == before) Park(worker);
}

// As Worker::Park(), without the sleep: Notify() lets it move again.
void StepDriver::Park(Worker& worker) {
  worker.parked_.store(true);
  if (worker.HasOutsideWork()) {
    worker.parked_.store(false);
    return;
  }
  scheduler_->idle_.fetch_add(1);
  StateOf(worker).counted_idle = true;
}

template <typename Fn>
void StepDriver::As(Worker& worker, Fn&& fn) {
  Worker::current_ = &worker;
  fn();
  Worker::current_ = nullptr;
}

void StepDriver::Perform(const Action& action) {
  Worker& worker = *action.worker;
  switch (action.kind) {
    case Kind::kRunCell:
      RunCell(worker);
      break;
    case Kind::kResume: {
      WorkerAlgorithm& algorithm = *worker.algorithm_;
      Context* woken = algorithm.TakeWokenAt(random_->Below(algorithm.woken()));
      const auto* runner = static_cast<const Runner*>(woken->get_properties());
      const bool has_turn = runner != nullptr && runner->turn != nullptr;
      if (!has_turn || !Strikes(Sabotage::kLoseWakeUp)) SwitchTo(worker, woken);
      break;
    }
    case Kind::kLookAround:
      As(worker, [&] { LookAround(worker); });
      break;
    case Kind::kTakeInjected:
      As(worker, [&] { worker.TakeInjected(); });
      break;
    case Kind::kSteal: {
      const auto& workers = scheduler_->workers();
      Worker& victim = *workers[random_->Below(workers.size())];
      if (&victim != &worker) {
        const bool all = Chance(kRescueOneIn);
        As(worker, [&] {
          if (all) victim.tells_.PushForOwner();
          worker.StealFrom(victim, all);
        });
      }
      break;
    }
    case Kind::kContinue:
      SwitchTo(worker, std::exchange(StateOf(worker).preempted, nullptr));
      break;
  }
}

void StepDriver::RunCell(Worker& worker) {
  const size_t size = worker.queue_.size();
  MailboxCell* cell =
      Chance(kAnyCellOneIn) ? worker.queue_.PopAt(random_->Below(size)) : worker.queue_.Pop();
  if (Strikes(Sabotage::kLoseReadyActor)) return;
  if (Strikes(Sabotage::kSwapMessages)) StepSabotage::SwapMessages(*cell);
  if (Strikes(Sabotage::kLoseMessage)) StepSabotage::LoseMessage(*cell);
  if (Strikes(Sabotage::kForgetActivation)) StepSabotage::ForgetActivation(scheduler_->core());
  if (Strikes(Sabotage::kLoseWaiting)) StepSabotage::LoseWaiting(scheduler_->core());
  if (Strikes(Sabotage::kRunBeside)) {
    if (MailboxCell* suspended = SuspendedCell(); suspended != nullptr) {
      worker.queue_.PushBack(std::exchange(cell, suspended));
    }
  }
  worker.stepped_cell_ = cell;
  Runner* runner = std::exchange(worker.idle_, worker.idle_->next_idle);
  --worker.idle_count_;
  SwitchTo(worker, runner->context);
}

// What the idle loop does before it sleeps, but for the shared queue.
void StepDriver::LookAround(Worker& worker) {
  worker.DrainInbox();
  worker.time_moved_.store(false);
  worker.now_ = scheduler_->clock().Now();
  if (worker.timers_.NextDue() <= worker.now_ && Strikes(Sabotage::kLoseTimer)) {
    worker.timers_.Cancel(worker.timers_.First());
  }
  worker.AdvanceTimers();
}

bool StepDriver::SomebodyHasCells() const {
  return BiasedLock::Available() &&
         std::ranges::any_of(scheduler_->workers(),
                             [](const auto& worker) { return !worker->queue_.empty(); });
}

bool StepDriver::Strikes(Sabotage sabotage) {
  return sabotage_ == sabotage && Chance(kStrikeOneIn);
}

MailboxCell* StepDriver::SuspendedCell() const {
  for (const Runner* runner : runners_) {
    const Turn* turn = runner->turn;
    if (turn != nullptr && !turn->in_group && StepSabotage::WouldRunHandler(*turn->cell)) {
      return turn->cell;
    }
  }
  return nullptr;
}

void StepDriver::SwitchTo(Worker& worker, Context* fiber) {
  running_ = &worker;
  next_ = fiber;
  main_->suspend();
  running_ = nullptr;
}

void StepDriver::RunDispatcher() {
  if (dispatcher_ == nullptr) return;
  next_ = std::exchange(dispatcher_, nullptr);
  main_->suspend();
}

void StepDriver::PreemptionPoint(Worker& worker) {
  if (running_ != &worker || worker.runner_ == nullptr || !Chance(kPreemptOneIn)) return;
  StateOf(worker).preempted = Context::active();
  Context::active()->suspend();
}

void StepDriver::Awakened(Context* context) {
  if (context->is_context(boost::fibers::type::dispatcher_context)) {
    dispatcher_ = context;
  } else if (auto* runner = static_cast<Runner*>(context->get_properties()); runner != nullptr) {
    runner->worker->algorithm_->awakened(context);
  } else {
    Worker::Current()->algorithm_->awakened(context);  // a new fiber of this worker
  }
}

// On the fiber that leaves.
boost::fibers::context* StepDriver::PickNext() {
  ExceptionState& thread = *ThreadExceptionState();
  Context* active = Context::active();
  auto* out = static_cast<Runner*>(active->get_properties());
  ExceptionState& kept = out != nullptr ? out->exceptions : main_exceptions_;
  if (active != main_) {
    kept = std::exchange(thread, std::exchange(main_exceptions_, {}));
    if (running_ != nullptr) running_->SetRunner(nullptr);
    Worker::current_ = nullptr;
    NoteStack(nullptr);
    return main_;
  }
  Context* next = std::exchange(next_, nullptr);
  if (next == nullptr) return std::exchange(dispatcher_, nullptr);
  auto* runner = static_cast<Runner*>(next->get_properties());
  kept = std::exchange(
      thread, runner != nullptr ? std::exchange(runner->exceptions, {}) : ExceptionState{});
  Worker::current_ = running_;
  if (running_ != nullptr) running_->SetRunner(runner);
  NoteStack(runner != nullptr ? runner->stack_top : nullptr);
  return next;
}

Time StepDriver::NextDue() const {
  Time due = kNever;
  for (const auto& worker : scheduler_->workers()) due = std::min(due, worker->timers_.NextDue());
  return due;
}

bool StepDriver::RunUntil(const std::function<bool()>& done, Time deadline) {
  while (!done()) {
    if (Step()) continue;
    const Time now = scheduler_->clock().Now();
    const Time due = std::min(NextDue(), deadline);
    if (due == kNever || (due == deadline && now >= deadline)) return false;
    advance_(std::max(due - now, Duration(1)));
  }
  return true;
}

void StepDriver::RunUntilCertainly(const std::function<bool()>& done) {
  if (RunUntil(done, kNever)) return;
  scheduler_->core().logger().Log(LogLevel::kError, "nothing can move, and the test waits",
                                  {{"seed", seed_}, {"parked", DescribeParked()}});
  constexpr bool kSomethingCanEndThisWait = false;
  QUERN_CHECK(kSomethingCanEndThisWait);
}

std::string StepDriver::DescribeParked() const {
  std::string text;
  for (const Runner* runner : runners_) {
    const Turn* turn = runner->turn;
    if (turn == nullptr || turn->cell == nullptr) continue;
    absl::StrAppend(&text, text.empty() ? "" : "\n", turn->cell->Path(), " is parked");
    if (turn->envelope == nullptr) continue;
    const std::string_view message = turn->envelope->signature->message_name;
    absl::StrAppend(&text, " in its handler of ",
                    absl::string_view(message.data(), message.size()));
  }
  return text;
}

}  // namespace quern::internal
