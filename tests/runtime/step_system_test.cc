#include "quern/testing/step_system.h"

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "quern/quern.h"

namespace quern {
namespace {

using testing::StepSystem;
using namespace std::chrono_literals;

struct Say {
  std::string text;
};
struct Said {};
struct BoardApi : Protocol<void(Say), std::string(Said)> {};
struct Board : Actor<BoardApi> {
  void On(const Say& m) { text_ += m.text; }
  std::string On(const Said&) { return text_; }
  std::string text_;
};

struct Wait {
  Duration how_long;
};
struct Relay {
  Ref<BoardApi> board;
};
struct WorkerApi : Protocol<std::string(Wait), void(Relay), std::string(Said)> {};
struct Sleeper : Actor<WorkerApi> {
  explicit Sleeper(std::string name) : name_(std::move(name)) {}
  std::string On(const Wait& m, Context& context) {
    return context.Sleep(m.how_long).ok() ? name_ : "stopped";
  }
  void On(const Relay& m) { m.board.Tell(Say{name_}); }
  std::string On(const Said&) { return name_; }
  std::string name_;
};

std::string OrderOf(uint64_t seed) {
  StepSystem system({.seed = seed});
  auto board = system.Spawn<Board>("board").value();
  for (const char* name : {"a", "b", "c", "d"}) {
    system.Spawn<Sleeper>(name, name).value().Tell(Relay{board});
  }
  system.RunUntilIdle();
  return board.Ask(Said{}).value();
}

TEST(StepSystemTest, ASeedDecidesTheOrderAndReplaysIt) {
  std::set<std::string> orders;
  for (uint64_t seed = 1; seed <= 500; ++seed) orders.insert(OrderOf(seed));

  EXPECT_EQ(OrderOf(7), OrderOf(7));
  EXPECT_EQ(orders.size(), 24u) << "of 4! orders";
}

TEST(StepSystemTest, NothingMovesUnlessItIsStepped) {
  StepSystem system;
  auto board = system.Spawn<Board>("board").value();
  system.RunUntilIdle();
  board.Tell(Say{"x"});

  EXPECT_TRUE(system.Step());
  EXPECT_GT(system.RunUntilIdle(), 0u);
  EXPECT_FALSE(system.Step());
}

TEST(StepSystemTest, AnAskOfTheTestMovesTheClockWhenNothingElseCanMove) {
  StepSystem system;
  auto sleeper = system.Spawn<Sleeper>("sleeper", "s").value();
  const Time before = system.clock().Now();

  EXPECT_EQ(sleeper.Ask(Wait{300ms}, 1s).value(), "s");
  EXPECT_EQ(system.clock().Now() - before, 300ms);
}

TEST(StepSystemTest, AnAskThatGetsNoAnswerEndsAtItsDeadlineAndSaysWhoWaits) {
  StepSystem system;
  auto sleeper = system.Spawn<Sleeper>("sleeper", "s").value();

  EXPECT_EQ(sleeper.Ask(Wait{1h}, 1s).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_NE(system.Parked().find("/sleeper is parked in its handler of"), std::string::npos)
      << system.Parked();
  EXPECT_NE(system.Parked().find("Wait"), std::string::npos);
}

struct Forever {};
struct StuckApi : Protocol<void(Forever)> {};
struct Stuck : Actor<StuckApi> {
  void On(const Forever&) {
    FiberMutexLock first(mutex_);
    FiberMutexLock second(mutex_);  // never
  }
  FiberMutex mutex_;
};

TEST(StepSystemDeathTest, AWaitThatNothingCanEndPrintsWhoIsParked) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH(
      {
        StepSystem system({.seed = 5});
        system.Spawn<Stuck>("stuck").value().Tell(Forever{});
        system.RunUntilIdle();
        system.Stop();
      },
      "nothing can move.*seed=5.*/stuck is parked in its handler of .*Forever");
}

TEST(StepSystemTest, TimeGoesByInRunForAlone) {
  StepSystem system;
  auto board = system.Spawn<Board>("board").value();
  struct Ticker : Actor<BoardApi> {
    explicit Ticker(Ref<BoardApi> board) : board_(std::move(board)) {}
    void OnStart() { Every(10ms, Say{"t"}); }
    void On(const Say& m) { board_.Tell(m); }
    std::string On(const Said&) { return ""; }
    Ref<BoardApi> board_;
  };
  (void)system.Spawn<Ticker>("ticker", board).value();
  system.RunUntilIdle();

  EXPECT_EQ(board.Ask(Said{}).value(), "");
  system.RunFor(35ms);
  EXPECT_EQ(board.Ask(Said{}).value(), "ttt");
}

struct Fail {};
struct FragileApi : Protocol<void(Fail), int(Said)> {};
struct Fragile : Actor<FragileApi> {
  void On(const Fail&) { throw std::runtime_error("broken"); }
  int On(const Said&) { return 1; }
};

TEST(StepSystemTest, RestartsAndStopsRunTheSameWay) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    StepSystem system({.seed = seed});
    auto fragile = system.Spawn<Fragile>("fragile").value();
    fragile.Tell(Fail{});
    EXPECT_EQ(fragile.Ask(Said{}).value(), 1);  // after the pause of the restart
    fragile.Stop();
    system.RunUntilIdle();
    EXPECT_EQ(fragile.Tell(Fail{}), Delivery::kStopped);
  }
}

// The exceptions being handled follow the fiber here too, the test's own included.
struct Catcher : Actor<WorkerApi> {
  std::string On(const Wait& m, Context& context) {
    try {
      throw std::runtime_error(context.path());
    } catch (const std::exception&) {
      (void)context.Sleep(m.how_long);
      try {
        std::rethrow_exception(std::current_exception());
      } catch (const std::exception& mine) {
        return mine.what();
      }
    }
  }
  void On(const Relay&) {}
  std::string On(const Said&) { return ""; }
};

TEST(StepSystemTest, ACaughtExceptionStaysWithItsFiber) {
  StepSystem system;
  auto a = system.Spawn<Catcher>("a").value();
  auto b = system.Spawn<Catcher>("b").value();
  b.Tell(Wait{20ms});
  try {
    throw std::runtime_error("mine");
  } catch (const std::exception&) {
    EXPECT_EQ(a.Ask(Wait{10ms}).value(), "/a");
    try {
      std::rethrow_exception(std::current_exception());
    } catch (const std::exception& e) {
      EXPECT_STREQ(e.what(), "mine");
    }
  }
}

TEST(StepSystemTest, SystemsFollowOneAnotherOnAThread) {
  for (int i = 0; i < 3; ++i) {
    StepSystem system;
    EXPECT_EQ(system.Spawn<Board>("b").value().Ask(Said{}).value(), "");
  }
  System real({.name = "real", .workers = 1});
  EXPECT_EQ(real.Spawn<Board>("b").value().Ask(Said{}).value(), "");
}

}  // namespace
}  // namespace quern
