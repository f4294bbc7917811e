// Who waits for whom: cycles that fail at once, and time-outs that tell the chain.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "posix_semaphore.h"
#include "quern/quern.h"
#include "quern/testing/fake_clock.h"

namespace quern {
namespace {

using testing::FakeClock;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

struct Withdraw {
  Duration timeout{};
};
struct Check {
  Duration timeout{};
};
struct Score {};
struct Ponder {};
struct Step {
  std::function<int(Context&)> body;
};
struct BankApi : Protocol<int(Withdraw), int(Check), int(Score), int(Ponder), int(Step)> {};

// Holds the last of the chain in its handler.
struct Gate {
  PosixSemaphore entered{0};
  PosixSemaphore leave{0};
};

struct Bank : Actor<BankApi> {
  Bank(Ref<BankApi> next, Gate* gate, std::atomic<bool>* asked)
      : next_(std::move(next)), gate_(gate), asked_(asked) {}
  StatusOr<int> On(const Withdraw& m) { return next_.Ask(Check{1h}, m.timeout); }
  StatusOr<int> On(const Check& m) { return next_.Ask(Ponder{}, m.timeout); }
  int On(const Score&) {
    gate_->entered.release();
    gate_->leave.acquire();
    return 1;
  }
  int On(const Ponder&, Context& context) {
    *asked_ = true;
    return context.Sleep(24h).ok() ? 1 : 0;
  }
  int On(const Step& m, Context& context) { return m.body(context); }

  Ref<BankApi> next_;
  Gate* gate_;
  std::atomic<bool>* asked_;
};

class CallChainTest : public ::testing::Test {
 protected:
  Ref<BankApi> Spawn(const std::string& name, Ref<BankApi> next = {}) {
    return system_.Spawn<Bank>(name, next, &gate_, &asked_).value();
  }
  // In a handler of `actor`.
  static int Do(const Ref<BankApi>& actor, std::function<int(Context&)> body) {
    return actor.Ask(Step{std::move(body)}, 1h).value();
  }

