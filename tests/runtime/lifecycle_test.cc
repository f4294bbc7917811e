#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <absl/synchronization/mutex.h>

#include "collecting_logger.h"
#include "life_test_kit.h"
#include "quern/quern.h"
#include "quern/testing/fake_clock.h"

namespace quern {
namespace {

using ::testing::ElementsAre;
using testing::FakeClock;
using namespace std::chrono_literals;

struct Ping {};
struct Fail {};
struct SpawnChild {
  std::string name;
};
struct Tick {};
struct Quit {};
struct NapThen {
  Duration how_long;
};
struct NodeApi
    : Protocol<int(Ping), void(Fail), bool(SpawnChild), void(Tick), void(Quit), void(NapThen)> {};

struct Node : Actor<NodeApi> {
  Node(Diary* diary, std::string name) : diary_(diary), name_(std::move(name)) {
    diary_->Write(name_ + " made");
  }
  ~Node() { diary_->Write(name_ + " destroyed"); }
  void OnStart() { diary_->Write(name_ + " started"); }
  void OnStop() { diary_->Write(name_ + " stopped"); }

  int On(const Ping&) { return ++pings_; }
  void On(const Fail&) { throw std::runtime_error("failed"); }
  bool On(const SpawnChild& m, Context& context) {
    return context.Spawn<Node>(m.name, diary_, name_ + "/" + m.name).ok();
  }
  void On(const Tick&) { diary_->Write("tick"); }
  void On(const Quit&, Context& context) { context.Stop(); }
  void On(const NapThen& m, Context& context) {
    diary_->Write(context.Sleep(m.how_long).ok() ? "slept" : "cancelled");
  }

  Diary* diary_;
  std::string name_;
  int pings_ = 0;
};

class LifecycleTest : public ::testing::Test {
 protected:
  void Advance(Duration by) {
    clock_.AdvanceBy(by);
    system_.WaitUntilQuiet();
  }
  Ref<NodeApi> SpawnNode(const std::string& name) {
    auto ref = system_.Spawn<Node>(name, &diary_, name).value();
    system_.WaitUntilQuiet();
    return ref;
  }

