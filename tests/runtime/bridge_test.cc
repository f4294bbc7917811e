#include <gtest/gtest.h>

#include <atomic>
#include <coroutine>
#include <exception>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "quern/quern.h"
#include "quern/runtime/future.h"
#include "quern/testing/fake_clock.h"

namespace quern {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::FakeClock;

struct Double {
  int value = 0;
};
struct Nap {
  Duration time{};
};
struct Refuse {};
struct Sender {};
struct EchoApi : Protocol<int(Double), void(Nap), int(Refuse), uint64_t(Sender)> {};

struct Echo : Actor<EchoApi> {
  int On(const Double& m) { return 2 * m.value; }
  Status On(const Nap& m, Context& context) { return context.Sleep(m.time); }
  StatusOr<int> On(const Refuse&) { return absl::FailedPreconditionError("no"); }
  uint64_t On(const Sender&, Context& context) { return context.sender_id(); }
};

class BridgeTest : public ::testing::Test {
 protected:
  FakeClock clock_;
  std::unique_ptr<System> system_ =
      std::make_unique<System>(SystemOptions{.name = "test", .workers = 2, .clock = &clock_});
  Ref<EchoApi> echo_ = system_->Spawn<Echo>("echo").value();
};

TEST_F(BridgeTest, AFutureHoldsTheAnswer) {
  std::vector<std::future<StatusOr<int>>> answers;

  for (int i = 0; i < 1000; ++i) answers.push_back(AskFuture(echo_, Double{i}));

  for (int i = 0; i < 1000; ++i) EXPECT_EQ(answers[static_cast<size_t>(i)].get().value(), 2 * i);
}

TEST_F(BridgeTest, AFutureHoldsTheErrorAndVoidIsAStatus) {
  EXPECT_EQ(AskFuture(echo_, Refuse{}).get().status().code(),
            absl::StatusCode::kFailedPrecondition);
  std::future<Status> nap = AskFuture(echo_, Nap{});
  EXPECT_TRUE(nap.get().ok());
}

TEST_F(BridgeTest, AnAskEndsAtItsDeadlineOnTheSystemsClock) {
  std::future<Status> slow = AskFuture(echo_, Nap{seconds(60)}, milliseconds(200));
  std::future<Status> patient = AskFuture(echo_, Nap{}, seconds(100));
  system_->WaitUntilQuiet();

  clock_.AdvanceBy(milliseconds(199));
  system_->WaitUntilQuiet();
  EXPECT_EQ(slow.wait_for(Duration::zero()), std::future_status::timeout);
  clock_.AdvanceBy(milliseconds(1));

  const Status late = slow.get();
  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_NE(late.message().find("/echo"), std::string::npos) << late;
  clock_.AdvanceBy(seconds(60));
  EXPECT_TRUE(patient.get().ok());
}

TEST_F(BridgeTest, WhatCannotBeAskedIsRefusedAtOnce) {
  EXPECT_EQ(AskFuture(Ref<EchoApi>(), Double{1}).get().status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(AskFuture(echo_, Double{1}, Duration::zero()).get().status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(AskFuture(echo_, Double{1}, seconds(-1)).get().status().code(),
            absl::StatusCode::kDeadlineExceeded);
  echo_.Stop();
  system_->WaitUntilQuiet();
  EXPECT_EQ(AskFuture(echo_, Double{1}).get().status().code(), absl::StatusCode::kUnavailable);
  system_.reset();
  EXPECT_EQ(AskFuture(echo_, Double{1}).get().status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(BridgeTest, ACallbackIsCalledOnceAndMayBeMoveOnly) {
  std::promise<int> got;
  auto owned = std::make_unique<int>(1);

  AskThen(echo_, Double{20}, seconds(1), [&got, owned = std::move(owned)](StatusOr<int> answer) {
    got.set_value(answer.value() + *owned);
  });

  EXPECT_EQ(got.get_future().get(), 41);
}

TEST_F(BridgeTest, CancellingEndsTheAskAndALateAnswerIsDropped) {
  std::atomic<int> calls{0};
  Status seen;
  PendingAsk ask = AskThen(echo_, Nap{seconds(1)}, seconds(10), [&](Status answer) {
    ++calls;
    seen = std::move(answer);
  });
  system_->WaitUntilQuiet();

  ask.Cancel();
  EXPECT_EQ(seen.code(), absl::StatusCode::kCancelled);
  ask.Cancel();
  clock_.AdvanceBy(seconds(20));
  system_->WaitUntilQuiet();

  EXPECT_EQ(calls, 1);
  PendingAsk().Cancel();
}

TEST_F(BridgeTest, CancellingWhatHasEndedChangesNothing) {
  std::promise<int> got;
  PendingAsk ask = AskThen(echo_, Double{1}, seconds(10),
                           [&](StatusOr<int> answer) { got.set_value(answer.value()); });

  EXPECT_EQ(got.get_future().get(), 2);
  ask.Cancel();
}

TEST_F(BridgeTest, AnswerTimeoutAndCancelRaceToOneCall) {
  constexpr int kAsks = 2000;
  std::atomic<int> calls{0};
  std::vector<PendingAsk> asks(kAsks);
  std::thread mover([&] {
    for (int i = 0; i < kAsks; ++i) clock_.AdvanceBy(milliseconds(1));
  });

  for (auto& ask : asks) {
    ask = AskThen(echo_, Double{1}, milliseconds(5), [&](const StatusOr<int>&) { ++calls; });
  }
  for (const PendingAsk& ask : asks) ask.Cancel();
  mover.join();
  system_->WaitUntilQuiet();

  EXPECT_EQ(calls, kAsks);
}

TEST_F(BridgeTest, AStopOfTheSystemEndsWhatIsUnderWay) {
  std::future<Status> slow = AskFuture(echo_, Nap{seconds(60)}, seconds(100));
  std::future<StatusOr<int>> queued = AskFuture(echo_, Double{1}, seconds(100));
  system_->WaitUntilQuiet();

  system_.reset();

  EXPECT_EQ(slow.get().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(queued.get().status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(BridgeTest, AHandlersAskCarriesItsSender) {
  struct CallerApi : Protocol<void(Sender)> {};
  struct Caller : Actor<CallerApi> {
    Caller(Ref<EchoApi> echo, std::promise<uint64_t>* got) : echo_(std::move(echo)), got_(got) {}
    void On(const Sender&) {
      AskThen(echo_, Sender{}, seconds(1),
              [got = got_](StatusOr<uint64_t> id) { got->set_value(id.value()); });
    }
    Ref<EchoApi> echo_;
    std::promise<uint64_t>* got_;
  };
  std::promise<uint64_t> got;
  auto caller = system_->Spawn<Caller>("caller", echo_, &got).value();

  caller.Tell(Sender{});

  EXPECT_EQ(got.get_future().get(), caller.id());
}

// The smallest coroutine there is: runs at once, says when it is through.
struct Task {
  struct promise_type {
    Task get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

Task SumOf(Ref<EchoApi> echo, std::promise<int>* sum) {
  int total = 0;
  for (int i = 1; i <= 10; ++i) total += (co_await AskAwaitable(echo, Double{i})).value();
  const StatusOr<int> refused = co_await AskAwaitable(echo, Refuse{});
  if (!refused.ok()) ++total;
  const StatusOr<int> nobody = co_await AskAwaitable(Ref<EchoApi>(), Double{1});
  if (absl::IsNotFound(nobody.status())) ++total;
  sum->set_value(total);
}

TEST_F(BridgeTest, ACoroutineAwaitsOneAskAfterAnother) {
  std::promise<int> sum;

  SumOf(echo_, &sum);

  EXPECT_EQ(sum.get_future().get(), 110 + 2);
}

}  // namespace
}  // namespace quern
