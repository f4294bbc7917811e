#include "quern/runtime/system.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

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
struct SpawnChild {
  std::string name;
};
struct Other {};
struct WhichThread {};
struct WhichCpu {};
struct Rate {};
struct NodeApi
    : Protocol<int(Ping), bool(SpawnChild), std::string(WhichThread), int(WhichCpu), int(Rate)> {};
struct PingApi : Protocol<int(Ping)> {};
struct OtherApi : Protocol<int(Other)> {};

struct Rates {
  int value;
};
struct Limits {};

struct Node : Actor<NodeApi> {
  int On(const Ping&) { return 1; }
  bool On(const SpawnChild& m, Context& context) { return context.Spawn<Node>(m.name).ok(); }
  std::string On(const WhichThread&) {
    char name[16] = "";
    pthread_getname_np(pthread_self(), name, sizeof(name));
    return name;
  }
  int On(const WhichCpu&) {
    cpu_set_t set;
    CPU_ZERO(&set);
    pthread_getaffinity_np(pthread_self(), sizeof(set), &set);
    return CPU_COUNT(&set);
  }
  int On(const Rate&, Context& context) {
    EXPECT_EQ(context.Dependency<Limits>(), nullptr);
    const Rates* rates = context.Dependency<Rates>();
    return rates == nullptr ? -1 : rates->value;
  }
};

std::string WhatIsWrongWith(const SystemOptions& options) {
  const Status status = System::Start(options).status();
  EXPECT_TRUE(status.ok() || absl::IsInvalidArgument(status)) << status;
  return std::string(status.message());
}

