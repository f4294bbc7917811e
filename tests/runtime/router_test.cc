#include "quern/runtime/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "quern/quern.h"
#include "quern/runtime/limits.h"
#include "quern/runtime/random.h"
#include "quern/testing/fake_clock.h"

namespace quern {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::FakeClock;

struct Who {};
struct Keyed {
  std::string key;
};
struct Note {
  int value = 0;
};
struct Notes {};
struct Wait {
  Duration time{};
};
// The named routee answers after its time, the others fail.
struct Riddle {
  int first = 0;
  Duration first_takes{};
  int second = 0;
  Duration second_takes{};
};
struct Crash {};
struct Owned {
  std::unique_ptr<int> value;
};

struct WorkerApi : Protocol<std::string(Who), std::string(Keyed), void(Note), std::string(Notes),
                            void(Wait), int(Riddle), void(Crash), void(Owned)> {};

std::atomic<int> riddles_heard{0};

struct Worker : Actor<WorkerApi> {
  explicit Worker(std::string tag = "") : tag_(std::move(tag)) {}
  std::string Name() const {
    const std::string path = Self().path();
    return tag_ + path.substr(path.rfind('/') + 1);
  }
  std::string On(const Who&) { return Name(); }
  std::string On(const Keyed&) { return Name(); }
  void On(const Note& m) { notes_ += std::to_string(m.value) + " "; }
  std::string On(const Notes&) { return notes_; }
  Status On(const Wait& m, Context& context) { return context.Sleep(m.time); }
  StatusOr<int> On(const Riddle& m, Context& context) {
    const int me = std::stoi(Name());
    if (me != m.first && me != m.second) return absl::NotFoundError(Name() + " does not know");
    const Duration takes = me == m.first ? m.first_takes : m.second_takes;
    ++riddles_heard;
    if (Status s = context.Sleep(takes); !s.ok()) return s;
    return me;
  }
  void On(const Crash&) { throw std::runtime_error("boom"); }
  void On(const Owned&) {}
  const std::string tag_;
  std::string notes_;
};

class RouterTest : public ::testing::Test {
 protected:
  RouterRef<WorkerApi> Make(Routing strategy, size_t size, RouterOptions options = {}) {
    options.strategy = strategy;
    options.size = size;
    return system_.SpawnRouter<Worker>("pool", options).value();
  }
  RouterRef<WorkerApi> MakeHashed(size_t size) {
    RouterOptions options;
    options.key = RouteBy<WorkerApi>([](const Keyed& m) { return m.key; });
    return Make(Routing::kConsistentHash, size, options);
  }
  static std::string Ask(const Ref<WorkerApi>& pool, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) all += pool.Ask(Who{}).value() + " ";
    return all;
  }
  // An ask from a thread of its own; the clock moves once `sleepers` routees sleep over it.
  StatusOr<int> AskBeside(const Ref<WorkerApi>& pool, const Riddle& riddle, int sleepers) {
    StatusOr<int> answer = absl::UnknownError("");
    std::atomic<bool> done{false};
    riddles_heard = 0;
    std::thread asker([&] {
      answer = pool.Ask(riddle, seconds(60));
      done = true;
    });
    while (riddles_heard < sleepers) std::this_thread::yield();
    while (!done) {
      system_.WaitUntilQuiet();
      if (!done) clock_.AdvanceBy(milliseconds(100));
    }
    asker.join();
    return answer;
  }

  FakeClock clock_;
  std::unique_ptr<Random> random_ = SeededRandom(7);
  System system_{
      SystemOptions{.name = "test", .workers = 2, .clock = &clock_, .random = random_.get()}};
};

TEST_F(RouterTest, RoundRobinIsTrulyInOrder) {
  auto pool = Make(Routing::kRoundRobin, 3);

  EXPECT_EQ(Ask(pool, 7), "1 2 3 1 2 3 1 ");
}

