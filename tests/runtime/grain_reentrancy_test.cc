// Grains that handle further messages while a handler waits: every mode, and how an activation ends
// that is in the middle of several handlers.

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <absl/strings/str_cat.h>

#include "grain_test_kit.h"
#include "quern/quern.h"
#include "quern/runtime/metrics.h"
#include "quern/testing/fake_clock.h"

namespace quern::testing {

class Doer;

struct Do {  // stays in the process
  std::function<StatusOr<int64_t>(Doer&, Context&)> body;
};
struct DoerApi : Protocol<int64_t(Do), void(Note)> {
  static constexpr std::string_view kKind = "doer";
};

struct Nap {
  int64_t number = 0;
  Duration how_long{};
};
struct NapApi : Protocol<int64_t(Nap)> {};

}  // namespace quern::testing

namespace quern {
template <>
struct Codec<testing::Do> : EmptyCodec<testing::Do> {
  static constexpr std::string_view kName = "test.Do";
};
}  // namespace quern

namespace quern::testing {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

class Doer : public Grain<DoerApi> {
 public:
  explicit Doer(Scene* scene) : scene_(scene) { Write("made"); }
  ~Doer() override { Write("destroyed"); }
  Status OnActivate() override {
    return scene_->on_activate ? scene_->on_activate() : absl::OkStatus();
  }
  void OnDeactivate(const Status& why) override {
    Write("deactivated " + absl::StatusCodeToString(why.code()));
  }
  StatusOr<int64_t> On(const Do& m, Context& context) { return m.body(*this, context); }
  void On(const Note& m) { Write(m.text); }

  using Grain::Cron;
  using Grain::DeactivateSoon;
  using Grain::Every;
  void Write(std::string line) { scene_->journal.Add(std::move(line)); }

  State<int64_t> total{this};

 private:
  Scene* const scene_;
};

struct Napper : Actor<NapApi> {
  StatusOr<int64_t> On(const Nap& m, Context& context) {
    if (Status slept = context.Sleep(m.how_long); !slept.ok()) return slept;
    return m.number;
  }
};

class GrainReentrancyTest : public ::testing::Test {
 protected:
  ~GrainReentrancyTest() override { system_.Stop(); }

  Ref<DoerApi> Hosted(Reentrancy reentrancy, GrainOptions options = {}, const char* key = "a") {
    options.reentrancy = reentrancy;
    if (options.kind.empty()) options.kind = absl::StrCat("doer", ++kinds_);
    const std::string kind = options.kind;
    EXPECT_TRUE(system_.Host<Doer>(std::move(options), &scene_).ok());
    return system_.Grain<DoerApi>(key, kind);
  }
  void Pass(Duration time) {
    for (Duration passed{}; passed < time; passed += 10ms) {
      system_.WaitUntilQuiet();
      clock_.AdvanceBy(10ms);
    }
    system_.WaitUntilQuiet();
  }
  // A handler that notes that it begins, asks somebody to sleep, and notes what came.
  Do AskNap(int number, Duration how_long, AskOptions options = {}) {
    return Do{[number, how_long, options, napper = NewNapper()](Doer& self, Context&) mutable {
      self.Write(absl::StrCat("begin ", number));
      options.timeout = 1h;
      const StatusOr<int64_t> reply = napper.Ask(Nap{number, how_long}, options);
      self.Write(absl::StrCat(reply.ok() ? "end" : OutcomeOf(reply), " ", number));
      return reply;
    }};
  }
  Ref<NapApi> NewNapper() {
    return system_.Spawn<Napper>(absl::StrCat("napper", ++nappers_)).value();
  }
  static Do Throwing() {
    return Do{[](Doer&, Context&) -> StatusOr<int64_t> { throw std::runtime_error("boom"); }};
  }
  static Do Leaving() {
    return Do{[](Doer& self, Context&) {
      self.DeactivateSoon();
      return 0;
    }};
  }
  // Asks `to` whatever `asked` says.
  static Do Asking(const Ref<DoerApi>& to, Do asked, Duration timeout = 1h) {
    return Do{[to, asked = std::move(asked), timeout](Doer&, Context&) {
      return to.Ask(asked, timeout);
    }};
  }
  static Do Returning(int64_t number) {
    return Do{[number](Doer&, Context&) { return number; }};
  }
  std::string Journal() {
    system_.WaitUntilQuiet();
    return scene_.journal.Text();
  }

