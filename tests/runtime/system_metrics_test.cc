// What a running system counts; the metrics as values are in metrics_test.cc.

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <future>
#include <stdexcept>
#include <string>
#include <utility>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <absl/strings/strip.h>

#include "grain_test_kit.h"
#include "posix_semaphore.h"
#include "quern/quern.h"
#include "quern/runtime/future.h"
#include "quern/runtime/limits.h"
#include "quern/runtime/mailbox.h"
#include "quern/runtime/metric_names.h"
#include "quern/runtime/metrics.h"
#include "quern/testing/fake_clock.h"

namespace quern {
namespace {

using testing::FakeClock;
using namespace std::chrono_literals;

struct Ping {};
struct Nap {
  Duration duration;
};
struct Work {
  Duration duration;
};
struct Fail {};
struct Dig {
  size_t bytes;
};
struct Mark {};
struct BusyApi : Protocol<int(Nap), void(Work), void(Fail), int(Dig), void(Mark), int(Ping)> {};

// Works by moving the clock: time goes by while it holds the worker.
struct Busy : Actor<BusyApi> {
  explicit Busy(FakeClock* clock) : clock_(clock) {}
  int On(const Nap& m, Context& context) { return context.Sleep(m.duration).ok() ? 1 : 0; }
  void On(const Work& m) { clock_->AdvanceBy(m.duration); }
  void On(const Fail&) { throw std::runtime_error("broken"); }
  int On(const Dig& m) { return DigInto(m.bytes); }
  void On(const Mark&) {}
  int On(const Ping&) { return 1; }

  __attribute__((noinline)) static int DigInto(size_t bytes) {
    volatile char frame[1024];
    for (size_t i = 0; i < sizeof(frame); i += 64) frame[i] = 1;
    return bytes < sizeof(frame) ? frame[0] : DigInto(bytes - sizeof(frame)) + frame[64] - 1;
  }

  FakeClock* clock_;
};
constexpr char kBusyClass[] = "quern::{anonymous}::Busy";

// Holds its worker until it is let go.
struct HolderApi : Protocol<void(Mark)> {};
struct Holder : Actor<HolderApi> {
  Holder(PosixSemaphore* held, PosixSemaphore* open) : held_(held), open_(open) {}
  void On(const Mark&) {
    held_->release();
    open_->acquire();
  }
  PosixSemaphore* held_;
  PosixSemaphore* open_;
};

struct Relay {
  Duration timeout;
};
struct RelayApi : Protocol<int(Relay)> {};
struct Relayer : Actor<RelayApi> {
  explicit Relayer(Ref<BusyApi> busy) : busy_(std::move(busy)) {}
  StatusOr<int> On(const Relay& m) { return busy_.Ask(Nap{1h}, m.timeout); }
  Ref<BusyApi> busy_;
};

struct Repeat {
  int asks;
};
struct RepeaterApi : Protocol<void(Repeat)> {};
struct Repeater : Actor<RepeaterApi> {
  explicit Repeater(Ref<BusyApi> busy) : busy_(std::move(busy)) {}
  Status On(const Repeat& m) {
    for (int i = 0; i < m.asks; ++i) {
      if (Status status = busy_.Ask(Work{1ms}, 1h); !status.ok()) return status;
    }
    return absl::OkStatus();
  }
  Ref<BusyApi> busy_;
};
constexpr char kRepeaterClass[] = "quern::{anonymous}::Repeater";

class SystemMetricsTest : public ::testing::Test {
 protected:
  double Value(std::string_view name, std::string_view label = {}) {
    return system_.Metrics().Value(name, label);
  }
  HistogramSnapshot Distribution(std::string_view name, std::string_view label = kBusyClass) {
    const MetricsSnapshot metrics = system_.Metrics();
    const Metric* metric = metrics.Find(name, label);
    return metric == nullptr ? HistogramSnapshot() : metric->distribution;
  }
  std::string Timeouts() {
    std::string text;
    for (const char* cause : {"not_begun", "running", "waiting", "elsewhere", "not_sent"}) {
      const double count = Value(metric_names::kAskTimeouts, cause);
      if (count != 0) absl::StrAppend(&text, cause, " ", count, " ");
    }
    return text;
  }
  // So that the next turn is one of those of which every so many are measured.
  void TurnsUntil(uint64_t every) {
    while (static_cast<uint64_t>(Value(metric_names::kTurns, "0")) % every != 0) {
      busy_.Tell(Mark{});
      system_.WaitUntilQuiet();
    }
  }