  FakeClock clock_;
  CollectingLogger logger_;
  Diary diary_;
  System system_{{.name = "test", .workers = 2, .clock = &clock_, .logger = &logger_}};
};

TEST_F(LifecycleTest, HooksAndDestructorRunAroundTheMessages) {
  auto node = SpawnNode("a");

  EXPECT_EQ(node.Ask(Ping{}).value(), 1);
  node.Stop();
  system_.WaitUntilQuiet();

  EXPECT_THAT(diary_.entries(), ElementsAre("a made", "a started", "a stopped", "a destroyed"));
  EXPECT_EQ(node.Ask(Ping{}).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(LifecycleTest, ChildrenStopBeforeTheirParent) {
  auto node = SpawnNode("a");
  EXPECT_TRUE(node.Ask(SpawnChild{"b"}).value());
  EXPECT_FALSE(node.Ask(SpawnChild{"b"}).value());  // the name is taken
  system_.WaitUntilQuiet();

  node.Stop();
  system_.WaitUntilQuiet();

  EXPECT_THAT(diary_.entries(),
              ElementsAre("a made", "a started", "a/b made", "a/b started", "a/b stopped",
                          "a/b destroyed", "a stopped", "a destroyed"));
}

TEST_F(LifecycleTest, TheSystemStopsEverything) {
  auto node = SpawnNode("a");
  EXPECT_TRUE(node.Ask(SpawnChild{"b"}).value());

  system_.Stop();

  EXPECT_EQ(diary_.entries().back(), "a destroyed");
  EXPECT_EQ(system_.Spawn<Node>("c", &diary_, "c").status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(LifecycleTest, NamesAreCheckedAndUniqueAmongTheLiving) {
  auto node = SpawnNode("a");

  EXPECT_EQ(system_.Spawn<Node>("a", &diary_, "a").status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(system_.Spawn<Node>("", &diary_, "").status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(system_.Spawn<Node>("x/y", &diary_, "").status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(system_.Spawn<Node>(std::string(256, 'x'), &diary_, "").status().code(),
            absl::StatusCode::kInvalidArgument);
  node.Tell(Quit{});
  system_.WaitUntilQuiet();
  EXPECT_TRUE(system_.Spawn<Node>("a", &diary_, "a").ok());
}

TEST_F(LifecycleTest, AFailureRestartsAfterAPauseAndKeepsTheMailbox) {
  auto node = SpawnNode("a");
  EXPECT_EQ(node.Ask(Ping{}).value(), 1);

  node.Tell(Fail{});
  node.Tell(Tick{});
  system_.WaitUntilQuiet();
  EXPECT_THAT(diary_.entries(), ElementsAre("a made", "a started", "a destroyed"));

  Advance(49ms);
  EXPECT_EQ(diary_.entries().size(), 3u);
  Advance(1ms);
  EXPECT_THAT(diary_.entries(),
              ElementsAre("a made", "a started", "a destroyed", "a made", "a started", "tick"));
  EXPECT_EQ(node.Ask(Ping{}).value(), 1);  // a new object
}

TEST_F(LifecycleTest, ThePauseDoubles) {
  auto node = SpawnNode("a");
  node.Tell(Fail{});
  system_.WaitUntilQuiet();
  Advance(50ms);
  node.Tell(Fail{});
  system_.WaitUntilQuiet();
  Advance(99ms);
  EXPECT_EQ(diary_.entries().back(), "a destroyed");
  Advance(1ms);

  EXPECT_EQ(diary_.entries().back(), "a started");
}

TEST_F(LifecycleTest, TooManyFailuresInAMinuteStop) {
  auto node = SpawnNode("a");
  // The pauses: 50, 100, 200, .. 12800, 25600 ms: ten of them take 51.15 s.
  for (int i = 0; i < 10; ++i) {
    node.Tell(Fail{});
    system_.WaitUntilQuiet();
    Advance(50ms * (1 << i));
    EXPECT_EQ(node.Ask(Ping{}).value(), 1);
  }

  node.Tell(Fail{});
  system_.WaitUntilQuiet();

  EXPECT_EQ(logger_.Count("actor failed and stops"), 1u);
  EXPECT_EQ(node.Tell(Tick{}), Delivery::kStopped);
}

TEST_F(LifecycleTest, SupervisionStopStopsAtOnce) {
  auto node = system_.Spawn<Node>({.supervisor = Directive::kStop}, "a", &diary_, "a").value();
  node.Tell(Fail{});
  node.Tell(Tick{});
  system_.WaitUntilQuiet();

  EXPECT_THAT(diary_.entries(), ElementsAre("a made", "a started", "a destroyed"));
  EXPECT_EQ(system_.dead_letters(), 1u);
}

TEST_F(LifecycleTest, IdleActorsArePassivated) {
  auto node = system_.Spawn<Node>({.passivate_after = 1s}, "a", &diary_, "a").value();
  system_.WaitUntilQuiet();
  Advance(900ms);
  EXPECT_EQ(node.Ask(Ping{}).value(), 1);
  system_.WaitUntilQuiet();
  Advance(900ms);
  EXPECT_EQ(diary_.entries().size(), 2u);
  Advance(100ms);

  EXPECT_THAT(diary_.entries(), ElementsAre("a made", "a started", "a stopped", "a destroyed"));
}

TEST_F(LifecycleTest, AStopCancelsASleepingHandlerAndDropsTheMailbox) {
  auto node = SpawnNode("a");
  node.Tell(NapThen{1h});
  node.Tell(Tick{});
  node.Tell(Tick{});
  system_.WaitUntilQuiet();

  node.Stop();
  system_.WaitUntilQuiet();

  EXPECT_THAT(diary_.entries(),
              ElementsAre("a made", "a started", "cancelled", "a stopped", "a destroyed"));
  EXPECT_EQ(system_.dead_letters(), 2u);
  EXPECT_EQ(logger_.Count("message not delivered"), 1u);  // one group, one line
}

TEST_F(LifecycleTest, SleepEndsWithTheClock) {
  auto node = SpawnNode("a");
  node.Tell(NapThen{10ms});
  system_.WaitUntilQuiet();
  Advance(9ms);
  EXPECT_EQ(diary_.entries().size(), 2u);
  Advance(1ms);

  EXPECT_EQ(diary_.entries().back(), "slept");
}

struct TickerApi : Protocol<void(Tick), int(Ping), bool(Quit)> {};
struct Ticker : Actor<TickerApi> {
  void On(const Tick&) { ++ticks_; }
  int On(const Ping&) { return ticks_; }
  bool On(const Quit&) { return Cancel(every_); }
  TimerId every_ = Every(100ms, Tick{});
  TimerId once_ = After(50ms, Tick{});
  Ref<TickerApi> self_ = Self();
  int ticks_ = 0;
};

TEST_F(LifecycleTest, TimersTickOnTheClockFromMemberInitialisers) {
  auto ticker = system_.Spawn<Ticker>("ticker").value();
  system_.WaitUntilQuiet();
  EXPECT_EQ(ticker.Ask(Ping{}).value(), 0);
  Advance(50ms);
  EXPECT_EQ(ticker.Ask(Ping{}).value(), 1);
  Advance(50ms);
  EXPECT_EQ(ticker.Ask(Ping{}).value(), 2);
  Advance(1s);  // the ticks that were missed are left out
  EXPECT_EQ(ticker.Ask(Ping{}).value(), 3);
  Advance(100ms);
  EXPECT_EQ(ticker.Ask(Ping{}).value(), 4);

  EXPECT_TRUE(ticker.Ask(Quit{}).value());
  EXPECT_FALSE(ticker.Ask(Quit{}).value());
  Advance(1s);
  EXPECT_EQ(ticker.Ask(Ping{}).value(), 4);
}

TEST(ActorObjectTest, IsPlainOutsideASystem) {
  Ticker ticker;

  ticker.On(Tick{});

  EXPECT_EQ(ticker.On(Ping{}), 1);
  EXPECT_FALSE(static_cast<bool>(ticker.self_));
}

TEST_F(LifecycleTest, MoveOnlyArgumentsTurnARestartIntoAStop) {
  struct Owner : Actor<TickerApi> {
    explicit Owner(std::unique_ptr<int> value) : value_(std::move(value)) {}
    void On(const Tick&) { throw 1; }
    int On(const Ping&) { return *value_; }
    bool On(const Quit&) { return true; }
    std::unique_ptr<int> value_;
  };
  auto owner = system_.Spawn<Owner>("owner", std::make_unique<int>(7)).value();
  EXPECT_EQ(owner.Ask(Ping{}).value(), 7);

  owner.Tell(Tick{});
  system_.WaitUntilQuiet();

  EXPECT_EQ(owner.Tell(Tick{}), Delivery::kStopped);
}

}  // namespace
}  // namespace quern