  Scene scene_;
  FakeClock clock_;
  int kinds_ = 0;
  int nappers_ = 0;
  FaultyStore store_;
  System system_{SystemOptions{.name = "reentrant", .workers = 2, .clock = &clock_}};
};

// ---- The modes

TEST_F(GrainReentrancyTest, OffHandlesOneMessageFromBeginToEnd) {
  auto grain = Hosted(Reentrancy::kOff);

  grain.Tell(AskNap(1, 50ms));
  grain.Tell(Note{"next"});
  Pass(200ms);

  EXPECT_EQ(Journal(), "made, begin 1, end 1, next");
}

TEST_F(GrainReentrancyTest, AllowAllHandlesOthersWhileOneWaits) {
  auto grain = Hosted(Reentrancy::kAllowAll);

  grain.Tell(AskNap(1, 100ms));
  grain.Tell(AskNap(2, 50ms));
  grain.Tell(Note{"next"});
  Pass(200ms);

  EXPECT_EQ(Journal(), "made, begin 1, begin 2, next, end 2, end 1");
}

TEST_F(GrainReentrancyTest, StashKeepsOthersInOrderUntilTheAskHasEnded) {
  auto grain = Hosted(Reentrancy::kStash);

  grain.Tell(AskNap(1, 50ms));
  for (const char* text : {"a", "b", "c"}) grain.Tell(Note{text});
  Pass(200ms);

  EXPECT_EQ(Journal(), "made, begin 1, end 1, a, b, c");
}

TEST_F(GrainReentrancyTest, ASingleAskMayAllowOthersOrHoldThemBack) {
  auto stash = Hosted(Reentrancy::kStash);
  auto open = Hosted(Reentrancy::kAllowAll);

  stash.Tell(AskNap(1, 50ms, {.reentrancy = Reentrancy::kAllowAll}));
  stash.Tell(Note{"next"});
  Pass(100ms);
  EXPECT_EQ(Journal(), "made, begin 1, next, end 1");
  scene_.journal.Clear();
  open.Tell(AskNap(2, 50ms, {.reentrancy = Reentrancy::kStash}));
  open.Tell(Note{"next"});
  Pass(100ms);

  EXPECT_EQ(Journal(), "made, begin 2, end 2, next");
}

TEST_F(GrainReentrancyTest, OneThatIsOffRefusesToAllowOthersForOneAskAndSaysWhatToDo) {
  auto grain = Hosted(Reentrancy::kOff);

  const Status refused = grain.Ask(AskNap(1, 50ms, {.reentrancy = Reentrancy::kAllowAll})).status();

  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("GrainOptions::reentrancy"));
}

TEST_F(GrainReentrancyTest, AsksInFlightHaveABound) {
  auto grain = Hosted(Reentrancy::kAllowAll, {.asks_in_flight_max = 2});
  grain.Tell(AskNap(1, 50ms));
  grain.Tell(AskNap(2, 50ms));

  const Status third = grain.Ask(AskNap(3, 50ms)).status();

  EXPECT_EQ(third.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(third.message()), HasSubstr("doer1/a has 2 asks in flight already"));
  Pass(100ms);
  grain.Tell(AskNap(4, 50ms));
  Pass(100ms);
  EXPECT_THAT(Journal(), HasSubstr("end 4")) << "an answer frees its slot";
}

TEST_F(GrainReentrancyTest, TimersTickWhileAHandlerWaits) {
  auto grain = Hosted(Reentrancy::kAllowAll);
  ASSERT_TRUE(
      grain.Ask(Do{[](Doer& self, Context&) { return self.Every(20ms, Note{"tick"}); }}).ok());

  grain.Tell(AskNap(1, 50ms));
  Pass(50ms);

  EXPECT_EQ(Journal(), "made, begin 1, tick, tick, end 1");
}

// ---- Who asks whom

TEST_F(GrainReentrancyTest, TwoThatAskEachOtherFailAtOnceAndPrintTheCycleWhenTheyAreOff) {
  auto a = Hosted(Reentrancy::kOff, {.kind = "a"});
  auto b = Hosted(Reentrancy::kOff, {.kind = "b"});
  const Time before = clock_.Now();

  const Status cycle = a.Ask(Asking(b, Asking(a, Returning(1)))).status();

  EXPECT_EQ(OutcomeOf(cycle), "FAILED_PRECONDITION ask_cycle");
  EXPECT_THAT(std::string(cycle.message()), HasSubstr("a/a asks b/a asks a/a"));
  EXPECT_EQ(clock_.Now(), before) << "no deadline was waited for";
}

