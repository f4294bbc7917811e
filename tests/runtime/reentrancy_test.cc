#include "quern/runtime/reentrancy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <absl/strings/str_cat.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <absl/synchronization/mutex.h>

#include "quern/quern.h"
#include "quern/testing/fake_clock.h"
#include "test_size.h"

namespace quern {
namespace {

using ::testing::ElementsAre;
using testing::FakeClock;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

// What happened, in order. Thread-safe.
class Journal {
 public:
  void Add(std::string line) {
    absl::MutexLock lock(&mutex_);
    lines_.push_back(std::move(line));
  }
  std::vector<std::string> lines() const {
    absl::MutexLock lock(&mutex_);
    return lines_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<std::string> lines_;
};

struct Do {
  std::function<int(Context&)> body;
};
struct Nap {
  int number = 0;
  Duration how_long{};
};
struct DoApi : Protocol<int(Do), int(Nap)> {};

struct Doer : Actor<DoApi> {
  explicit Doer(Journal* journal) : journal_(journal) {}
  ~Doer() { journal_->Add("destroyed"); }
  void OnStop() { journal_->Add("stopped"); }
  int On(const Do& m, Context& context) { return m.body(context); }
  StatusOr<int> On(const Nap& m, Context& context) {
    if (Status slept = context.Sleep(m.how_long); !slept.ok()) return slept;
    return m.number;
  }
  Journal* journal_;
};

class ReentrancyTest : public ::testing::Test {
 protected:
  Ref<DoApi> Spawn(const std::string& name, Reentrancy reentrancy, uint32_t asks_max = 0,
                   Journal* journal = nullptr) {
    SpawnOptions options;
    options.reentrancy = reentrancy;
    options.asks_in_flight_max = asks_max;
    return system_.Spawn<Doer>(options, name, journal == nullptr ? &others_ : journal).value();
  }
  void Pass(Duration time) {
    for (Duration passed{}; passed < time; passed += 10ms) {
      system_.WaitUntilQuiet();
      clock_.AdvanceBy(10ms);
    }
    system_.WaitUntilQuiet();
  }
  // A handler that notes that it begins, asks `target` to sleep, and notes what came.
  Do AskNap(const Ref<DoApi>& target, int number, Duration how_long, AskOptions options = {}) {
    return Do{[this, target, number, how_long, options](Context&) mutable {
      journal_.Add(absl::StrCat("begin ", number));
      options.timeout = 1h;
      const StatusOr<int> reply = target.Ask(Nap{number, how_long}, options);
      journal_.Add(reply.ok()
                       ? absl::StrCat("end ", number)
                       : absl::StrCat(std::string(absl::StatusCodeToString(reply.status().code())),
                                      " ", number));
      return number;
    }};
  }
  Do Note(std::string line) {
    return Do{[this, line](Context&) {
      journal_.Add(line);
      return 0;
    }};
  }