  Gate gate_;
  std::atomic<bool> asked_{false};
  FakeClock clock_;
  // One worker: of deadlines at the same moment the outermost is seen first.
  System system_{{.name = "bank", .workers = 1, .clock = &clock_}};
};

TEST_F(CallChainTest, ATimeoutTellsWhoWaitsForWhomInWhichHandlerAndForHowLong) {
  auto fraud = Spawn("fraud");
  auto alice = Spawn("alice", fraud);
  auto gateway = Spawn("gateway", alice);
  Status status;
  std::thread asker([&] { status = gateway.Ask(Withdraw{200ms}, 1h).status(); });
  while (!asked_) std::this_thread::yield();
  system_.WaitUntilQuiet();
  clock_.AdvanceBy(200ms);
  asker.join();

  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(std::string(status.message()),
            "/gateway in On(Withdraw) waited 200 ms for /alice, which has waited 200 ms in "
            "On(Check) for /fraud, which waits in On(Ponder) (in system bank)");
}

TEST_F(CallChainTest, ATimeoutTellsWhatTheTargetRunsOrThatItHasNotBegun) {
  auto busy = Spawn("busy");
  Status running;
  std::thread first([&] { running = busy.Ask(Score{}, 100ms).status(); });
  gate_.entered.acquire();
  Status queued;
  std::atomic<bool> done{false};
  std::thread second([&] {
    queued = busy.Ask(Check{}, 100ms).status();
    done = true;
  });
  while (!done) clock_.AdvanceBy(1ms);
  first.join();
  second.join();
  gate_.leave.release();

  EXPECT_THAT(std::string(running.message()),
              HasSubstr("a thread waited 100 ms for /busy, which has run On(Score) for 100 ms"));
  EXPECT_THAT(std::string(queued.message()),
              HasSubstr("a thread waited 100 ms for /busy, which has not begun On(Check)"));
}

TEST_F(CallChainTest, AnUnawaitedAskIsNoCycle) {
  auto a = Spawn("a");
  auto b = Spawn("b");

  const int asked = Do(a, [&](Context&) {
    Pending<int> pending = b.AskAsync(
        Step{[&](Context&) { return a.Ask(Step{[](Context&) { return 5; }}, 1h).value_or(-1); }},
        1h);
    return 1;  // and the Pending is gone: b asks for nobody
  });
  Pending<int> kept;
  Do(a, [&](Context&) {
    kept = b.AskAsync(
        Step{[&](Context&) { return a.Ask(Step{[](Context&) { return 5; }}, 1h).value_or(-1); }},
        1h);
    return 1;
  });

  EXPECT_EQ(asked, 1);
  EXPECT_EQ(kept.Await().value(), 5);
}

TEST_F(CallChainTest, AwaitingOneWhoAsksBackLaterIsACycle) {
  auto a = Spawn("a");
  auto b = Spawn("b");
  std::optional<Status> cycle;

  Do(a, [&](Context&) {
    Pending<int> pending = b.AskAsync(Step{[&](Context& context) {
                                        EXPECT_TRUE(context.Sleep(Duration::zero()).ok());
                                        cycle =
                                            a.Ask(Step{[](Context&) { return 5; }}, 1h).status();
                                        return 2;
                                      }},
                                      1h);
    return pending.Await().value();
  });

  EXPECT_EQ(ReasonOf(*cycle), Reason::kAskCycle);
  EXPECT_THAT(std::string(cycle->message()), HasSubstr("/a asks /b asks /a"));
}

TEST_F(CallChainTest, AwaitingOneWhoHasAskedBackIsACycle) {
  auto a = Spawn("a");
  auto b = Spawn("b");
  auto c = Spawn("c");
  auto other = Spawn("other");
  std::optional<Status> cycle;
  std::atomic<bool> asking{false};

  Do(a, [&](Context&) {
    Pending<int> pending = b.AskAsync(Step{[&](Context&) {
                                        return c
                                            .Ask(Step{[&](Context&) {
                                                   Pending<int> back = a.AskAsync(
                                                       Step{[](Context&) { return 5; }}, 1h);
                                                   asking = true;
                                                   cycle = back.Await().status();
                                                   return 3;
                                                 }},
                                                 1h)
                                            .value();
                                      }},
                                      1h);
    // The others run while this one waits for somebody else.
    while (other.Ask(Step{[&](Context&) { return asking ? 1 : 0; }}, 1h).value() == 0) {
    }
    return pending.Await().value();
  });

  EXPECT_EQ(ReasonOf(*cycle), Reason::kAskCycle);
}

TEST_F(CallChainTest, AnAwaitedAskOfOneselfIsACycle) {
  auto a = Spawn("a");
  std::optional<Status> cycle;

  Do(a, [&](Context&) {
    Pending<int> pending = a.AskAsync(Step{[](Context&) { return 5; }}, 1h);
    cycle = pending.Await().status();
    return 1;
  });

  EXPECT_EQ(ReasonOf(*cycle), Reason::kAskCycle);
}

TEST_F(CallChainTest, UnawaitedAsksMayLeadOnForEver) {
  constexpr int kHops = 3 * kCallChainMax;
  auto a = Spawn("a");
  std::atomic<int> hops{0};
  PosixSemaphore ended{0};
  std::vector<Pending<int>> kept;  // of one actor's turns alone
  std::function<int(Context&)> hop = [&](Context&) {
    if (++hops == kHops) {
      ended.release();
    } else {
      kept.push_back(a.AskAsync(Step{hop}, 1h));
    }
    return 1;
  };

  a.Tell(Step{hop});
  ended.acquire();

  EXPECT_EQ(hops, kHops);
  system_.Stop();
}

// The two race: whichever side sees the other last must see the cycle. From seeds.
TEST_F(CallChainTest, ACycleThatClosesFromBothSidesAtOnceIsSeenByOne) {
  auto a = Spawn("a");
  auto b = Spawn("b");
  for (int i = 0; i < 2000; ++i) {
    std::atomic<int> failed{0};
    Do(a, [&](Context&) {
      Pending<int> pending =
          b.AskAsync(Step{[&](Context&) {
                       failed += ReasonOf(a.Ask(Step{[](Context&) { return 5; }}, 1h).status()) ==
                                 Reason::kAskCycle;
                       return 2;
                     }},
                     1h);
      for (int spin = 0; spin < i % 97; ++spin) std::atomic_signal_fence(std::memory_order_seq_cst);
      return pending.Await().value_or(0);
    });
    ASSERT_EQ(failed, 1) << "round " << i;
  }
}

}  // namespace
}  // namespace quern