TEST_F(RouterTest, ARouterIsARefOfItsRouteesApi) {
  Ref<WorkerApi> pool = Make(Routing::kRoundRobin, 2);

  EXPECT_EQ(pool.path(), "/pool");
  EXPECT_EQ(pool.Tell(Note{1}), Delivery::kAccepted);
  EXPECT_EQ(pool.Ask(Who{}).value(), "2");
}

TEST_F(RouterTest, RouteesGetTheArgumentsAndAreChildrenOfTheRoutersName) {
  auto pool = system_.SpawnRouter<Worker>("pool", {.size = 2}, std::string("worker ")).value();

  EXPECT_EQ(pool.Ask(Who{}).value(), "worker 1");
  EXPECT_EQ(pool.Routees().at(1).path(), "/pool/2");
}

TEST_F(RouterTest, RandomReachesEveryoneAndIsReproducible) {
  auto pool = Make(Routing::kRandom, 4);

  const std::string order = Ask(pool, 100);

  std::set<char> seen(order.begin(), order.end());
  EXPECT_EQ(seen.size(), 5u);
  EXPECT_NE(order.substr(0, 16), "1 2 3 4 1 2 3 4 ");
}

TEST_F(RouterTest, AFanOutReachesEveryoneAndConsecutiveOnesStayInOrder) {
  auto pool = Make(Routing::kFanOut, 3);

  for (int i = 1; i <= 5; ++i) EXPECT_EQ(pool.Tell(Note{i}), Delivery::kAccepted);

  for (const auto& routee : pool.Routees()) {
    EXPECT_EQ(routee.Ask(Notes{}).value(), "1 2 3 4 5 ");
  }
}