  Journal journal_;
  Journal others_;
  FakeClock clock_;
  System system_{{.name = "test", .workers = 2, .clock = &clock_}};
  Ref<DoApi> slow_ = Spawn("slow", Reentrancy::kOff);
  Ref<DoApi> slower_ = Spawn("slower", Reentrancy::kOff);
};

TEST_F(ReentrancyTest, OffHandlesOneMessageFromBeginToEnd) {
  auto actor = Spawn("actor", Reentrancy::kOff);

  actor.Tell(AskNap(slow_, 1, 50ms));
  actor.Tell(Note("next"));
  Pass(200ms);

  EXPECT_THAT(journal_.lines(), ElementsAre("begin 1", "end 1", "next"));
}

TEST_F(ReentrancyTest, AllowAllHandlesOthersWhileOneWaits) {
  auto actor = Spawn("actor", Reentrancy::kAllowAll);

  actor.Tell(AskNap(slow_, 1, 100ms));
  actor.Tell(AskNap(slower_, 2, 50ms));
  actor.Tell(Note("next"));
  Pass(200ms);

  EXPECT_THAT(journal_.lines(), ElementsAre("begin 1", "begin 2", "next", "end 2", "end 1"));
}

TEST_F(ReentrancyTest, TwoThatAskEachOtherBothFinish) {
  auto a = Spawn("a", Reentrancy::kAllowAll);
  auto b = Spawn("b", Reentrancy::kAllowAll);
  const auto ask_back = [](Ref<DoApi> from, Ref<DoApi> to) {
    return Do{[from, to](Context&) {
      return to
          .Ask(Do{[from](Context&) {
                 return from.Ask(Do{[](Context&) { return 7; }}, 1h).value_or(-1);
               }},
               1h)
          .value_or(-2);
    }};
  };

  Pending<int> one = a.AskAsync(ask_back(a, b), 1h);
  Pending<int> two = b.AskAsync(ask_back(b, a), 1h);

  EXPECT_EQ(one.Await().value(), 7);
  EXPECT_EQ(two.Await().value(), 7);
}

TEST_F(ReentrancyTest, AnActorMayAskItselfWithAllowAllAndCannotWithout) {
  auto open = Spawn("open", Reentrancy::kAllowAll);
  auto stash = Spawn("stash", Reentrancy::kStash);
  const auto ask_self = [](Ref<DoApi> self) {
    return Do{[self](Context&) {
      const auto reply = self.Ask(Do{[](Context&) { return 7; }}, 1h);
      return reply.ok() ? *reply : -static_cast<int>(ReasonOf(reply.status()));
    }};
  };

  EXPECT_EQ(open.Ask(ask_self(open), 1h).value(), 7);
  EXPECT_EQ(stash.Ask(ask_self(stash), 1h).value(), -static_cast<int>(Reason::kAskCycle));
}

TEST_F(ReentrancyTest, StashKeepsOthersInOrderUntilTheAskHasEnded) {
  auto actor = Spawn("actor", Reentrancy::kStash);

  actor.Tell(AskNap(slow_, 1, 50ms));
  for (const char* line : {"a", "b", "c"}) actor.Tell(Note(line));
  Pass(200ms);

  EXPECT_THAT(journal_.lines(), ElementsAre("begin 1", "end 1", "a", "b", "c"));
}

TEST_F(ReentrancyTest, ASingleAskMayAllowOthersInAStashingActor) {
  auto actor = Spawn("actor", Reentrancy::kStash);

  actor.Tell(AskNap(slow_, 1, 50ms, {.reentrancy = Reentrancy::kAllowAll}));
  actor.Tell(Note("next"));
  Pass(200ms);

  EXPECT_THAT(journal_.lines(), ElementsAre("begin 1", "next", "end 1"));
}

TEST_F(ReentrancyTest, ASingleAskMayHoldOthersBackUntilTheLastSuchHasEnded) {
  auto actor = Spawn("actor", Reentrancy::kAllowAll);

  actor.Tell(AskNap(slow_, 1, 50ms));
  actor.Tell(AskNap(slower_, 2, 100ms, {.reentrancy = Reentrancy::kStash}));
  actor.Tell(Note("next"));
  Pass(300ms);

  EXPECT_THAT(journal_.lines(), ElementsAre("begin 1", "begin 2", "end 1", "end 2", "next"));
}

TEST_F(ReentrancyTest, AnActorThatIsOffRefusesToAllowOthersForOneAsk) {
  auto actor = Spawn("actor", Reentrancy::kOff);

  actor.Tell(AskNap(slow_, 1, 50ms, {.reentrancy = Reentrancy::kAllowAll}));
  Pass(100ms);

  EXPECT_THAT(journal_.lines(), ElementsAre("begin 1", "FAILED_PRECONDITION 1"));
}

TEST_F(ReentrancyTest, AsksInFlightHaveABound) {
  auto actor = Spawn("actor", Reentrancy::kOff, /*asks_max=*/2);

  const int refused = actor
                          .Ask(Do{[&](Context&) {
                                 Pending<int> one = slow_.AskAsync(Nap{1, 1h}, 2h);
                                 Pending<int> two = slow_.AskAsync(Nap{2, 1h}, 2h);
                                 const Status three = slow_.Ask(Nap{3, 1h}, 2h).status();
                                 EXPECT_EQ(three.code(), absl::StatusCode::kResourceExhausted);
                                 EXPECT_THAT(std::string(three.message()),
                                             HasSubstr("/actor has 2 asks in flight already"));
                                 one.Cancel();  // frees its slot
                                 Pending<int> four = slower_.AskAsync(Nap{4, 0ms}, 2h);
                                 EXPECT_EQ(four.Await().value(), 4);  // and so does an answer
                                 Pending<int> five = slower_.AskAsync(Nap{5, 1h}, 2h);
                                 EXPECT_FALSE(five.ready());
                                 return 1;
                               }},
                               1h)
                          .value();

  EXPECT_EQ(refused, 1);
}

TEST_F(ReentrancyTest, AStopCancelsAllThatWaitAndRunsOnStopAfterTheLast) {
  auto actor = Spawn("actor", Reentrancy::kAllowAll, 0, &journal_);
  actor.Tell(AskNap(slow_, 1, 1h));
  actor.Tell(AskNap(slower_, 2, 1h));
  system_.WaitUntilQuiet();

  actor.Stop();
  system_.WaitUntilQuiet();

  EXPECT_THAT(journal_.lines(), ElementsAre("begin 1", "begin 2", "CANCELLED 1", "CANCELLED 2",
                                            "stopped", "destroyed"));
  EXPECT_EQ(actor.Tell(Note("late")), Delivery::kStopped);
}

TEST_F(ReentrancyTest, AFailureCancelsTheOthersAndRestartsAfterTheLast) {
  auto actor = Spawn("actor", Reentrancy::kAllowAll, 0, &journal_);
  actor.Tell(AskNap(slow_, 1, 1h));
  system_.WaitUntilQuiet();

  actor.Tell(Do{[](Context&) -> int { throw std::runtime_error("boom"); }});
  actor.Tell(Note("after"));
  system_.WaitUntilQuiet();
  const std::vector<std::string> before = journal_.lines();
  Pass(100ms);

  EXPECT_THAT(before, ElementsAre("begin 1", "CANCELLED 1", "destroyed"));
  EXPECT_EQ(journal_.lines().back(), "after");
}

TEST_F(ReentrancyTest, AnAwayHandlerThatFailsWaitsForTheOthersToo) {
  auto actor = Spawn("actor", Reentrancy::kAllowAll, 0, &journal_);
  actor.Tell(Do{[&](Context&) -> int {
    (void)slow_.Ask(Nap{1, 50ms}, 1h);
    throw std::runtime_error("boom");
  }});
  actor.Tell(AskNap(slower_, 2, 1h));
  Pass(60ms);

  EXPECT_THAT(journal_.lines(), ElementsAre("begin 2", "CANCELLED 2", "destroyed"));
}

struct Ticking : Doer {
  explicit Ticking(Journal* journal) : Doer(journal) {
    Every(20ms, Do{[journal](Context&) {
            journal->Add("tick");
            return 0;
          }});
  }
};

TEST_F(ReentrancyTest, TimersTickWhileAHandlerWaits) {
  SpawnOptions options;
  options.reentrancy = Reentrancy::kAllowAll;
  auto actor = system_.Spawn<Ticking>(options, "actor", &journal_).value();

  actor.Tell(AskNap(slow_, 1, 50ms));
  Pass(50ms);

  EXPECT_THAT(journal_.lines(), ElementsAre("begin 1", "tick", "tick", "end 1"));
}

struct AsksInOnStart : Doer {
  AsksInOnStart(Journal* journal, Ref<DoApi> other) : Doer(journal), other_(std::move(other)) {}
  Status OnStart() {
    return other_.Ask(Do{[self = Self()](Context&) {
                        const auto back = self.Ask(Do{[](Context&) { return 1; }}, 1h);
                        return back.ok() ? *back : -static_cast<int>(ReasonOf(back.status()));
                      }},
                      1h)
                       .value_or(0) == -static_cast<int>(Reason::kAskCycle)
               ? absl::OkStatus()
               : absl::InternalError("no cycle");
  }
  const Ref<DoApi> other_;
};

TEST_F(ReentrancyTest, AskedBackInOnStartItIsACycleWhateverItAllows) {
  SpawnOptions options;
  options.reentrancy = Reentrancy::kAllowAll;

  auto actor = system_.Spawn<AsksInOnStart>(options, "actor", &journal_, slow_).value();

  EXPECT_EQ(actor.Ask(Do{[](Context&) { return 3; }}).value(), 3);
  EXPECT_THAT(journal_.lines(), ElementsAre());
}

TEST_F(ReentrancyTest, AnActorWithAHandlerThatWaitsIsNotPassivated) {
  SpawnOptions options;
  options.reentrancy = Reentrancy::kAllowAll;
  options.passivate_after = 100ms;
  auto actor = system_.Spawn<Doer>(options, "actor", &journal_).value();
  actor.Tell(AskNap(slow_, 1, 500ms));
  actor.Tell(Note("next"));

  Pass(510ms);
  const std::vector<std::string> while_waiting = journal_.lines();
  Pass(300ms);

  EXPECT_THAT(while_waiting, ElementsAre("begin 1", "next", "end 1"));
  EXPECT_THAT(journal_.lines(), ElementsAre("begin 1", "next", "end 1", "stopped", "destroyed"));
}

// Whatever runs at once, one handler runs at a time, nothing is lost, and a stop waits for all.
struct Work {
  int asks = 0;
};
struct Busy;
struct WorkApi : Protocol<int(Work)> {};
struct Busy : Actor<WorkApi> {
  Busy(std::vector<Ref<WorkApi>>* others, std::atomic<int>* overlaps, std::atomic<int>* handled)
      : others_(others), overlaps_(overlaps), handled_(handled) {}
  ~Busy() {
    if (inside_.load() != 0) ++*overlaps_;
  }
  int On(const Work& m) {
    Enter();
    if (m.asks > 0) {
      auto& other = (*others_)[static_cast<size_t>(m.asks) * 7 % others_->size()];
      Leave();
      (void)other.Ask(Work{m.asks - 1}, 1h);
      Enter();
    }
    Leave();
    ++*handled_;
    return m.asks;
  }
  void Enter() {
    if (inside_.fetch_add(1) != 0) ++*overlaps_;
  }
  void Leave() { inside_.fetch_sub(1); }