TEST_F(GrainReentrancyTest, TwoThatAskEachOtherBothFinishWhenTheyAllowIt) {
  auto a = Hosted(Reentrancy::kAllowAll);
  auto b = Hosted(Reentrancy::kAllowAll);

  Pending<int64_t> one = a.AskAsync(Asking(b, Asking(a, Returning(1))), 1h);
  Pending<int64_t> two = b.AskAsync(Asking(a, Asking(b, Returning(2))), 1h);
  Pending<int64_t> self = a.AskAsync(Asking(a, Returning(3)), 1h);

  EXPECT_EQ(one.Await().value(), 1);
  EXPECT_EQ(two.Await().value(), 2);
  EXPECT_EQ(self.Await().value(), 3);
}

TEST_F(GrainReentrancyTest, AskedBackInOnActivateItIsACycleWhateverItAllows) {
  auto b = Hosted(Reentrancy::kOff, {.kind = "b"});
  ASSERT_TRUE(b.Ask(Returning(0)).ok());
  auto a = Hosted(Reentrancy::kAllowAll, {.kind = "a"});
  scene_.on_activate = [&] { return b.Ask(Asking(a, Returning(1))).status(); };

  const Status cycle = a.Ask(Returning(2)).status();

  EXPECT_EQ(OutcomeOf(cycle), "FAILED_PRECONDITION ask_cycle");
  scene_.on_activate = nullptr;
}

TEST_F(GrainReentrancyTest, AcrossNodesOneThatAllowsItMayBeAskedBackAndOneThatDoesNotIsACycle) {
  Hosted(Reentrancy::kAllowAll, {.kind = "open"});
  Hosted(Reentrancy::kOff, {.kind = "off"});
  KeepingRouter router;
  NetworkPort& port = system_.network_port();
  port.SetRouter(&router);
  std::vector<std::string> outcomes;

  for (const char* kind : {"open", "off"}) {
    const GrainId id(kind, "a");
    port.Activate(id, Epoch{.counter = 1}, [](const StatusOr<ActivationInfo>&) {});
    const Ref<DoerApi> far = system_.Grain<DoerApi>("far", "elsewhere");
    system_.Grain<DoerApi>("a", kind).Tell(Do{[far](Doer&, Context&) {
      (void)far.Ask(Note{"there"}, 1h);
      return 0;
    }});
    Message first = router.Take().second;
    port.DeliverToGrain(id, {}, first);
    Message asked = router.Take().second;  // it goes to another node, which asks back
    InboundMessage back;
    back.kind = kind;
    back.type_name = "test.Note";
    back.body = "asked back";
    back.call_chain = asked.call_chain();
    outcomes.push_back(asked.call_chain().at(0));
    back.on_reply = [&](const EncodedReply& reply) { outcomes.push_back(OutcomeOf(reply.status)); };
    Message inbound = port.Decode(std::move(back)).value();
    port.DeliverToGrain(id, {}, inbound);
    system_.WaitUntilQuiet();
    std::move(asked).Complete("", {});
    system_.WaitUntilQuiet();
  }

  EXPECT_THAT(outcomes,
              ElementsAre("(reentrant) open/a", "OK", "off/a", "FAILED_PRECONDITION ask_cycle"));
  system_.Stop();
  port.SetRouter(nullptr);
}

// ---- The end of an activation

TEST_F(GrainReentrancyTest, ADeactivationLetsThoseThatWaitEndAndTheRestGoesToTheNextActivation) {
  auto grain = Hosted(Reentrancy::kAllowAll);
  Pending<int64_t> waits = grain.AskAsync(AskNap(1, 50ms), 1h);
  system_.WaitUntilQuiet();

  EXPECT_TRUE(system_.Deactivate(grain).ok());
  system_.WaitUntilQuiet();
  for (const char* text : {"a", "b"}) EXPECT_EQ(grain.Tell(Note{text}), Delivery::kAccepted);
  EXPECT_EQ(Journal(), "made, begin 1");
  EXPECT_EQ(system_.ListGrains().grains.at(0).messages, 3u);
  Pass(100ms);

  EXPECT_EQ(Journal(), "made, begin 1, end 1, deactivated OK, destroyed, made, a, b");
  EXPECT_EQ(waits.Await().value(), 1);
}

TEST_F(GrainReentrancyTest, OneThatWantsToLeaveWaitsForTheOthers) {
  auto grain = Hosted(Reentrancy::kAllowAll);
  grain.Tell(AskNap(1, 50ms));

  ASSERT_TRUE(grain.Ask(Leaving()).ok());
  grain.Tell(Note{"after"});
  Pass(100ms);

  EXPECT_EQ(Journal(), "made, begin 1, end 1, deactivated OK, destroyed, made, after");
}

