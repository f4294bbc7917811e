#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <utility>

#include "quern/quern.h"
#include "quern/runtime/limits.h"
#include "quern/testing/fake_clock.h"

namespace quern {
namespace {

using testing::FakeClock;
using namespace std::chrono_literals;

struct Knock {};
struct Turn {
  std::string to;
};
struct Back {};
struct Pile {
  int states;
};
struct Count {};
struct Break {};
struct DoorApi : Protocol<std::string(Knock), std::string(Turn), bool(Back), int(Pile), int(Count),
                          void(Break)> {};

struct Door : Actor<DoorApi> {
  struct Open {
    static std::string On(Door& self, const Knock&) {
      ++self.knocks;
      return "come in";
    }
  };
  struct Locked {
    static StatusOr<std::string> On(Door&, Knock&&, Context& context) {
      return absl::FailedPreconditionError(context.path() + " is locked");
    }
    static void On(const Door& self, const Count&, Deferred<int> reply) {
      reply.Answer(-self.knocks);
    }
  };

  std::string On(const Knock&) { return "who is there?"; }
  std::string On(const Turn& m) {
    if (m.to == "open") Become<Open>();
    if (m.to == "locked") Become<Locked>();
    if (m.to == "locked for now") BecomeStacked<Locked>();
    return "turned " + m.to;
  }
  bool On(const Back&) { return Unbecome(); }
  int On(const Pile& m) {
    int taken = 0;
    while (taken < m.states && BecomeStacked<Open>()) ++taken;
    return taken;
  }
  int On(const Count&) { return knocks; }
  void On(const Break&) { throw std::runtime_error("off its hinges"); }

  int knocks = 0;
};

class BecomeTest : public ::testing::Test {
 protected:
  std::string Knocking() {
    const StatusOr<std::string> answer = door_.Ask(Knock{});
    return answer.ok() ? *answer : std::string(answer.status().message());
  }

  FakeClock clock_;
  System system_{SystemOptions{.name = "test", .workers = 1, .clock = &clock_}};
  Ref<DoorApi> door_ = system_.Spawn<Door>("door").value();
};

TEST_F(BecomeTest, AStateHandlesFromTheNextMessageOn) {
  EXPECT_EQ(Knocking(), "who is there?");

  EXPECT_EQ(door_.Ask(Turn{"open"}).value(), "turned open");

  EXPECT_EQ(Knocking(), "come in");
}

TEST_F(BecomeTest, WhatAStateLacksFallsBackToTheActor) {
  door_.Tell(Turn{"open"});
  door_.Tell(Knock{});
  EXPECT_EQ(door_.Ask(Count{}).value(), 1);

  door_.Tell(Turn{"locked"});

  EXPECT_EQ(door_.Ask(Count{}).value(), -1);
}

TEST_F(BecomeTest, AStateMayRefuseTakeTheContextAndAnswerLater) {
  door_.Tell(Turn{"locked"});

  EXPECT_EQ(Knocking(), "/door is locked");
  EXPECT_EQ(door_.Ask(Count{}).value(), 0);
}

TEST_F(BecomeTest, BecomeReplacesTheStateAndUnbecomeEndsIt) {
  door_.Tell(Turn{"open"});
  door_.Tell(Turn{"locked"});

  EXPECT_TRUE(door_.Ask(Back{}).value());
  EXPECT_EQ(Knocking(), "who is there?");
  EXPECT_FALSE(door_.Ask(Back{}).value());
}

TEST_F(BecomeTest, AStackedStateEndsInTheOneBefore) {
  door_.Tell(Turn{"open"});
  door_.Tell(Turn{"locked for now"});
  EXPECT_EQ(Knocking(), "/door is locked");

  EXPECT_TRUE(door_.Ask(Back{}).value());
  EXPECT_EQ(Knocking(), "come in");
  EXPECT_TRUE(door_.Ask(Back{}).value());
  EXPECT_EQ(Knocking(), "who is there?");
}

TEST_F(BecomeTest, StatesStackUpToTheBound) {
  EXPECT_EQ(door_.Ask(Pile{1000}).value(), kStatesStackedMax);
  EXPECT_EQ(Knocking(), "come in");
}

TEST_F(BecomeTest, ARestartBringsBackTheActorsOwnHandlers) {
  door_.Tell(Turn{"open"});
  EXPECT_EQ(Knocking(), "come in");

  door_.Tell(Break{});
  system_.WaitUntilQuiet();
  clock_.AdvanceBy(1s);

  EXPECT_EQ(Knocking(), "who is there?");
}

TEST(BecomeObjectTest, DoesNothingOutsideASystem) {
  Door door;

  EXPECT_EQ(door.On(Turn{"open"}), "turned open");
  EXPECT_EQ(door.On(Pile{3}), 0);
  EXPECT_FALSE(door.On(Back{}));
}

// --- states that do not compile ----------------------------------------------------------------

using Base = Actor<DoorApi>;
struct Window : Actor<Protocol<std::string(Knock)>> {
  std::string On(const Knock&) { return ""; }
};
struct Stranger {
  static std::string On(Window&, const Knock&) { return ""; }
};
struct Unknown {
  static void On(Door&, const std::string&) {}
};
struct AlsoUnknown {
  static std::string On(Door&, const Knock&) { return ""; }
  static void On(Door&, const std::string&) {}
};
struct TwoUnknown {
  static std::string On(Door&, const Knock&) { return ""; }
  static void On(Door&, const std::string&, Context&) {}
  static void On(Door&, int, Context&, Deferred<int>) {}
};
struct WrongReturn {
  static int On(Door&, const Knock&) { return 0; }
};
struct ByValue {
  static std::string On(Door&, Knock) { return ""; }
};
static_assert(internal::kIsState<Base, Door::Open> && internal::kIsState<Base, Door::Locked>);
static_assert(internal::kIsState<Base, ByValue>);
static_assert(!internal::kIsState<Base, Stranger>);
static_assert(!internal::kIsState<Base, Unknown>);
static_assert(!internal::kIsState<Base, AlsoUnknown>);
static_assert(!internal::kIsState<Base, TwoUnknown>);
static_assert(!internal::kIsState<Base, WrongReturn>);

}  // namespace
}  // namespace quern