  FakeClock clock_;
  System system_{SystemOptions{.name = "test", .workers = 1, .clock = &clock_}};
  Ref<BusyApi> busy_ = system_.Spawn<Busy>("busy", &clock_).value();
};

class MailboxWaitTest : public SystemMetricsTest,
                        public ::testing::WithParamInterface<MailboxOptions> {};

TEST_F(SystemMetricsTest, AHandlersTimeLeavesOutItsWaits) {
  system_.WaitUntilQuiet();
  TurnsUntil(kMetricSampleEvery);
  const HistogramSnapshot before = Distribution(metric_names::kHandlerSeconds);
  busy_.Tell(Nap{1h});
  system_.WaitUntilQuiet();
  clock_.AdvanceBy(1h);
  system_.WaitUntilQuiet();
  TurnsUntil(kMetricSampleEvery);

  busy_.Tell(Work{100us});
  system_.WaitUntilQuiet();

  const HistogramSnapshot after = Distribution(metric_names::kHandlerSeconds);
  EXPECT_EQ(after.count() - before.count(), 2u);
  EXPECT_EQ(after.sum() - before.sum(), 100'000u);
}

// Of many waits the first ones are measured, and then one in sixteen.
TEST_F(SystemMetricsTest, AHandlersTimeLeavesOutItsManyWaits) {
  auto repeater = system_.Spawn<Repeater>("repeater", busy_).value();
  system_.WaitUntilQuiet();
  uint64_t samples = 0;
  for (int asks : {16, 20, 32, 40, 16 + 6 * 16}) {
    SCOPED_TRACE(asks);
    TurnsUntil(kMetricSampleEvery);
    repeater.Tell(Repeat{asks});
    system_.WaitUntilQuiet();
    const HistogramSnapshot held = Distribution(metric_names::kHandlerSeconds, kRepeaterClass);
    EXPECT_EQ(held.count(), ++samples);
    EXPECT_EQ(held.sum(), 0u);
  }
}

TEST_P(MailboxWaitTest, CountsFromAMessagesArrival) {
  busy_ = system_.Spawn<Busy>({.mailbox = GetParam()}, "chosen", &clock_).value();
  system_.WaitUntilQuiet();
  TurnsUntil(kWaitSampleEvery);
  busy_.Tell(Mark{});  // the sampled turn
  system_.WaitUntilQuiet();
  const HistogramSnapshot before = Distribution(metric_names::kMailboxWaitSeconds);
  PosixSemaphore held{0};
  PosixSemaphore open{0};
  auto holder = system_.Spawn<Holder>("holder", &held, &open).value();
  holder.Tell(Mark{});
  held.acquire();

  for (int i = 0; i < 3; ++i) busy_.Tell(Mark{});
  clock_.AdvanceBy(7ms);
  open.release();
  system_.WaitUntilQuiet();

  const HistogramSnapshot after = Distribution(metric_names::kMailboxWaitSeconds);
  EXPECT_EQ(after.count() - before.count(), 1u);
  EXPECT_EQ(after.sum() - before.sum(), 7'000'000u);
}

INSTANTIATE_TEST_SUITE_P(Mailboxes, MailboxWaitTest,
                         ::testing::Values(MailboxOptions(), BoundedMailbox(10), FairMailbox()));

TEST_F(SystemMetricsTest, TheDeepestStackOfAClassIsKept) {
  system_.WaitUntilQuiet();
  TurnsUntil(kMetricSampleEvery);
  ASSERT_TRUE(busy_.Ask(Ping{}).ok());
  system_.WaitUntilQuiet();  // the answer is there before the turn has ended
  const double shallow = Value(metric_names::kStackBytes, kBusyClass);
  EXPECT_GT(shallow, 0);
  EXPECT_LT(shallow, 20'000);

  for (uint64_t i = 0; i < 4 * kMetricSampleEvery; ++i) ASSERT_TRUE(busy_.Ask(Dig{20'000}).ok());
  for (uint64_t i = 0; i < 4 * kMetricSampleEvery; ++i) ASSERT_TRUE(busy_.Ask(Ping{}).ok());
  system_.WaitUntilQuiet();

  EXPECT_GT(Value(metric_names::kStackBytes, kBusyClass), 20'000);
  EXPECT_GT(Value(metric_names::kRunnerStackBytes, "0"), 20'000);
}

TEST_F(SystemMetricsTest, RestartsAreCountedByClass) {
  busy_.Tell(Fail{});
  system_.WaitUntilQuiet();
  clock_.AdvanceBy(1s);
  system_.WaitUntilQuiet();
  ASSERT_TRUE(busy_.Restart().ok());
  system_.WaitUntilQuiet();

  EXPECT_EQ(Value(metric_names::kRestarts, kBusyClass), 2);
}

TEST_F(SystemMetricsTest, AsksInFlightAndParkedHandlersAreSeenWhileTheyWait) {
  auto relayer = system_.Spawn<Relayer>("relayer", busy_).value();
  std::future<StatusOr<int>> from_a_thread = AskFuture(relayer, Relay{2h}, 3h);
  system_.WaitUntilQuiet();

  EXPECT_EQ(Value(metric_names::kAsksInFlight), 2);
  EXPECT_EQ(Value(metric_names::kParkedHandlers, "0"), 2);
  clock_.AdvanceBy(1h);
  system_.WaitUntilQuiet();

  EXPECT_EQ(from_a_thread.get().value(), 1);
  EXPECT_EQ(Value(metric_names::kAsks), 2);
  EXPECT_EQ(Value(metric_names::kAsksInFlight), 0);
  EXPECT_EQ(Value(metric_names::kParkedHandlers, "0"), 0);
}

TEST_F(SystemMetricsTest, EveryWayToAskIsCountedAndEndsOnce) {
  const auto counts = [this] {
    return absl::StrCat(Value(metric_names::kAsks), " asks, ", Value(metric_names::kAsksInFlight),
                        " in flight");
  };
  ASSERT_TRUE(busy_.Ask(Ping{}).ok());
  auto pending = busy_.AskAsync(Nap{1h}, 2h);
  auto cancelled = busy_.AskAsync(Ping{}, 2h);
  {
    auto dropped = busy_.AskAsync(Ping{}, 2h);
  }
  auto future = AskFuture(busy_, Ping{}, 2h);
  system_.WaitUntilQuiet();
  EXPECT_EQ(counts(), "5 asks, 3 in flight");

  cancelled.Cancel();
  EXPECT_EQ(counts(), "5 asks, 2 in flight");
  clock_.AdvanceBy(1h);
  system_.WaitUntilQuiet();

  EXPECT_EQ(pending.Await().value(), 1);
  EXPECT_EQ(future.get().value(), 1);
  EXPECT_EQ(counts(), "5 asks, 0 in flight");
}

TEST_F(SystemMetricsTest, TimeoutsAreCountedByWhatTheAskedOneDid) {
  auto waiting = busy_.AskAsync(Nap{1h}, 1ms);
  auto behind = busy_.AskAsync(Ping{}, 1ms);
  auto relayer = system_.Spawn<Relayer>("relayer", busy_).value();
  auto relayed = AskFuture(relayer, Relay{1ms}, 2ms);  // ends in the ask of the relayer
  system_.WaitUntilQuiet();
  clock_.AdvanceBy(1ms);
  system_.WaitUntilQuiet();

  EXPECT_TRUE(absl::IsDeadlineExceeded(waiting.Await().status()));
  EXPECT_TRUE(absl::IsDeadlineExceeded(behind.Await().status()));
  EXPECT_TRUE(absl::IsDeadlineExceeded(relayed.get().status()));
  EXPECT_EQ(Timeouts(), "not_begun 2 waiting 1 ");
  clock_.AdvanceBy(2h);
  system_.WaitUntilQuiet();
  EXPECT_EQ(Value(metric_names::kLateReplies), 1);
}

TEST_F(SystemMetricsTest, ATimeoutWhileTheHandlerRunsIsToldFromOneBeforeItWasSent) {
  PosixSemaphore held{0};
  PosixSemaphore open{0};
  auto holder = system_.Spawn<Holder>("holder", &held, &open).value();
  auto running = holder.AskAsync(Mark{}, 1ms);
  held.acquire();
  clock_.AdvanceBy(1ms);

  EXPECT_TRUE(absl::IsDeadlineExceeded(running.Await()));
  EXPECT_TRUE(absl::IsDeadlineExceeded(AskFuture(busy_, Ping{}, -1ms).get().status()));
  open.release();
  system_.WaitUntilQuiet();  // the semaphores go first

  EXPECT_EQ(Timeouts(), "running 1 not_sent 1 ");
}

TEST_F(SystemMetricsTest, ATimeoutOfWhatIsElsewhereSaysSo) {
  testing::KeepingRouter router;
  system_.network_port().SetRouter(&router);
  auto pending = system_.Grain<testing::TallyApi>("far").AskAsync(testing::Get{}, 1ms);
  clock_.AdvanceBy(1ms);

  EXPECT_TRUE(absl::IsDeadlineExceeded(pending.Await().status()));

  EXPECT_EQ(Timeouts(), "elsewhere 1 ");
  system_.network_port().SetRouter(nullptr);
}

TEST_F(SystemMetricsTest, EachNameHasItsHelp) {
  ASSERT_TRUE(busy_.Ask(Ping{}).ok());

  const std::string page = system_.Metrics().ToPrometheus();

  std::string last;
  for (absl::string_view line : absl::StrSplit(page, '\n')) {
    if (absl::ConsumePrefix(&line, "# TYPE ")) {
      const std::string name(line.substr(0, line.find(' ')));
      EXPECT_TRUE(absl::StartsWith(last, absl::StrCat("# HELP ", name, " "))) << name;
    }
    last = std::string(line);
  }
}

}  // namespace
}  // namespace quern