TEST_F(GrainReentrancyTest, WhatAHandlerWaitsForIsHandledAlsoWhileTheGrainLeaves) {
  auto a = Hosted(Reentrancy::kAllowAll, {.kind = "a"});
  auto b = Hosted(Reentrancy::kAllowAll, {.kind = "b"});
  const Do back{[&, a](Doer&, Context&) -> StatusOr<int64_t> {
    if (auto nap = NewNapper().Ask(Nap{0, 50ms}, 1h); !nap.ok()) return nap;
    a.Tell(Note{"told before"});
    return a.Ask(Do{[](Doer& self, Context&) {
                   self.Write("asked back");
                   return 7;
                 }},
                 1h);
  }};
  Pending<int64_t> asked = a.AskAsync(Asking(b, back), 1h);
  system_.WaitUntilQuiet();

  EXPECT_TRUE(system_.Deactivate(a).ok());
  system_.WaitUntilQuiet();
  a.Tell(Note{"of somebody else"});
  Pass(100ms);

  EXPECT_EQ(asked.Await().value(), 7);
  EXPECT_EQ(Journal(),
            "made, made, told before, asked back, deactivated OK, destroyed, made, "
            "of somebody else");
}

TEST_F(GrainReentrancyTest, ANarrowMailboxStaysNarrowWhileTheGrainLeaves) {
  auto grain = Hosted(Reentrancy::kAllowAll, {.mailbox_capacity = 2});
  grain.Tell(AskNap(1, 50ms));
  system_.WaitUntilQuiet();
  EXPECT_TRUE(system_.Deactivate(grain).ok());

  int accepted = 0;
  for (int i = 0; i < 10; ++i) {
    system_.WaitUntilQuiet();
    if (grain.Tell(Note{absl::StrCat(i)}) == Delivery::kAccepted) ++accepted;
  }
  EXPECT_EQ(accepted, 4) << "two are put aside, two wait";
  Pass(100ms);

  EXPECT_EQ(Journal(), "made, begin 1, end 1, deactivated OK, destroyed, made, 0, 1, 2, 3");
}

TEST_F(GrainReentrancyTest, AFailureCancelsTheOthersAndWhatIsQueuedGoesToTheNextActivation) {
  auto grain = Hosted(Reentrancy::kAllowAll);
  Pending<int64_t> waits = grain.AskAsync(AskNap(1, 1h), 2h);
  system_.WaitUntilQuiet();

  grain.Tell(Throwing());
  grain.Tell(Note{"after"});

  EXPECT_EQ(Journal(),
            "made, begin 1, CANCELLED cancelled 1, deactivated UNKNOWN, destroyed, made, "
            "after");
  EXPECT_EQ(OutcomeOf(waits.Await()), "CANCELLED cancelled");
}

TEST_F(GrainReentrancyTest, OneThatFailsAfterItHasWaitedEndsTheActivationAsWell) {
  auto grain = Hosted(Reentrancy::kAllowAll);
  grain.Tell(Do{[napper = NewNapper()](Doer&, Context&) -> StatusOr<int64_t> {
    (void)napper.Ask(Nap{1, 50ms}, 1h);
    throw std::runtime_error("boom");
  }});
  grain.Tell(AskNap(2, 1h));
  Pass(60ms);
  grain.Tell(Note{"after"});

  EXPECT_EQ(Journal(),
            "made, begin 2, CANCELLED cancelled 2, deactivated UNKNOWN, destroyed, made, "
            "after");
}

TEST_F(GrainReentrancyTest, AFailureIsTheReasonEvenWhenAnEndHadBeenAskedFor) {
  auto grain = Hosted(Reentrancy::kAllowAll);
  grain.Tell(Do{[napper = NewNapper()](Doer&, Context&) -> StatusOr<int64_t> {
    (void)napper.Ask(Nap{1, 50ms}, 1h);
    throw std::runtime_error("boom");
  }});
  system_.WaitUntilQuiet();

  EXPECT_TRUE(system_.Deactivate(grain).ok());
  Pass(60ms);

  EXPECT_EQ(Journal(), "made, deactivated UNKNOWN, destroyed");
}

TEST_F(GrainReentrancyTest, AStopCancelsAllThatWait) {
  auto grain = Hosted(Reentrancy::kAllowAll);
  grain.Tell(AskNap(1, 1h));
  grain.Tell(AskNap(2, 1h));
  system_.WaitUntilQuiet();

  system_.Stop();

  EXPECT_EQ(scene_.journal.Text(),
            "made, begin 1, begin 2, CANCELLED cancelled 1, "
            "CANCELLED cancelled 2, deactivated CANCELLED, destroyed");
}

