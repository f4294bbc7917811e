#include "quern/runtime/shutdown.h"
#include "posix_semaphore.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <absl/strings/str_cat.h>

#include "collecting_logger.h"
#include "quern/quern.h"
#include "quern/testing/fake_clock.h"

namespace quern {
namespace {

using ::testing::ElementsAre;
using testing::FakeClock;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

struct Ping {};
struct Hold {
  PosixSemaphore* reached;
  PosixSemaphore* open;
};
struct EchoApi : Protocol<int(Ping), void(Hold)> {};
struct Echo : Actor<EchoApi> {
  int On(const Ping&) { return 1; }
  void On(const Hold& m) {
    m.reached->release();
    m.open->acquire();
  }
};

class ShutdownTest : public ::testing::Test {
 protected:
  Shutdown::Hook Write(std::string what, Status result = absl::OkStatus()) {
    return [this, what, result] {
      diary_.push_back(what);
      return result;
    };
  }
  void On(ShutdownPhase phase, std::string name, Shutdown::Hook hook, HookPolicy policy = {}) {
    ASSERT_TRUE(system_->shutdown().On(phase, name, std::move(hook), policy).ok());
  }

  std::vector<std::string> diary_;
  FakeClock clock_;
  CollectingLogger logger_;
  std::unique_ptr<System> system_ =
      System::Start({.name = "test", .workers = 1, .clock = &clock_, .logger = &logger_}).value();
};

constexpr auto kBeforeStop = ShutdownPhase::kBeforeStop;
constexpr auto kBeforeActorsStop = ShutdownPhase::kBeforeActorsStop;
constexpr auto kAfterActorsStop = ShutdownPhase::kAfterActorsStop;

TEST_F(ShutdownTest, PhasesRunInOrderAndHooksInTheirs) {
  On(kAfterActorsStop, "c", Write("after"));
  On(kBeforeStop, "a", Write("before 1"));
  On(kBeforeActorsStop, "b", Write("actors"));
  On(kBeforeStop, "a", Write("before 2"));

  EXPECT_TRUE(system_->StopWithin(1h).ok());

  EXPECT_THAT(diary_, ElementsAre("before 1", "before 2", "actors", "after"));
}

TEST_F(ShutdownTest, ActorsAnswerUntilTheyStop) {
  auto echo = system_->Spawn<Echo>("echo").value();
  const auto ask = [&] {
    diary_.push_back(echo.Ask(Ping{}).ok() ? "answered" : "gone");
    return absl::OkStatus();
  };
  On(kBeforeStop, "a", [&] {
    diary_.push_back(system_->Spawn<Echo>("late").ok() ? "spawned" : "refused");
    return ask();
  });
  On(kBeforeActorsStop, "b", ask);
  On(kAfterActorsStop, "c", ask);

  EXPECT_TRUE(system_->StopWithin(1h).ok());

  EXPECT_THAT(diary_, ElementsAre("spawned", "answered", "answered", "gone"));
}

TEST_F(ShutdownTest, AFailedHookEndsTheChainAndNotTheStop) {
  auto echo = system_->Spawn<Echo>("echo").value();
  On(kBeforeStop, "bad", Write("bad", absl::DataLossError("lost")));
  On(kBeforeStop, "next", Write("next"));
  On(kAfterActorsStop, "last", Write("last"));

  const Status status = system_->StopWithin(kStopTimeoutDefault);

  EXPECT_EQ(status, absl::DataLossError("shutdown hook bad: lost"));
  EXPECT_THAT(diary_, ElementsAre("bad"));
  EXPECT_EQ(echo.Tell(Ping{}), Delivery::kStopped);
  EXPECT_EQ(system_->StopWithin(1h), status);
}

TEST_F(ShutdownTest, ASkippedFailureIsReturnedWithTheOthers) {
  On(kBeforeStop, "a", Write("a", absl::DataLossError("x")), {.on_failure = HookFailure::kSkip});
  On(kBeforeStop, "b", Write("b", absl::InternalError("y")), {.on_failure = HookFailure::kSkip});
  On(kAfterActorsStop, "c", Write("c"));

  EXPECT_EQ(system_->StopWithin(1h), absl::DataLossError("shutdown hook a: x; shutdown hook b: y"));
  EXPECT_THAT(diary_, ElementsAre("a", "b", "c"));
}

TEST_F(ShutdownTest, RetriesAfterItsInterval) {
  int tries = 0;
  On(kBeforeStop, "a",
     [&] {
       diary_.push_back(absl::StrCat("at ", clock_.Now().time_since_epoch() / 1s));
       return ++tries < 3 ? absl::UnavailableError("later") : absl::OkStatus();
     },
     {.retries = 5, .retry_every = 1s});
  Status status;
  std::thread stopper([&] { status = system_->StopWithin(Duration::max()); });
  while (system_->Spawn<Echo>("x").ok() || !absl::IsUnavailable(system_->Spawn<Echo>("x").status()))
    clock_.AdvanceBy(1s);
  stopper.join();

  EXPECT_TRUE(status.ok());
  EXPECT_EQ(diary_.size(), 3u);
}

TEST_F(ShutdownTest, AfterItsRetriesAHookHasFailed) {
  int tries = 0;
  On(kBeforeStop, "a",
     [&] {
       ++tries;
       return absl::UnavailableError("later");
     },
     {.retries = 2, .retry_every = 0s});

  EXPECT_TRUE(absl::IsUnavailable(system_->StopWithin(1h)));
  EXPECT_EQ(tries, 3);
}

TEST_F(ShutdownTest, AThrowingHookIsContained) {
  On(kBeforeStop, "a", []() -> Status { throw std::runtime_error("boom"); });

  EXPECT_EQ(system_->StopWithin(1h), absl::UnknownError("shutdown hook a: a threw: boom"));
}

TEST_F(ShutdownTest, BadHooksAreRefused) {
  Shutdown& shutdown = system_->shutdown();

  EXPECT_TRUE(absl::IsInvalidArgument(shutdown.On(kBeforeStop, "", Write("x"))));
  EXPECT_TRUE(absl::IsInvalidArgument(shutdown.On(kBeforeStop, "a", nullptr)));
  EXPECT_TRUE(absl::IsInvalidArgument(shutdown.On(kBeforeStop, "a", Write("x"), {.retries = -1})));
  for (size_t i = 0; i < kShutdownHooksMax; ++i) On(kBeforeStop, "a", Write("x"));
  EXPECT_TRUE(absl::IsResourceExhausted(shutdown.On(kBeforeStop, "a", Write("x"))));
  EXPECT_TRUE(system_->StopWithin(1h).ok());
  EXPECT_TRUE(absl::IsUnavailable(shutdown.On(kBeforeStop, "a", Write("x"))));
}

TEST_F(ShutdownTest, AStopThatTakesTooLongNamesWhoStillRunsAndCanGoOn) {
  auto echo = system_->Spawn<Echo>("holder").value();
  PosixSemaphore reached{0};
  PosixSemaphore open{0};
  echo.Tell(Hold{&reached, &open});
  reached.acquire();
  Status status;
  PosixSemaphore done{0};
  std::thread stopper([&] {
    status = system_->StopWithin(kStopTimeoutDefault);
    done.release();
  });
  while (!done.try_acquire()) clock_.AdvanceBy(kStopTimeoutDefault);
  stopper.join();

  EXPECT_TRUE(absl::IsDeadlineExceeded(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("/holder"));

  open.release();
  EXPECT_TRUE(system_->StopWithin(1h).ok());
}

// What stands for `number`: nobody's handler, or ours.
bool HasHandler(int number) {
  struct sigaction action{};
  sigaction(number, nullptr, &action);
  return action.sa_handler != SIG_DFL;
}

class RunUntilSignalTest : public ShutdownTest {
 protected:
  std::thread Run(Status* status) {
    std::thread runner([this, status] { *status = system_->RunUntilSignal(); });
    while (!HasHandler(SIGINT) || !HasHandler(SIGTERM)) std::this_thread::yield();
    return runner;
  }
};

TEST_F(RunUntilSignalTest, EitherSignalStopsAndTheHandlersComeBack) {
  for (int number : {SIGINT, SIGTERM}) {
    system_ = System::Start({.name = "test", .workers = 1}).value();
    auto echo = system_->Spawn<Echo>("echo").value();
    Status status = absl::UnknownError("");
    std::thread runner = Run(&status);

    kill(getpid(), number);
    runner.join();

    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(echo.Tell(Ping{}), Delivery::kStopped);
    EXPECT_FALSE(HasHandler(SIGINT) || HasHandler(SIGTERM));
  }
}

TEST_F(RunUntilSignalTest, ASecondSignalEndsTheProcess) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer puts a signal off that a thread sends itself";
#endif
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        System system("dying");
        (void)system.shutdown().On(kBeforeStop, "endless", [] {
          kill(getpid(), SIGTERM);
          for (;;) pause();
          return absl::OkStatus();
        });
        std::thread sender([] {
          while (!HasHandler(SIGTERM)) std::this_thread::yield();
          kill(getpid(), SIGTERM);
        });
        system.RunUntilSignal().IgnoreError();
        sender.join();
      },
      ::testing::ExitedWithCode(128 + SIGTERM), "");
}

TEST_F(RunUntilSignalTest, OneSystemAProcessWaitsForSignals) {
  System other("other");
  Status status;
  std::thread runner = Run(&status);

  EXPECT_TRUE(absl::IsFailedPrecondition(other.RunUntilSignal()));

  EXPECT_TRUE(system_->StopWithin(1h).ok());  // ends the wait, too
  runner.join();
  EXPECT_TRUE(status.ok());
}

}  // namespace
}  // namespace quern