TEST(SystemOptionsTest, EachWrongOptionIsNamed) {
  EXPECT_EQ(WhatIsWrongWith({}), "");
  EXPECT_THAT(WhatIsWrongWith({.name = ""}), HasSubstr("SystemOptions::name"));
  EXPECT_THAT(WhatIsWrongWith({.name = "a\nb"}), HasSubstr("::name"));
  EXPECT_THAT(WhatIsWrongWith({.workers = -1}), HasSubstr("::workers"));
  EXPECT_THAT(WhatIsWrongWith({.workers = static_cast<int>(kWorkersMax) + 1}),
              HasSubstr("is not in 0 to 256"));
  EXPECT_THAT(WhatIsWrongWith({.default_ask_timeout = 0s}), HasSubstr("::default_ask_timeout"));
  EXPECT_THAT(WhatIsWrongWith({.turn_messages = 0}), HasSubstr("::turn_messages"));
  EXPECT_THAT(WhatIsWrongWith({.turn_time = -1s}), HasSubstr("::turn_time"));
  EXPECT_THAT(WhatIsWrongWith({.stop_timeout = 0s}), HasSubstr("::stop_timeout"));
  EXPECT_THAT(WhatIsWrongWith({.worker_cpus = {100'000}}), HasSubstr("CPU 100000"));
  EXPECT_THAT(WhatIsWrongWith({.offload_threads = 0}), HasSubstr("::offload_threads"));
  EXPECT_THAT(WhatIsWrongWith({.offload_queue = 0}), HasSubstr("::offload_queue"));
  EXPECT_THAT(WhatIsWrongWith({.dead_letters_kept = kDeadLettersKeptMax + 1}),
              HasSubstr("::dead_letters_kept"));
}

TEST(SystemOptionsTest, WorkersAreNamedAndBound) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  sched_getaffinity(0, sizeof(allowed), &allowed);
  int cpu = 0;
  while (!CPU_ISSET(cpu, &allowed)) ++cpu;
  System system(SystemOptions{.name = "a-name-beyond-fifteen", .workers = 1, .worker_cpus = {cpu}});
  auto node = system.Spawn<Node>("n").value();

  EXPECT_EQ(node.Ask(WhichThread{}).value(), "a-name-beyond-0");
  EXPECT_EQ(node.Ask(WhichCpu{}).value(), 1);
}

TEST(SystemOptionsDeathTest, AConstructorStopsAtWrongOptions) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(System(SystemOptions{.workers = -1}), "SystemOptions::workers: -1");
}

class SystemTest : public ::testing::Test {
 protected:
  Ref<NodeApi> Spawn(std::string_view name) { return system_.Spawn<Node>(name).value(); }
  std::vector<std::string> Paths(const ActorPage& page) {
    std::vector<std::string> paths;
    for (const ActorInfo& actor : page.actors) paths.push_back(actor.path);
    return paths;
  }

  FakeClock clock_;
  System system_{SystemOptions{.name = "test",
                               .workers = 2,
                               .clock = &clock_,
                               .extensions = Extensions().With(std::make_shared<Rates>(Rates{5}))}};
};

TEST_F(SystemTest, AnAddressIsMadeOnceAndKept) {
  const Ref<NodeApi> parent = Spawn("a");
  parent.Ask(SpawnChild{"b"}).value();
  const auto child = system_.Find<NodeApi>("/a/b").value();
  std::vector<std::string_view> seen(4);
  std::vector<std::thread> threads;
  for (std::string_view& text : seen) threads.emplace_back([&] { text = child.path_view(); });
  for (std::thread& thread : threads) thread.join();

  for (const std::string_view text : seen) {
    EXPECT_EQ(text, "/a/b");
    EXPECT_EQ(text.data(), child.path_view().data());
  }
  EXPECT_EQ(Ref<NodeApi>().path_view(), "");
  system_.Stop();
  EXPECT_EQ(child.path_view(), "/a/b");
}

TEST_F(SystemTest, FindsByPathAndType) {
  Spawn("a").Ask(SpawnChild{"b"}).value();

  EXPECT_EQ(system_.Find<NodeApi>("/a/b").value().Ask(Ping{}).value(), 1);
  EXPECT_EQ(system_.Find<PingApi>("a/b").value().path(), "/a/b");
  EXPECT_TRUE(absl::IsInvalidArgument(system_.Find<OtherApi>("/a").status()));
  for (const char* path : {"/b", "/a/c", "/a/b/c", "", "/"}) {
    EXPECT_TRUE(absl::IsNotFound(system_.Find<PingApi>(path).status())) << path;
  }
}

TEST_F(SystemTest, AStoppedActorIsNotFound) {
  auto a = Spawn("a");
  a.Stop();
  system_.WaitUntilQuiet();

  EXPECT_TRUE(absl::IsNotFound(system_.Find<PingApi>("/a").status()));
}

TEST_F(SystemTest, AfterTheStopNothingIsFoundOrListed) {
  Spawn("a");
  EXPECT_TRUE(system_.StopWithin(1h).ok());

  EXPECT_TRUE(absl::IsNotFound(system_.Find<PingApi>("/a").status()));
  EXPECT_TRUE(absl::IsNotFound(system_.Kill("/a")));
  EXPECT_THAT(system_.ListActors().actors, IsEmpty());
}

TEST_F(SystemTest, ListsParentsBeforeChildrenByName) {
  Spawn("b").Ask(SpawnChild{"y"}).value();
  Spawn("a").Ask(SpawnChild{"z"}).value();
  Spawn("a.x");
  system_.WaitUntilQuiet();

  const ActorPage page = system_.ListActors();

  EXPECT_THAT(Paths(page), ElementsAre("/a", "/a/z", "/a.x", "/b", "/b/y"));
  EXPECT_EQ(page.next, "");
  EXPECT_THAT(page.actors[0].actor_class, HasSubstr("Node"));
  EXPECT_EQ(page.actors[0].state, "running");
  EXPECT_FALSE(page.actors[0].waiting);
  EXPECT_THAT(Paths(system_.ListActors({.under = "/a"})), ElementsAre("/a/z"));
  EXPECT_THAT(Paths(system_.ListActors({.under = "/nobody"})), IsEmpty());
}

TEST_F(SystemTest, PagesMeetWithoutGapAndOverlap) {
  for (const char* name : {"a", "b", "c"}) {
    for (const char* child : {"x", "y"}) {
      if (!system_.Find<NodeApi>(name).ok()) Spawn(name);
      system_.Find<NodeApi>(name).value().Ask(SpawnChild{child}).value();
    }
  }
  const std::vector<std::string> all = Paths(system_.ListActors());
  ASSERT_EQ(all.size(), 9u);

  for (size_t limit = 1; limit <= 9; ++limit) {
    std::vector<std::string> paged;
    std::string after;
    do {
      const ActorPage page = system_.ListActors({.after = after, .limit = limit});
      EXPECT_LE(page.actors.size(), limit);
      for (std::string& path : Paths(page)) paged.push_back(std::move(path));
      after = page.next;
    } while (!after.empty());
    EXPECT_EQ(paged, all) << limit;
  }
}

TEST_F(SystemTest, APageHasABoundWhateverIsAskedFor) {
  for (size_t i = 0; i <= kListActorsMax; ++i) Spawn(std::to_string(i));

  const ActorPage page = system_.ListActors({.limit = SIZE_MAX});

  EXPECT_EQ(page.actors.size(), kListActorsMax);
  EXPECT_EQ(page.next, page.actors.back().path);
  EXPECT_EQ(system_.ListActors({.after = page.next}).actors.size(), 1u);
  EXPECT_EQ(system_.ListActors({.limit = 0}).actors.size(), 1u);
}

TEST_F(SystemTest, APageGoesOnWhereAnActorHasGone) {
  for (const char* name : {"a", "b", "c"}) Spawn(name);
  const ActorPage first = system_.ListActors({.limit = 2});
  EXPECT_TRUE(system_.Kill("/b").ok());
  system_.WaitUntilQuiet();

  EXPECT_THAT(Paths(system_.ListActors({.after = first.next})), ElementsAre("/c"));
}

TEST_F(SystemTest, KillsByPath) {
  auto a = Spawn("a");
  EXPECT_TRUE(system_.Kill("/a").ok());
  system_.WaitUntilQuiet();

  EXPECT_EQ(a.Tell(Ping{}), Delivery::kStopped);
  EXPECT_TRUE(absl::IsNotFound(system_.Kill("/a")));
  EXPECT_TRUE(absl::IsInvalidArgument(system_.Kill("/")));
}

TEST_F(SystemTest, ExtensionsAreFoundByTypeAndAnActorsOwnComeFirst) {
  auto own = std::make_shared<Extensions>();
  own->Add(std::make_shared<Rates>(Rates{9}));
  auto a = system_.Spawn<Node>(SpawnOptions{.dependencies = own}, "a").value();

  EXPECT_EQ(system_.Extension<Rates>()->value, 5);
  EXPECT_EQ(system_.Extension<Limits>(), nullptr);
  EXPECT_EQ(Spawn("b").Ask(Rate{}).value(), 5);
  EXPECT_EQ(a.Ask(Rate{}).value(), 9);
}

TEST_F(SystemTest, UptimeFollowsTheClock) {
  clock_.AdvanceBy(90s);

  EXPECT_EQ(system_.uptime(), 90s);
}

TEST_F(SystemTest, TwoSystemsDoNotDisturbEachOther) {
  System other(SystemOptions{.name = "test", .workers = 1});
  auto here = Spawn("same");
  auto there = other.Spawn<Node>("same").value();
  auto stops = system_.events().Subscribe<ActorStopped>().value();

  EXPECT_TRUE(other.StopWithin(1h).ok());

  EXPECT_EQ(there.Tell(Ping{}), Delivery::kStopped);
  EXPECT_EQ(here.Ask(Ping{}).value(), 1);
  EXPECT_FALSE(stops.TryNext().has_value());
  EXPECT_EQ(system_.dead_letters(), 0u);
}

TEST_F(SystemTest, ATurnEndsAfterItsMessages) {
  System strict(SystemOptions{.name = "strict", .workers = 1, .turn_messages = 1});
  auto node = strict.Spawn<Node>("n").value();

  for (int i = 0; i < 100; ++i) node.Tell(Ping{});

  EXPECT_EQ(node.Ask(Ping{}).value(), 1);
}

}  // namespace
}  // namespace quern
