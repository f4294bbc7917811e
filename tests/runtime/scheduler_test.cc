#include "scheduler/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <latch>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "mailbox/magazine.h"
#include "quern/quern.h"
#include "quern/testing/fake_clock.h"
#include "scheduler/recent_clock.h"

namespace quern {
namespace {

using testing::FakeClock;
using namespace std::chrono_literals;

struct Note {
  int sender = 0;
  int number = 0;
};
struct Total {};
struct CollectorApi : Protocol<void(Note), int(Total)> {};
struct Collector : Actor<CollectorApi> {
  explicit Collector(std::atomic<bool>* in_order) : in_order_(in_order) {}
  void On(const Note& m) {
    if (next_[m.sender]++ != m.number) *in_order_ = false;
    ++total_;
  }
  int On(const Total&) { return total_; }
  std::atomic<bool>* in_order_;
  int next_[8] = {};
  int total_ = 0;
};

TEST(SchedulerTest, MessagesOfOneSenderStayInOrderFromManyThreads) {
  System system({.name = "test", .workers = 3});
  std::atomic<bool> in_order{true};
  auto collector = system.Spawn<Collector>("collector", &in_order).value();

  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5000; ++i) collector.Tell(Note{t, i});
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(collector.Ask(Total{}, 60s).value(), 40'000);
  EXPECT_TRUE(in_order);
}

struct Pass {
  int left = 0;
};
struct PassApi : Protocol<void(Pass)> {};
struct Meet {
  Ref<PassApi> other;
};
struct PlayerApi : Protocol<void(Pass), void(Meet)> {};
struct Player : Actor<PlayerApi> {
  explicit Player(std::latch* done) : done_(done) {}
  void On(const Meet& m) { other_ = m.other; }
  void On(const Pass& m) {
    if (m.left == 0) {
      done_->count_down();
    } else {
      other_.Tell(Pass{m.left - 1});
    }
  }
  std::latch* done_;
  Ref<PassApi> other_;
};

// Two actors that never let each other rest, and a third that must get its turn.
TEST(SchedulerTest, APairInTheSlotDoesNotStarveTheQueueOrTheInjected) {
  System system({.name = "test", .workers = 1});
  std::latch endless{1};
  auto a = system.Spawn<Player>("a", &endless).value();
  auto b = system.Spawn<Player>("b", &endless).value();
  a.Tell(Meet{b});
  b.Tell(Meet{a});
  a.Tell(Pass{1 << 30});

  std::atomic<bool> in_order{true};
  auto other = system.Spawn<Collector>("other", &in_order).value();

  EXPECT_TRUE(other.Ask(Total{}, 60s).ok());
}

struct Branch {
  int depth;
};
struct Done {};
struct BranchApi : Protocol<void(Branch), void(Done)> {};

// Ten children to each, which end first; counts the inner ones that live.
struct Inner : Actor<BranchApi> {
  struct Counts {
    std::atomic<int> living{0};
    std::atomic<int> most{0};
    std::atomic<int> leaves{0};
  };
  Inner(Counts* counts, Ref<BranchApi> parent) : counts_(counts), parent_(std::move(parent)) {}

  void On(const Branch& m, Context& context) {
    if (m.depth == 0) {
      ++counts_->leaves;
      return End(context);
    }
    counts_->most = std::max<int>(counts_->most, ++counts_->living);
    for (int i = 0; i < kBranches; ++i) {
      context.SpawnUnnamed<Inner>(counts_, Self()).value().Tell(Branch{m.depth - 1});
    }
  }
  void On(const Done&, Context& context) {
    if (++done_ < kBranches) return;
    --counts_->living;
    End(context);
  }
  void End(Context& context) {
    parent_.Tell(Done{});
    context.Stop();
  }

