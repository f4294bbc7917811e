#include "scheduler/watchdog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <chrono>
#include <optional>
#include <string>

#include "collecting_logger.h"
#include "posix_semaphore.h"
#include "quern/quern.h"
#include "quern/testing/fake_clock.h"
#include "scheduler/scheduler.h"
#include "system/system_core.h"

namespace quern {
namespace {

using testing::FakeClock;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

struct Hold {
  PosixSemaphore* reached;
  PosixSemaphore* open;
};
// With the thread's signals blocked.
struct HoldDeaf {
  Hold hold;
};
struct Ping {};
struct GetThread {};
struct HolderApi : Protocol<void(Hold), void(HoldDeaf), int(Ping), pthread_t(GetThread)> {};

// Not inlined, and found in the stack by its name.
__attribute__((noinline)) void HoldTheWorkerHere(const Hold& m) {
  m.reached->release();
  m.open->acquire();
}

struct Holder : Actor<HolderApi> {
  void On(const Hold& m) { HoldTheWorkerHere(m); }
  void On(const HoldDeaf& m) {
    sigset_t all;
    sigset_t former;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &former);
    HoldTheWorkerHere(m.hold);
    pthread_sigmask(SIG_SETMASK, &former, nullptr);
  }
  int On(const Ping&) { return 1; }
  pthread_t On(const GetThread&) { return pthread_self(); }
};

// Keeps a thread wherever it is, as a machine does that has no core for it.
class FrozenThread {
 public:
  explicit FrozenThread(pthread_t thread) {
    struct sigaction action{};
    action.sa_handler = [](int) {
      frozen.release();
      thaw.acquire();
      thawed.release();
    };
    sigfillset(&action.sa_mask);
    sigaction(SIGUSR1, &action, &former_);
    pthread_kill(thread, SIGUSR1);
    frozen.acquire();
  }
  ~FrozenThread() {
    thaw.release();
    thawed.acquire();
    sigaction(SIGUSR1, &former_, nullptr);
  }
  FrozenThread(const FrozenThread&) = delete;
  FrozenThread& operator=(const FrozenThread&) = delete;

 private:
  static inline PosixSemaphore frozen{0};
  static inline PosixSemaphore thaw{0};
  static inline PosixSemaphore thawed{0};
  struct sigaction former_{};
};

class WatchdogTest : public ::testing::Test {
 protected:
  void HoldIt() {
    holder_.Tell(Hold{&reached_, &open_});
    reached_.acquire();
  }
  // Moves the clock until the watchdog, on its own thread, has seen enough of it.
  WorkerHeld NextReport() {
    for (;;) {
      clock_.AdvanceBy(kWatchdogDefault / 4);
      if (std::optional<WorkerHeld> report = reports_.TryNext()) return *report;
    }
  }

  // Time enough for several reports, if there were a reason for one.
  void LetItLook() {
    const internal::Watchdog& watchdog = *system_.core()->scheduler().watchdog();
    const uint64_t enough = watchdog.looks() + 20;
    while (watchdog.looks() < enough) clock_.AdvanceBy(kWatchdogDefault);
  }

  FakeClock clock_;
  CollectingLogger logger_;
  PosixSemaphore reached_{0};  // outlive the worker that waits at them
  PosixSemaphore open_{0};
  System system_{SystemOptions{.name = "test", .workers = 1, .clock = &clock_, .logger = &logger_}};
  EventQueue<WorkerHeld> reports_ = system_.events().Subscribe<WorkerHeld>().value();
  Ref<HolderApi> holder_ = system_.Spawn<Holder>("holder").value();
};

TEST_F(WatchdogTest, NamesTheActorTheMessageAndTheStack) {
  HoldIt();

  const WorkerHeld report = NextReport();
  open_.release();

  EXPECT_EQ(report.path, "/holder");
  EXPECT_THAT(report.message, HasSubstr("Hold"));
  EXPECT_EQ(report.worker, 0);
  EXPECT_GE(report.held, kWatchdogDefault);
  EXPECT_THAT(report.stack, HasSubstr("HoldTheWorkerHere"));
  EXPECT_EQ(logger_.Count("a handler holds its worker"), 1u);
  EXPECT_EQ(holder_.Ask(Ping{}, 1h).value(), 1);
}

TEST_F(WatchdogTest, AThreadThatTakesNoSignalIsReportedWithoutItsStack) {
  holder_.Tell(HoldDeaf{{&reached_, &open_}});
  reached_.acquire();

  const WorkerHeld report = NextReport();
  open_.release();

  EXPECT_EQ(report.worker, 0);
  EXPECT_EQ(report.path, "");
  EXPECT_EQ(report.stack, "");
}

TEST_F(WatchdogTest, ReportsOnceAnOccurrence) {
  HoldIt();
  NextReport();
  LetItLook();
  EXPECT_FALSE(reports_.TryNext().has_value());
  open_.release();
  system_.WaitUntilQuiet();

  HoldIt();
  NextReport();
  open_.release();

  EXPECT_FALSE(reports_.TryNext().has_value());
}

TEST_F(WatchdogTest, AnIdleWorkerIsNotHeld) {
  system_.WaitUntilQuiet();
  LetItLook();

  EXPECT_FALSE(reports_.TryNext().has_value());
}

TEST_F(WatchdogTest, AnIdleWorkerWithoutACoreIsNotHeld) {
  const pthread_t thread = holder_.Ask(GetThread{}).value();
  system_.WaitUntilQuiet();
  {
    FrozenThread frozen(thread);
    LetItLook();
  }

  EXPECT_FALSE(reports_.TryNext().has_value());
}

TEST_F(WatchdogTest, ZeroTurnsItOff) {
  EXPECT_TRUE(System::Start({.watchdog_after = 0s}).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(System::Start({.watchdog_after = -1s}).status()));
}

}  // namespace
}  // namespace quern