TEST_F(GrainReentrancyTest, AGrainWithAHandlerThatWaitsIsNotIdle) {
  auto grain = Hosted(Reentrancy::kAllowAll, {.idle_timeout = 100ms});
  grain.Tell(AskNap(1, 500ms));
  grain.Tell(Note{"next"});

  Pass(510ms);
  EXPECT_EQ(Journal(), "made, begin 1, next, end 1");
  Pass(100ms);

  EXPECT_EQ(Journal(), "made, begin 1, next, end 1, deactivated OK, destroyed");
}

// ---- Its state

// Keeps every save to itself until it is released.
class HoldingStore : public FaultyStore {
 public:
  void Save(const StateClaim& claim, StateSnapshot snapshot, Duration timeout,
            std::function<void(StatusOr<StateClaim>)> done) override {
    absl::MutexLock lock(&mutex_);
    held_.push_back([=, this, snapshot = std::move(snapshot), done = std::move(done)]() mutable {
      FaultyStore::Save(claim, std::move(snapshot), timeout, std::move(done));
    });
  }
  size_t held() {
    absl::MutexLock lock(&mutex_);
    return held_.size();
  }
  void Release() {
    std::function<void()> save;
    {
      absl::MutexLock lock(&mutex_);
      save = std::move(held_.front());
      held_.pop_front();
    }
    save();
  }

 private:
  absl::Mutex mutex_;
  std::deque<std::function<void()>> held_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(GrainReentrancyTest, SavesOfTwoHandlersComeOneAfterTheOther) {
  HoldingStore store;
  auto grain = Hosted(Reentrancy::kAllowAll, {.state_store = &store});
  const auto add = [&](int64_t amount) {
    return Do{[amount, napper = NewNapper()](Doer& self, Context&) -> StatusOr<int64_t> {
      if (auto nap = napper.Ask(Nap{0, 10ms}, 1h); !nap.ok()) return nap;
      *self.total += amount;
      return self.total.SaveThen(amount);
    }};
  };
  std::vector<Pending<int64_t>> added;
  for (int64_t i = 1; i <= 20; ++i) added.push_back(grain.AskAsync(add(i), 1h));
  Pass(20ms);

  for (int64_t i = 1; i <= 20; ++i) {
    system_.WaitUntilQuiet();
    ASSERT_EQ(store.held(), 1u);
    store.Release();
  }
  for (int64_t i = 1; i <= 20; ++i) {
    EXPECT_EQ(added[static_cast<size_t>(i - 1)].Await().value(), i);
  }
  ASSERT_TRUE(grain.Ask(Leaving()).ok());

  EXPECT_EQ(grain.Ask(Do{[](Doer& self, Context&) { return *self.total; }}).value(), 210);
  EXPECT_EQ(store.refused_writes(), 0u);
  system_.Stop();
}

TEST_F(GrainReentrancyTest, AFailedSaveAnswersAllThatWaitAndNoFurtherHandlerBegins) {
  auto grain = Hosted(Reentrancy::kAllowAll, {.state_store = &store_});
  Pending<int64_t> waits = grain.AskAsync(Do{[napper = NewNapper()](Doer& self, Context&) {
                                            (void)napper.Ask(Nap{1, 1h}, 2h);
                                            return *self.total;  // of a state that is no more
                                          }},
                                          2h);
  system_.WaitUntilQuiet();
  store_.FailNext(absl::UnavailableError("no disk"));

  Pending<int64_t> saves =
      grain.AskAsync(Do{[napper = NewNapper()](Doer& self, Context&) {
                       *self.total = 99;
                       (void)self.total.Save();
                       self.Write("not saved");
                       (void)napper.Ask(Nap{1, 50ms}, 1h);  // others might run now
                       return 1;
                     }},
                     2h);
  grain.Tell(Note{"after"});
  EXPECT_EQ(Journal(), "made, not saved");
  Pass(60ms);

  EXPECT_EQ(saves.Await().status().message(), "no disk");
  EXPECT_EQ(waits.Await().status().message(), "no disk");
  EXPECT_EQ(Journal(), "made, not saved, deactivated UNAVAILABLE, destroyed, made, after");
  EXPECT_EQ(grain.Ask(Do{[](Doer& self, Context&) { return *self.total; }}).value(), 0);
}

// ---- In the metrics

TEST_F(GrainReentrancyTest, GrainsAreToldApartByTheirKind) {
  auto grain = Hosted(Reentrancy::kOff, {.kind = "basket"});

  for (int i = 0; i < 500; ++i) ASSERT_TRUE(grain.Ask(Returning(i)).ok());

  EXPECT_THAT(system_.Metrics().ToPrometheus(), HasSubstr("\"basket\""));
}

}  // namespace quern::testing