  std::vector<Ref<WorkApi>>* others_;
  std::atomic<int>* overlaps_;
  std::atomic<int>* handled_;
  std::atomic<int> inside_{0};
};

TEST(ReentrancySeedsTest, OneHandlerRunsAtATimeAndNothingIsLost) {
  const auto seed = static_cast<uint32_t>(::testing::UnitTest::GetInstance()->random_seed());
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  constexpr int kAsks = Rounds(300, 50);  // a sender
  std::mt19937 dice(seed);
  std::vector<Ref<WorkApi>> actors;
  std::atomic<int> overlaps{0};
  std::atomic<int> handled{0};
  System system({.name = "seeds", .workers = 3});
  SpawnOptions options;
  options.reentrancy = Reentrancy::kAllowAll;
  actors.reserve(8);
  for (int i = 0; i < 8; ++i) {
    actors.push_back(
        system.Spawn<Busy>(options, absl::StrCat("a", i), &actors, &overlaps, &handled).value());
  }

  std::vector<std::thread> senders;
  std::atomic<int> wrong{0};
  for (int s = 0; s < 4; ++s) {
    senders.emplace_back([&, sender_seed = dice()] {
      std::mt19937 own(static_cast<uint32_t>(sender_seed));
      std::vector<Pending<int>> pending;
      std::vector<int> expected;
      for (int i = 0; i < kAsks; ++i) {
        expected.push_back(static_cast<int>(own() % 6));
        pending.push_back(actors[own() % actors.size()].AskAsync(Work{expected.back()}, 1h));
      }
      for (size_t i = 0; i < pending.size(); ++i) {
        if (pending[i].Await().value_or(-1) != expected[i]) ++wrong;
      }
    });
  }
  for (std::thread& sender : senders) sender.join();

  EXPECT_EQ(wrong, 0);
  for (auto& actor : actors) actor.Tell(Work{5});
  system.Stop();
  EXPECT_EQ(overlaps, 0);
}

}  // namespace
}  // namespace quern
