// Grains that handle further messages while a handler waits: every mode, and who may ask whom.

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "grain_reentrancy_kit.h"
#include "quern/runtime/metrics.h"

namespace quern::testing {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class GrainReentrancyTest : public ReentrantGrains {};

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

// ---- In the metrics

TEST_F(GrainReentrancyTest, GrainsAreToldApartByTheirKind) {
  auto grain = Hosted(Reentrancy::kOff, {.kind = "basket"});

  for (int i = 0; i < 500; ++i) ASSERT_TRUE(grain.Ask(Returning(i)).ok());

  EXPECT_THAT(system_.Metrics().ToPrometheus(), HasSubstr("\"basket\""));
}

}  // namespace quern::testing
