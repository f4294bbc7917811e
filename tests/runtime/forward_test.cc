#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "quern/quern.h"
#include "quern/testing/fake_clock.h"

namespace quern {
namespace {

using testing::FakeClock;
using namespace std::chrono_literals;

struct Who {};
struct Note {
  int value = 0;
};
struct Box {
  std::unique_ptr<int> value;
};
struct Sum {};
struct LastSender {};
struct WorkerApi
    : Protocol<std::string(Who), void(Note), int(Box), int(Sum), uint64_t(LastSender)> {};

struct Worker : Actor<WorkerApi> {
  std::string On(const Who&, Context& context) { return context.path(); }
  void On(const Note& m, Context& context) {
    sum_ += m.value;
    last_sender_ = context.sender_id();
  }
  int On(const Box& m) { return *m.value; }
  int On(const Sum&) { return sum_; }
  uint64_t On(const LastSender&) { return last_sender_; }

  int sum_ = 0;
  uint64_t last_sender_ = 0;
};

// Hands everything on, and keeps what the attempt said.
struct Verdict {};
struct FrontApi
    : Protocol<std::string(Who), void(Note), int(Box), int(Sum), absl::StatusCode(Verdict)> {};

struct Front : Actor<FrontApi> {
  explicit Front(Ref<WorkerApi> worker) : worker_(std::move(worker)) {}
  std::string On(const Who&, Context& context) {
    verdict_ = context.Forward(worker_);
    return "nobody hears this";
  }
  void On(const Note&, Context& context) { verdict_ = context.Forward(worker_); }
  int On(Box&&, Context& context) {
    verdict_ = context.Forward(worker_);
    return -1;
  }
  int On(const Sum&, Context& context) {
    verdict_ = context.Forward(worker_);
    throw std::runtime_error("after all, no");
  }
  absl::StatusCode On(const Verdict&) { return verdict_.code(); }