TEST_F(RouterTest, AFanOutIsNotAskedAndCopiesWhatItSends) {
  auto pool = Make(Routing::kFanOut, 2);

  EXPECT_EQ(pool.Ask(Who{}).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(pool.Tell(Owned{}), Delivery::kStopped);
  EXPECT_EQ(pool.Ask(Owned{}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(system_.dead_letters(), 1u);
}

TEST_F(RouterTest, BroadcastReachesEveryoneWhateverTheStrategy) {
  auto pool = Make(Routing::kRoundRobin, 3);

  EXPECT_EQ(pool.Broadcast(Note{7}), 3u);

  for (const auto& routee : pool.Routees()) EXPECT_EQ(routee.Ask(Notes{}).value(), "7 ");
}

// What stands here is promised: it must not change from one release to the next.
TEST_F(RouterTest, ConsistentHashKeepsItsGoldenPlaces) {
  auto pool = MakeHashed(4);
  std::string places;

  for (const char* key : {"ada", "bob", "cy", "dan", "eve", "flo", "gus", "hal", "ida", "jo"}) {
    places += pool.Ask(Keyed{key}).value();
  }

  EXPECT_EQ(places, "2312232234");
}

TEST_F(RouterTest, ConsistentHashMovesFewKeysWhenThePoolGrows) {
  auto pool = MakeHashed(9);
  std::vector<std::string> before;
  for (int i = 0; i < 2000; ++i) before.push_back(pool.Ask(Keyed{std::to_string(i)}).value());

  ASSERT_TRUE(pool.Resize(+1).ok());

  int moved = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::string now = pool.Ask(Keyed{std::to_string(i)}).value();
    if (now == before[static_cast<size_t>(i)]) continue;
    ++moved;
    EXPECT_EQ(now, "10");
  }
  EXPECT_GT(moved, 100);
  EXPECT_LT(moved, 320);  // a tenth, give or take
}

TEST_F(RouterTest, AMessageWithoutAKeyGoesRoundRobin) {
  auto pool = MakeHashed(3);

  EXPECT_EQ(Ask(pool, 4), "1 2 3 1 ");
}

TEST_F(RouterTest, ADeadRouteesKeysGoToTheNextOnTheRing) {
  auto pool = MakeHashed(3);
  const std::string owner = pool.Ask(Keyed{"ada"}).value();
  pool.Routees().at(std::stoul(owner) - 1).Stop();
  system_.WaitUntilQuiet();

  const StatusOr<std::string> next = pool.Ask(Keyed{"ada"});

  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_NE(*next, owner);
}

TEST_F(RouterTest, LeastMailboxLeavesTheBusyAlone) {
  auto pool = Make(Routing::kLeastMailbox, 3);
  // A message counts until its handler has returned, which is a little after its answer.
  const auto ask_quietly = [&](int times) {
    std::string all;
    for (int i = 0; i < times; ++i) {
      all += Ask(pool, 1);
      system_.WaitUntilQuiet();
    }
    return all;
  };
  for (int i = 0; i < 2; ++i) pool.Tell(Wait{seconds(10)});
  system_.WaitUntilQuiet();

  EXPECT_EQ(ask_quietly(4), "3 3 3 3 ");
  clock_.AdvanceBy(seconds(10));
  system_.WaitUntilQuiet();
  const std::string after = ask_quietly(6);

  EXPECT_EQ(std::set<char>(after.begin(), after.end()).size(), 4u);
}

TEST_F(RouterTest, ScatterGatherTakesTheFirstSuccess) {
  auto pool = Make(Routing::kScatterGatherFirst, 4);

  EXPECT_EQ(AskBeside(pool, Riddle{2, seconds(3), 4, seconds(1)}, 2).value(), 4);
  EXPECT_EQ(pool.Ask(Riddle{3}).value(), 3);
}

TEST_F(RouterTest, ScatterGatherAnswersTheLastErrorIfNobodySucceeds) {
  auto pool = Make(Routing::kScatterGatherFirst, 3);

  EXPECT_EQ(pool.Ask(Riddle{9}).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(RouterTest, ScatterGatherEndsWithTheAskersDeadline) {
  auto pool = Make(Routing::kScatterGatherFirst, 2);

  const Status late = AskBeside(pool, Riddle{1, seconds(90), 2, seconds(90)}, 2).status();

  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(RouterTest, TailChoppingAsksOneMoreEachInterval) {
  const RouterOptions options{
      .strategy = Routing::kTailChopping, .size = 2, .interval = seconds(1)};
  auto one = system_.SpawnRouter<Worker>("one", options).value();
  auto two = system_.SpawnRouter<Worker>("two", options).value();

  // Whoever is asked first, the quick one answers.
  EXPECT_EQ(AskBeside(one, Riddle{1, seconds(30), 2, milliseconds(100)}, 1).value(), 2);
  EXPECT_EQ(AskBeside(two, Riddle{2, seconds(30), 1, milliseconds(100)}, 1).value(), 1);
}

TEST_F(RouterTest, TailChoppingGoesOnAtOnceAfterAnError) {
  auto pool = Make(Routing::kTailChopping, 5, {.interval = seconds(100)});

  for (int i = 1; i <= 5; ++i) EXPECT_EQ(pool.Ask(Riddle{i}).value(), i);
  EXPECT_EQ(pool.Ask(Riddle{9}).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(RouterTest, ResizeAddsAndStopsTheNewest) {
  auto pool = Make(Routing::kRoundRobin, 2);

  ASSERT_TRUE(pool.Resize(+2).ok());
  ASSERT_TRUE(pool.Resize(-1).ok());

  EXPECT_EQ(pool.Routees().size(), 3u);
  EXPECT_EQ(pool.Routees().back().path(), "/pool/3");
  EXPECT_EQ(pool.Resize(-3).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(pool.Resize(kRouteesMax).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(pool.Routees().size(), 3u);
}

TEST_F(RouterTest, ARouteeThatStoppedIsLeftOut) {
  auto pool = Make(Routing::kRoundRobin, 3);
  pool.Routees().at(1).Stop();
  system_.WaitUntilQuiet();

  EXPECT_EQ(Ask(pool, 1), "1 ");
  EXPECT_EQ(Ask(pool, 1), "3 ");
  EXPECT_EQ(pool.Routees().size(), 2u);
}

TEST_F(RouterTest, ARouteesFailureFollowsItsSupervision) {
  RouterOptions options;
  options.routee.supervisor = Directive::kStop;
  auto pool = Make(Routing::kRoundRobin, 2, options);
  auto other =
      system_.SpawnRouter<Worker>("restarting", {.strategy = Routing::kRoundRobin, .size = 2})
          .value();

  pool.Tell(Crash{});
  other.Tell(Crash{});
  system_.WaitUntilQuiet();

  EXPECT_EQ(pool.Routees().size(), 1u);
  EXPECT_EQ(other.Routees().size(), 2u);
}

TEST_F(RouterTest, WithoutRouteesATellIsDeadLetteredAndAnAskUnavailable) {
  for (Routing strategy :
       {Routing::kRoundRobin, Routing::kRandom, Routing::kFanOut, Routing::kLeastMailbox,
        Routing::kScatterGatherFirst, Routing::kTailChopping}) {
    auto pool = Make(strategy, 2);
    for (const auto& routee : pool.Routees()) routee.Stop();
    system_.WaitUntilQuiet();
    const uint64_t before = system_.dead_letters();

    EXPECT_EQ(pool.Tell(Note{1}), Delivery::kStopped);
    EXPECT_EQ(system_.dead_letters(), before + 1);
    if (strategy != Routing::kFanOut) {
      EXPECT_EQ(pool.Ask(Riddle{1}).status().code(), absl::StatusCode::kUnavailable);
    }
    EXPECT_TRUE(pool.Resize(+1).ok());
    pool.Stop();
    system_.WaitUntilQuiet();
  }
}

TEST_F(RouterTest, StopStopsTheRouteesAndTheName) {
  auto pool = Make(Routing::kRoundRobin, 2);

  pool.Stop();
  system_.WaitUntilQuiet();

  EXPECT_TRUE(pool.Routees().empty());
  EXPECT_EQ(pool.Ask(Who{}).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(pool.Resize(+1).code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(system_.SpawnRouter<Worker>("pool", {.size = 1}).ok());
}

TEST_F(RouterTest, RoutesOverRefsThatAreThereAlready) {
  auto a = system_.Spawn<Worker>("a").value();
  auto b = system_.Spawn<Worker>("b").value();

  auto both = system_.RouteOver<WorkerApi>("both", {}, {a, b}).value();

  EXPECT_EQ(Ask(both, 3), "a b a ");
  EXPECT_EQ(both.Resize(+1).code(), absl::StatusCode::kFailedPrecondition);
  both.Stop();
  system_.WaitUntilQuiet();
  EXPECT_TRUE(a.Ask(Who{}).ok());
  EXPECT_EQ(system_.RouteOver<WorkerApi>("none", {}, {a, Ref<WorkerApi>()}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(RouterTest, RefusesNonsense) {
  const auto code = [&](RouterOptions options) {
    return system_.SpawnRouter<Worker>("odd", options).status().code();
  };

  EXPECT_EQ(code({.size = 0}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.size = kRouteesMax + 1}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.strategy = Routing::kConsistentHash, .size = 1}),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.size = 1, .virtual_nodes = 0}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.size = 1, .virtual_nodes = kVirtualNodesMax + 1}),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.size = 1, .interval = Duration::zero()}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(RouterRef<WorkerApi>().Resize(1).code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(RouterRef<WorkerApi>().Routees().empty());
  auto pool = Make(Routing::kRoundRobin, 1);
  EXPECT_EQ(system_.SpawnRouter<Worker>("pool", {.size = 1}).status().code(),
            absl::StatusCode::kAlreadyExists);
}

TEST_F(RouterTest, ItMayBeUsedAndResizedFromManyThreads) {
  auto pool = Make(Routing::kRoundRobin, 4);
  std::atomic<int> answered{0};
  std::vector<std::thread> threads;

  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        if (pool.Ask(Who{}).ok()) ++answered;
      }
    });
  }
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(pool.Resize(+4).ok());
    EXPECT_TRUE(pool.Resize(-4).ok());
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(pool.Routees().size(), 4u);
  EXPECT_GT(answered, 0);
}

}  // namespace
}  // namespace quern
