// A System without threads: the test's own thread runs several virtual workers, and a seed decides
// at every step which worker moves and what it does. The same seed gives the same run.
//
//   for (uint64_t seed = 1; seed <= 100; ++seed) {
//     StepSystem system({.seed = seed});
//     auto till = system.Spawn<Till>("till").value();
//     till.Tell(Pay{5});
//     EXPECT_EQ(till.Ask(Total{}).value(), 5);   // steps until the answer is there
//   }
//
// Actors, mailboxes, turns, timers, stop and restart are the production's code; what is chosen is
// the order: of ready actors, of woken handlers, of mail between workers, of timers due together,
// and where a turn is interrupted (between messages, before an ask). Time is virtual. An Ask, and
// whatever else waits on the test's thread, steps until it is over and moves the clock to the next
// timer whenever nothing else can move: nothing ever hangs. An ask that gets no answer returns
// DEADLINE_EXCEEDED and Parked() names who is waiting; a wait without a deadline that nothing can
// end prints the same and ends the program.
//
// Not explored: two threads inside one data structure at the same instant (the runtime's atomics
// are not taken apart; ThreadSanitizer on a real System looks there), code that blocks a thread,
// and the operating system's sleep. While it lives a test's failure also prints the seed.
//
// Belongs to the thread that made it; one at a time on a thread. A Ref may be told from others.

#ifndef QUERN_TESTING_STEP_SYSTEM_H_
#define QUERN_TESTING_STEP_SYSTEM_H_

#include <cstdint>
#include <memory>
#include <source_location>
#include <string>

#include <gtest/gtest.h>

#include "quern/runtime/clock.h"
#include "quern/runtime/random.h"
#include "quern/runtime/system.h"
#include "quern/runtime/system_options.h"
#include "quern/testing/fake_clock.h"

namespace quern::testing {

struct StepOptions {
  uint64_t seed = 1;
  int workers = 3;
  // Its clock, random and workers are the step system's own.
  SystemOptions system{};
};

namespace internal {

// What must exist before the System does.
class StepParts {
 protected:
  explicit StepParts(const StepOptions& options);
  ~StepParts();
  SystemOptions Options(const StepOptions& options);

  struct DriverDeleter {
    void operator()(quern::internal::StepDriver* driver) const;
  };

  FakeClock clock_;
  std::unique_ptr<Random> random_;
  std::unique_ptr<quern::internal::StepDriver, DriverDeleter> driver_;
};

}  // namespace internal

class StepSystem : private internal::StepParts, public System {
 public:
  explicit StepSystem(const StepOptions& options = {},
                      std::source_location where = std::source_location::current())
      : StepParts(options),
        System(Options(options)),
        seed_(options.seed),
        trace_(where.file_name(), static_cast<int>(where.line()),
               "seed " + std::to_string(options.seed)) {}

  // One step at the present time. False: nothing can move until the clock does.
  bool Step();

  // Steps until nothing can move at the present time. Returns how many steps that took.
  uint64_t RunUntilIdle();

  // Lets `duration` go by: whatever is due meanwhile happens at its time, then the clock stands at
  // the end and nothing can move.
  void RunFor(Duration duration);

  // One line a handler that is suspended: which actor, in which handler. "" when there is none.
  std::string Parked() const;

  Clock& clock() { return clock_; }
  uint64_t seed() const { return seed_; }
  uint64_t steps() const;

 private:
  const uint64_t seed_;
  ::testing::ScopedTrace trace_;
};

}  // namespace quern::testing

#endif  // QUERN_TESTING_STEP_SYSTEM_H_
