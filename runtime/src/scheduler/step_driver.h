// Runs the workers of a system on one thread, one step at a time, in an order drawn from a seed:
// what quern::testing::StepSystem stands on. Cells, mailboxes, turns, waiters, timers, inboxes and
// the shared queue are the production's own; only who moves next is decided here.
//
//   StepDriver driver(seed, [&](Duration by) { clock.AdvanceBy(by); });
//   System system({.clock = &clock, .step_driver = &driver});   // no threads
//   while (driver.Step()) {}
//
// A step is one of: a worker runs a ready cell until its turn ends or suspends; a worker resumes a
// woken fiber; it looks into its inbox and at its timers; it takes from the shared queue; a
// preempted fiber goes on. Workers park and are notified as their threads would, so that a missing
// wake-up leaves the system stuck. A fiber may be preempted wherever the runtime reads the clock
// (between messages, before an ask): its worker then does nothing until it goes on, as a
// descheduled thread.
//
// Everything belongs to the thread that made it, which becomes a thread of fibers until End().

#ifndef QUERN_RUNTIME_SRC_SCHEDULER_STEP_DRIVER_H_
#define QUERN_RUNTIME_SRC_SCHEDULER_STEP_DRIVER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/fiber/context.hpp>
#include <boost/intrusive_ptr.hpp>

#include "quern/runtime/clock.h"
#include "quern/runtime/random.h"
#include "scheduler/step_sabotage.h"
#include "scheduler/worker.h"
#include "scheduler/worker_algorithm.h"

namespace quern::internal {

class Scheduler;
class StepAlgorithm;

class StepDriver {
 public:
  StepDriver(uint64_t seed, std::function<void(Duration)> advance);
  ~StepDriver();
  StepDriver(const StepDriver&) = delete;
  StepDriver& operator=(const StepDriver&) = delete;

  // The one that has begun on the calling thread, or null.
  static StepDriver* OfThread() { return of_thread_; }

  // By the scheduler, around the life of its workers.
  void Begin(Scheduler& scheduler);
  void End();

  // One step at the present time. False: nothing can move until the clock does.
  bool Step();

  // Steps, and moves the clock to the next timer whenever nothing else can move, until `done()`.
  // False: the clock stands at `deadline`, or nothing can ever move.
  bool RunUntil(const std::function<bool()>& done, Time deadline);

  // As RunUntil without a deadline, for what nobody can give up on. Stuck: prints who is parked and
  // ends the program.
  void RunUntilCertainly(const std::function<bool()>& done);

  // The first timer of any worker, or earlier (a cascade); kNever without one.
  Time NextDue() const;

  // One line a handler that is parked: which actor, in which handler.
  std::string DescribeParked() const;

  // A fiber of a worker begins and ends.
  void AddRunner(Runner* runner) { runners_.push_back(runner); }
  void RemoveRunner(Runner* runner) { std::erase(runners_, runner); }

  // From now on, now and then, what the bug would do.
  void Plant(Sabotage sabotage) { sabotage_ = sabotage; }

  uint64_t steps() const { return steps_; }
  uint64_t seed() const { return seed_; }

  // The runtime is between two actions on `worker`: others may go first.
  void PreemptionPoint(Worker& worker);

 private:
  friend class StepAlgorithm;
  using Context = boost::fibers::context;

  enum class Kind : uint8_t { kRunCell, kResume, kLookAround, kTakeInjected, kSteal, kContinue };
  struct Action {
    Kind kind;
    Worker* worker;
  };
  struct Stepped {
    boost::intrusive_ptr<WorkerAlgorithm> algorithm;
    Context* preempted = nullptr;
    bool counted_idle = false;
  };

  void Collect(Worker& worker);
  void Perform(const Action& action);
  void Park(Worker& worker);
  // As the worker's idle loop would, on this thread.
  template <typename Fn>
  void As(Worker& worker, Fn&& fn);
  void SwitchTo(Worker& worker, Context* fiber);
  void RunDispatcher();
  Stepped& StateOf(const Worker& worker);
  bool Chance(uint64_t one_in) { return random_->Below(one_in) == 0; }

  bool SomebodyHasCells() const;
  bool Strikes(Sabotage sabotage);
  void RunCell(Worker& worker);
  void LookAround(Worker& worker);
  MailboxCell* SuspendedCell() const;

  // For the algorithm.
  void Awakened(Context* context);
  Context* PickNext();

  static thread_local StepDriver* of_thread_;

  const uint64_t seed_;
  const std::unique_ptr<Random> random_;
  const std::function<void(Duration)> advance_;
  Scheduler* scheduler_ = nullptr;
  std::vector<Stepped> stepped_;
  std::vector<Runner*> runners_;
  std::vector<Action> actions_;  // of the step being chosen
  Context* main_ = nullptr;
  Context* dispatcher_ = nullptr;  // null while it runs
  Context* next_ = nullptr;        // where the main fiber goes
  Worker* running_ = nullptr;
  ExceptionState main_exceptions_;
  uint64_t steps_ = 0;
  Sabotage sabotage_ = Sabotage::kNone;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SCHEDULER_STEP_DRIVER_H_