  Ref<WorkerApi> worker_;
  Status verdict_;
};

struct Tell {
  int value = 0;
};
struct MyId {};
struct TellerApi : Protocol<void(Tell), uint64_t(MyId)> {};
struct Teller : Actor<TellerApi> {
  explicit Teller(Ref<FrontApi> front) : front_(std::move(front)) {}
  void On(const Tell& m) { front_.Tell(Note{m.value}); }
  uint64_t On(const MyId&) { return Self().id(); }
  Ref<FrontApi> front_;
};

class ForwardTest : public ::testing::Test {
 protected:
  FakeClock clock_;
  System system_{SystemOptions{.name = "test", .workers = 2, .clock = &clock_}};
  Ref<WorkerApi> worker_ = system_.Spawn<Worker>("worker").value();
  Ref<FrontApi> front_ = system_.Spawn<Front>("front", worker_).value();
};

TEST_F(ForwardTest, TheReplyGoesToTheFirstAsker) {
  EXPECT_EQ(front_.Ask(Who{}).value(), "/worker");
}

TEST_F(ForwardTest, ATellKeepsItsSender) {
  auto teller = system_.Spawn<Teller>("teller", front_).value();

  teller.Tell(Tell{7});
  system_.WaitUntilQuiet();

  EXPECT_EQ(worker_.Ask(Sum{}).value(), 7);
  EXPECT_EQ(worker_.Ask(LastSender{}).value(), teller.Ask(MyId{}).value());
}

TEST_F(ForwardTest, OrderHoldsThroughIt) {
  for (int i = 0; i < 1000; ++i) front_.Tell(Note{1});
  EXPECT_EQ(front_.Ask(Who{}).value(), "/worker");

  EXPECT_EQ(worker_.Ask(Sum{}).value(), 1000);
}

TEST_F(ForwardTest, AnAskToAStoppedActorIsAnswered) {
  worker_.Stop();
  system_.WaitUntilQuiet();

  EXPECT_TRUE(absl::IsUnavailable(front_.Ask(Who{}).status()));

  front_.Tell(Note{1});
  system_.WaitUntilQuiet();
  EXPECT_EQ(system_.dead_letters(), 1u);
}

TEST_F(ForwardTest, AnEmptyRefTakesNothing) {
  auto front = system_.Spawn<Front>("to nobody", Ref<WorkerApi>()).value();

  EXPECT_EQ(front.Ask(Who{}).value(), "nobody hears this");
  EXPECT_EQ(front.Ask(Verdict{}).value(), absl::StatusCode::kNotFound);
}

TEST_F(ForwardTest, AMessageThatItsHandlerTookStays) {
  EXPECT_EQ(front_.Ask(Box{std::make_unique<int>(5)}).value(), -1);
  EXPECT_EQ(front_.Ask(Verdict{}).value(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ForwardTest, AHandlerThatThrowsAfterwardsHasForwardedNothing) {
  const Status status = front_.Ask(Sum{}).status();

  EXPECT_EQ(status.code(), absl::StatusCode::kUnknown) << status;
}

// Asks somebody who hands the ask back: it can never be answered.
struct Asks {};
struct AskerApi : Protocol<std::string(Asks)> {};
struct ForwardsBackApi : Protocol<std::string(Asks)> {};
struct ForwardsBack : Actor<ForwardsBackApi> {
  explicit ForwardsBack(Ref<AskerApi> asker) : asker_(std::move(asker)) {}
  std::string On(const Asks&, Context& context) {
    (void)context.Forward(asker_);
    return "";
  }
  Ref<AskerApi> asker_;
};
struct Asker : Actor<AskerApi> {
  StatusOr<std::string> On(const Asks&, Context& context) {
    auto back = context.Spawn<ForwardsBack>("back", Self());
    return back->Ask(Asks{});
  }
};

TEST_F(ForwardTest, AnAskForwardedToItsAskerIsACycle) {
  auto asker = system_.Spawn<Asker>("asker").value();

  const Status status = asker.Ask(Asks{}).status();

  EXPECT_EQ(ReasonOf(status), Reason::kAskCycle) << status;
}

// --- a target that does not accept the message -------------------------------------------------

struct NoteApi : Protocol<void(Note)> {};
struct Sink : Actor<NoteApi> {
  void On(const Note&) {}
};
struct Misguided : Actor<FrontApi> {
  explicit Misguided(Ref<NoteApi> sink) : sink_(std::move(sink)) {}
  std::string On(const Who&, Context& context) {
    return std::string(context.Forward(sink_).message());
  }
  void On(const Note&) {}
  int On(const Box&) { return 0; }
  int On(const Sum&) { return 0; }
  absl::StatusCode On(const Verdict&, Context& context) { return context.Forward(sink_).code(); }
  Ref<NoteApi> sink_;
};

TEST_F(ForwardTest, AnApiWithoutTheMessageIsRefused) {
  auto sink = system_.Spawn<Sink>("sink").value();
  auto front = system_.Spawn<Misguided>("misguided", sink).value();

  EXPECT_EQ(front.Ask(Verdict{}).value(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(front.Ask(Who{}).value().find("/sink does not accept"), std::string::npos);
}

// --- unhandled ---------------------------------------------------------------------------------

struct Picky : Actor<WorkerApi> {
  std::string On(const Who&, Context& context) {
    context.Unhandled();
    return "nobody hears this";
  }
  void On(const Note&, Context& context) { context.Unhandled(); }
  int On(Box m, Context& context) {
    context.Unhandled();
    return *m.value;
  }
  int On(const Sum&) { return 0; }
  uint64_t On(const LastSender&) { return 0; }
};

TEST_F(ForwardTest, AnUnhandledTellIsADeadLetterWithThatReason) {
  auto picky = system_.Spawn<Picky>("picky").value();

  picky.Tell(Note{1});
  system_.WaitUntilQuiet();

  EXPECT_EQ(system_.dead_letters(DeadLetterReason::kUnhandled), 1u);
  EXPECT_EQ(system_.RecentDeadLetters().back().target, "/picky");
}

TEST_F(ForwardTest, AnUnhandledAskIsRefused) {
  auto picky = system_.Spawn<Picky>("picky").value();

  EXPECT_TRUE(absl::IsFailedPrecondition(picky.Ask(Who{}).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(picky.Ask(Box{std::make_unique<int>(1)}).status()));
}

}  // namespace
}  // namespace quern
