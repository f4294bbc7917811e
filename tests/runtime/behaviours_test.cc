// What users of other actor runtimes expect, and what has gone wrong there: cases that no other
// test shows. The tables of docs/goakt.md name these and all the others.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "life_test_kit.h"
#include "quern/runtime/function_actor.h"
#include "quern/testing/step_system.h"

namespace quern {
namespace {

using ::testing::ElementsAre;
using testing::FakeClock;
using ::testing::IsEmpty;
using testing::StepSystem;
using namespace std::chrono_literals;

// --- Messages -----------------------------------------------------------------------------------

struct Number {
  int value;
};
struct Numbers {};
struct ListApi : Protocol<void(Number), std::vector<int>(Numbers)> {};
struct List : Actor<ListApi> {
  void On(const Number& m) { numbers_.push_back(m.value); }
  std::vector<int> On(const Numbers&) { return numbers_; }
  std::vector<int> numbers_;
};

TEST(BehaviourTest, TenThousandTellsAreHandledOnceAndInOrder) {
  StepSystem system;
  auto list = system.Spawn<List>("list").value();

  std::vector<int> told;
  for (int i = 0; i < 10'000; ++i) {
    told.push_back(i);
    list.Tell(Number{i});
  }

  EXPECT_EQ(list.Ask(Numbers{}).value(), told);
}

struct For {
  int whom;
};
struct AddresseeApi : Protocol<void(For)> {};
struct Addressee : Actor<AddresseeApi> {
  Addressee(int number, std::atomic<int>* strays) : number_(number), strays_(strays) {}
  void On(const For& m) {
    if (m.whom != number_) ++*strays_;
  }
  const int number_;
  std::atomic<int>* strays_;
};

// Memory of messages goes round between actors and threads; their owners come and go meanwhile.
TEST(BehaviourTest, AMessageReachesTheActorItWasSentToAndNoOther) {
  std::atomic<int> strays{0};
  System system({.name = "test", .workers = 3});

  std::vector<std::thread> senders;
  for (int t = 0; t < 4; ++t) {
    senders.emplace_back([&system, &strays, t] {
      for (int round = 0; round < 100; ++round) {
        const int whom = t * 1000 + round;
        auto one = system.Spawn<Addressee>("a" + std::to_string(whom), whom, &strays).value();
        for (int i = 0; i < 50; ++i) one.Tell(For{whom});
        one.Stop();
        for (int i = 0; i < 10; ++i) one.Tell(For{whom});
      }
    });
  }
  for (std::thread& sender : senders) sender.join();
  system.WaitUntilQuiet();

  EXPECT_EQ(strays, 0);
}

struct Wait {};
struct Hello {};
struct WaiterApi : Protocol<bool(Wait), std::string(Hello)> {};
struct Silent : Actor<WaiterApi> {
  bool On(const Wait&, Context& context) { return context.Sleep(1h).ok(); }
  std::string On(const Hello&) { return "hello"; }
};
struct Waiter : Actor<WaiterApi> {
  explicit Waiter(Ref<WaiterApi> silent) : silent_(std::move(silent)) {}
  bool On(const Wait&) { return silent_.Ask(Wait{}, 30min).ok(); }
  std::string On(const Hello&) { return "hello"; }
  const Ref<WaiterApi> silent_;
};

TEST(BehaviourTest, HandlersThatWaitDoNotHoldTheOnlyWorker) {
  FakeClock clock;
  System system({.name = "test", .workers = 1, .clock = &clock});
  auto silent = system.Spawn<Silent>("silent").value();
  for (int i = 0; i < 100; ++i) {
    system.Spawn<Waiter>("waiter" + std::to_string(i), silent).value().Tell(Wait{});
  }
  system.WaitUntilQuiet();

  auto other = system.Spawn<Waiter>("other", silent).value();

  EXPECT_EQ(other.Ask(Hello{}).value(), "hello");  // the clock stands still: at once, or never
}

TEST(BehaviourTest, AFailureOfAFunctionActorGoesToItsSupervisor) {
  StepSystem system({.system = {.supervisor = Directive::kStop}});
  auto failed = system.events().Subscribe<ActorFailed>().value();
  auto fails = SpawnFunction<WaiterApi>(
                   system, "fails", [](const Wait&) -> bool { throw std::runtime_error("broken"); },
                   [](const Hello&) { return std::string("hello"); })
                   .value();

  EXPECT_EQ(fails.Ask(Wait{}).status().code(), absl::StatusCode::kUnknown);

  EXPECT_EQ(failed.Next().value().path, "/fails");
  EXPECT_EQ(fails.Ask(Hello{}).status().code(), absl::StatusCode::kUnavailable);
}

// --- Families -----------------------------------------------------------------------------------

struct Bear {
  std::string name;
};
struct Family {};
struct MemberApi;
struct MemberApi : Protocol<Ref<MemberApi>(Bear), std::string(Family), void(Wait)> {};
struct Member : Actor<MemberApi> {
  StatusOr<Ref<MemberApi>> On(const Bear& m, Context& context) {
    return context.Spawn<Member>({.supervisor = Directive::kStop}, m.name);
  }
  std::string On(const Family&, Context& context) {
    std::vector<std::string> children = context.children();
    std::sort(children.begin(), children.end());
    std::string text = context.parent_path();
    for (const std::string& child : children) text += " " + child;
    return text;
  }
  void On(const Wait&) { throw std::runtime_error("no patience"); }
};

TEST(BehaviourTest, AParentNamesItsLivingChildrenAndAChildItsParent) {
  StepSystem system;
  auto parent = system.Spawn<Member>("parent").value();
  auto ann = parent.Ask(Bear{"ann"}).value();
  auto bob = parent.Ask(Bear{"bob"}).value();

  EXPECT_EQ(parent.Ask(Family{}).value(), "/ ann bob");
  EXPECT_EQ(ann.Ask(Family{}).value(), "/parent");
  ann.Tell(Wait{});
  system.RunUntilIdle();

  EXPECT_EQ(parent.Ask(Family{}).value(), "/ bob");
}

TEST(BehaviourTest, RefsAreEqualWhenTheActorIsTheSameNotTheName) {
  StepSystem system;
  auto first = system.Spawn<Member>("one").value();
  EXPECT_TRUE(system.Find<MemberApi>("/one").value() == first);

  first.Stop();
  system.RunUntilIdle();
  auto second = system.Spawn<Member>("one").value();

  EXPECT_EQ(second.path(), first.path());
  EXPECT_FALSE(second == first);
}

class FamilyTest : public LifeTest {};

TEST_F(FamilyTest, AStopRunsEachOnStopOnceTheYoungestFirst) {
  auto parent = Spawn("parent");
  auto child = SpawnUnder(parent, "child");
  auto grandchild = SpawnUnder(child, "grandchild");

  parent.Stop();
  child.Stop();
  parent.Stop();
  Settle();

  EXPECT_THAT(diary_.Take(), ElementsAre("grandchild stopped", "grandchild gone", "child stopped",
                                         "child gone", "parent stopped", "parent gone"));
  EXPECT_THAT(system_.ListActors().actors, IsEmpty());
}

struct Once : Actor<WaiterApi> {  // can be made once only
  explicit Once(std::atomic<int>* made) {
    if (++*made > 1) throw std::runtime_error("never again");
  }
  bool On(const Wait&) { return true; }
  std::string On(const Hello&) { return "hello"; }
};
struct ParentApi : Protocol<Ref<WaiterApi>(Bear), std::string(Hello)> {};
struct Parent : Actor<ParentApi> {
  explicit Parent(std::atomic<int>* made) : made_(made) {}
  StatusOr<Ref<WaiterApi>> On(const Bear& m, Context& context) {
    return context.Spawn<Once>({.supervisor = Directive::kStop}, m.name, made_);
  }
  std::string On(const Hello&) { return "hello"; }
  std::atomic<int>* made_;
};

TEST_F(FamilyTest, AChildThatFailsItsRestartFollowsItsOwnSupervisorAndTheParentRuns) {
  std::atomic<int> made{0};
  auto parent = system_.Spawn<Parent>("parent", &made).value();
  auto child = parent.Ask(Bear{"child"}).value();
  EXPECT_EQ(child.Ask(Hello{}).value(), "hello");

  ASSERT_TRUE(parent.Restart().ok());
  Settle();

  EXPECT_EQ(made, 2);
  EXPECT_EQ(parent.Ask(Hello{}).value(), "hello");
  EXPECT_EQ(child.Tell(Wait{}), Delivery::kStopped);
}

// --- The system ---------------------------------------------------------------------------------

TEST(BehaviourTest, ASystemThatIsRefusedLeavesNothingBehind) {
  auto held = std::make_shared<std::string>("held by the options");

  EXPECT_FALSE(System::Start({.workers = -1, .extensions = Extensions().With(held)}).ok());

  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace quern