  static constexpr int kBranches = 10;
  Counts* counts_;
  Ref<BranchApi> parent_;
  int done_ = 0;
};

TEST(SchedulerTest, ATreeOfActorsIsWalkedInDepth) {
  Inner::Counts counts;
  System system({.name = "test", .workers = 1});

  system.SpawnUnnamed<Inner>(&counts, Ref<BranchApi>()).value().Tell(Branch{4});
  system.WaitUntilQuiet();

  EXPECT_EQ(counts.leaves, 10'000);
  EXPECT_EQ(counts.living, 0);
  EXPECT_LT(counts.most, 100);  // of 1,111
}

struct Beget {};
struct LineApi : Protocol<void(Beget)> {};
struct Line : Actor<LineApi> {
  Line(System* system, std::atomic<bool>* over) : system_(system), over_(over) {}
  void On(const Beget&, Context& context) {
    context.Stop();
    if (*over_) return;
    // A sibling: children would have to end first.
    if (auto next = system_->SpawnUnnamed<Line>(system_, over_); next.ok()) next->Tell(Beget{});
  }
  System* system_;
  std::atomic<bool>* over_;
};

TEST(RecentClockTest, IsNeverBehindAndOnlyALittleAhead) {
  const Clock& clock = SystemClock();
  internal::RecentClock recent;
  int readings = 0;
  const auto read = [&] {
    ++readings;
    return clock.Now();
  };
  int looks = 0;
  for (; readings < 5; ++looks) {
    const Time before = clock.Now();
    const Time now = recent.Now(read);
    ASSERT_GE(now, before);
    ASSERT_LE(now, clock.Now() + internal::RecentClock::kAheadMax);
  }
#if defined(__x86_64__)
  EXPECT_GT(looks, readings) << "one reading serves for a while";
#endif
}

TEST(SchedulerTest, NewbornActorsDoNotKeepTheOthersOut) {
  std::atomic<bool> over{false};
  std::atomic<bool> in_order{true};
  System system({.name = "test", .workers = 1});
  auto collector = system.Spawn<Collector>("collector", &in_order).value();
  EXPECT_EQ(collector.Ask(Total{}, 60s).value(), 0);

  for (int i = 0; i < 32; ++i) system.SpawnUnnamed<Line>(&system, &over).value().Tell(Beget{});
  for (int i = 0; i < 10; ++i) collector.Tell(Note{0, i});

  EXPECT_EQ(collector.Ask(Total{}, 60s).value(), 10);
  over = true;
}

TEST(SchedulerTest, ManyPairsFinishOnSeveralWorkers) {
  System system({.name = "test", .workers = 3});
  constexpr int kPairs = 50;
  std::latch done{kPairs};
  for (int i = 0; i < kPairs; ++i) {
    auto a = system.Spawn<Player>("a" + std::to_string(i), &done).value();
    auto b = system.Spawn<Player>("b" + std::to_string(i), &done).value();
    a.Tell(Meet{b});
    b.Tell(Meet{a});
    a.Tell(Pass{500});
  }

  done.wait();
}

// Boost.Context leaves the exceptions being handled with the thread; ours must follow the fiber.
struct Catch {
  std::string text;
};
struct CatchApi : Protocol<std::string(Catch)> {};
struct Catcher : Actor<CatchApi> {
  std::string On(const Catch& m, Context& context) {
    try {
      throw std::runtime_error(m.text);
    } catch (const std::exception&) {
      (void)context.Sleep(10ms);  // others throw meanwhile, on the same thread
      try {
        std::rethrow_exception(std::current_exception());
      } catch (const std::exception& mine) {
        return mine.what();
      }
    }
  }
};

TEST(SchedulerTest, AnExceptionBeingHandledStaysWithItsFiber) {
  FakeClock clock;
  System system({.name = "test", .workers = 1, .clock = &clock});
  constexpr int kCatchers = 8;
  std::vector<std::string> got(kCatchers);
  std::atomic<int> done{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kCatchers; ++i) {
    auto catcher = system.Spawn<Catcher>("c" + std::to_string(i)).value();
    threads.emplace_back([&, i, catcher] {
      got[i] = catcher.Ask(Catch{std::to_string(i)}, 1h).value_or("?");
      ++done;
    });
  }
  while (done < kCatchers) {
    system.WaitUntilQuiet();
    clock.AdvanceBy(1ms);
  }
  for (std::thread& thread : threads) thread.join();

  for (int i = 0; i < kCatchers; ++i) EXPECT_EQ(got[i], std::to_string(i));
}

// More handlers wait than runners are kept: the extra fibers end, their memory with them.
TEST(SchedulerTest, HundredsOfHandlersWaitAtOnceAndAllWake) {
  FakeClock clock;
  System system({.name = "test", .workers = 2, .clock = &clock});
  constexpr int kCatchers = 300;
  std::atomic<int> done{0};
  struct NapApi : Protocol<void(Pass)> {};
  struct Napper : Actor<NapApi> {
    explicit Napper(std::atomic<int>* count) : done_(count) {}
    void On(const Pass&, Context& context) {
      if (context.Sleep(50ms).ok()) ++*done_;
    }
    std::atomic<int>* done_;
  };
  for (int i = 0; i < kCatchers; ++i) {
    system.Spawn<Napper>("n" + std::to_string(i), &done).value().Tell(Pass{});
  }
  system.WaitUntilQuiet();
  EXPECT_EQ(done, 0);

  clock.AdvanceBy(50ms);
  system.WaitUntilQuiet();

  EXPECT_EQ(done, kCatchers);
}

TEST(SchedulerTest, SystemsComeAndGoWhileOthersSend) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<bool> in_order{true};
    std::latch started{2};
    Ref<CollectorApi> collector;
    std::vector<std::thread> senders;
    {
      System system({.name = "test", .workers = 2});
      collector = system.Spawn<Collector>("collector", &in_order).value();
      for (int t = 0; t < 2; ++t) {
        senders.emplace_back([&, t, ref = collector] {
          started.count_down();
          int i = 0;
          while (ref.Tell(Note{t, i}) == Delivery::kAccepted) ++i;
        });
      }
      started.wait();
      collector.Stop();
      for (std::thread& sender : senders) sender.join();
    }
    EXPECT_TRUE(in_order);
    EXPECT_EQ(collector.Tell(Note{}), Delivery::kStopped);
  }
}

TEST(MagazineTest, AClassIsTheSmallestThatIsLargeEnough) {
  using internal::BlockBytes;
  using internal::BlockClassFor;
  constexpr size_t kLargest = internal::kBlockBytes[internal::kBlockClasses - 1];
  for (size_t bytes = 1; bytes <= kLargest; ++bytes) {
    const uint8_t found = BlockClassFor(bytes);
    ASSERT_GE(BlockBytes(found), bytes);
    ASSERT_TRUE(found == 0 || BlockBytes(found - 1) < bytes) << bytes;
  }
  EXPECT_EQ(BlockClassFor(kLargest + 1), internal::kUnpooledClass);
}

TEST(MagazineTest, BlocksGoRoundBetweenCachesThroughTheDepot) {
  internal::MagazineDepot depot;
  internal::BlockCache producer(&depot);
  internal::BlockCache consumer(&depot);

  for (int i = 0; i < 10'000; ++i) {
    void* block = producer.Allocate(1);
    static_cast<char*>(block)[internal::BlockBytes(1) - 1] = 1;
    consumer.Free(block, 1);
  }
}

TEST(MagazineTest, ADepotThatIsFullFreesTheRest) {
  internal::MagazineDepot depot;
  internal::BlockCache cache(&depot);
  std::vector<void*> blocks;
  const size_t bound = (kDepotMagazinesMax + 4) * kMagazineEnvelopes;
  for (size_t i = 0; i < bound; ++i) blocks.push_back(cache.Allocate(0));

  for (void* block : blocks) cache.Free(block, 0);

  std::vector<internal::Magazine> kept;
  for (internal::Magazine next; !(next = depot.TakeFull(0, {})).empty();) kept.push_back(next);
  EXPECT_EQ(kept.size(), kDepotMagazinesMax);
  for (const internal::Magazine& magazine : kept) internal::FreeAll(magazine);
}

TEST(MagazineTest, ADepotTrimsAfterABurstAndNotDuringIt) {
  internal::MagazineDepot depot;
  const auto give = [&](size_t magazines) {
    for (size_t i = 0; i < magazines; ++i) {
      internal::Magazine full = depot.TakeEmpty();
      full.Push(std::malloc(internal::BlockBytes(0)));
      depot.GiveEmpty(depot.TakeEmpty(0, full));
    }
  };
  give(kDepotMagazinesMax + kTrimMagazines - 1);
  EXPECT_FALSE(depot.TrimAfterBurst());
  EXPECT_FALSE(depot.TrimAfterBurst()) << "that few are not worth it";

  give(1);
  EXPECT_FALSE(depot.TrimAfterBurst()) << "more may come";
  EXPECT_TRUE(depot.TrimAfterBurst());
  EXPECT_FALSE(depot.TrimAfterBurst());
}

}  // namespace
}  // namespace quern
