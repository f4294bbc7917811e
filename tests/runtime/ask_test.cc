#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "posix_semaphore.h"
#include "quern/quern.h"
#include "quern/testing/fake_clock.h"

namespace quern {
namespace {

using testing::FakeClock;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

// What the tests tell their actors from outside: gates that a handler blocks its worker on.
struct Gates {
  PosixSemaphore entered{0};
  PosixSemaphore leave{0};
};

struct Work {
  int value = 0;
};
struct Block {
  Gates* gates;  // the test outlives the actor
};
struct Nap {
  Duration how_long;
  PosixSemaphore* entered = nullptr;
};
struct Throw {};
struct WorkApi : Protocol<int(Work), void(Block), void(Nap), int(Throw)> {};

struct Worker : Actor<WorkApi> {
  explicit Worker(std::atomic<int>* ran) : ran_(ran) {}
  int On(const Work& m) {
    ++*ran_;
    return m.value * 2;
  }
  void On(const Block& m) {
    m.gates->entered.release();
    m.gates->leave.acquire();
  }
  Status On(const Nap& m, Context& context) {
    if (m.entered != nullptr) m.entered->release();
    return context.Sleep(m.how_long);
  }
  int On(const Throw&) { throw std::runtime_error("boom"); }
  std::atomic<int>* ran_;
};

struct Relay {
  Duration timeout{};
  PosixSemaphore* entered = nullptr;
};
struct RelayApi : Protocol<int(Relay)> {};
struct Relayer : Actor<RelayApi> {
  explicit Relayer(Ref<WorkApi> to) : to_(std::move(to)) {}
  StatusOr<int> On(const Relay& m) {
    Status napped = to_.Ask(Nap{1h, m.entered}, m.timeout);
    if (!napped.ok()) return napped;
    return 1;
  }
  Ref<WorkApi> to_;
};

class AskTest : public ::testing::Test {
 protected:
  FakeClock clock_;
  std::atomic<int> ran_{0};
  System system_{{.name = "test", .workers = 2, .clock = &clock_}};
  Ref<WorkApi> worker_ = system_.Spawn<Worker>("worker", &ran_).value();
};

// An ask on a thread of its own; the clock is moved until it has returned.
template <typename Reply>
class Asker {
 public:
  template <typename Call>
  Asker(FakeClock* clock, System* system, Call call)
      : clock_(clock), system_(system), thread_([this, call] {
          reply_.emplace(call());
          done_ = true;
        }) {}

  // Advances in steps of `step`, and says by how much in all.
  Duration AdvanceUntilDone(Duration step) {
    Duration waited{};
    while (!done_) {
      system_->WaitUntilQuiet();
      clock_->AdvanceBy(step);
      waited += step;
    }
    thread_.join();
    return waited;
  }
  void Join() { thread_.join(); }
  const Reply& reply() const { return *reply_; }

 private:
  FakeClock* clock_;
  System* system_;
  std::optional<Reply> reply_;
  std::atomic<bool> done_{false};
  std::thread thread_;
};

TEST_F(AskTest, TimesOutAndNamesWhoWaitedForWhom) {
  auto relay = system_.Spawn<Relayer>("relay", worker_).value();

  Asker<StatusOr<int>> asker(&clock_, &system_, [&] { return relay.Ask(Relay{200ms}, 1h); });
  asker.AdvanceUntilDone(50ms);

  EXPECT_EQ(asker.reply().status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(asker.reply().status().message()),
              HasSubstr("/relay in On(Relay) waited 200 ms for /worker, which waits in On(Nap)"));
}

TEST_F(AskTest, TheDefaultDeadlineIsFiveSeconds) {
  Asker<Status> asker(&clock_, &system_, [&] { return worker_.Ask(Nap{1h}); });

  EXPECT_GE(asker.AdvanceUntilDone(100ms), 5s);
  EXPECT_EQ(asker.reply().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(AskTest, ANestedAskShrinksToTheOuterDeadline) {
  auto relay = system_.Spawn<Relayer>("relay", worker_).value();

  Asker<StatusOr<int>> asker(&clock_, &system_, [&] { return relay.Ask(Relay{1h}, 300ms); });
  asker.AdvanceUntilDone(100ms);
  EXPECT_EQ(asker.reply().status().code(), absl::StatusCode::kDeadlineExceeded);

  // The relay itself is free again, for its own ask has ended too.
  Asker<StatusOr<int>> again(&clock_, &system_, [&] { return relay.Ask(Relay{1ms}, 1h); });
  again.AdvanceUntilDone(1ms);
  EXPECT_THAT(std::string(again.reply().status().message()), HasSubstr("/relay"));
}

TEST_F(AskTest, AnAskThatExpiredInTheQueueIsNotRun) {
  Gates gates;
  worker_.Tell(Block{&gates});
  gates.entered.acquire();
  std::atomic<bool> done{false};
  Status expired;
  std::thread asker([&] {
    expired = worker_.Ask(Work{1}, 100ms).status();
    done = true;
  });
  while (!done) clock_.AdvanceBy(50ms);
  asker.join();

  gates.leave.release();

  EXPECT_EQ(worker_.Ask(Work{2}).value(), 4);
  EXPECT_EQ(ran_, 1);
  EXPECT_EQ(expired.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(AskTest, AThrowingHandlerAnswersUnknownWithItsText) {
  StatusOr<int> reply = worker_.Ask(Throw{});

  EXPECT_EQ(reply.status().code(), absl::StatusCode::kUnknown);
  EXPECT_THAT(std::string(reply.status().message()), HasSubstr("boom"));
}

TEST_F(AskTest, AnEmptyRefAnswers) {
  Ref<WorkApi> empty;

  EXPECT_EQ(empty.Ask(Work{1}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(empty.Tell(Work{1}), Delivery::kStopped);
  EXPECT_EQ(empty.path(), "");
}

TEST_F(AskTest, ARefOutlivesItsSystem) {
  Ref<WorkApi> ref;
  {
    System other("other");
    ref = other.Spawn<Worker>("worker", &ran_).value();
  }

  EXPECT_EQ(ref.Ask(Work{1}).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ref.Tell(Work{1}), Delivery::kStopped);
  EXPECT_EQ(ref.path(), "/worker");
}

struct Poke {};
struct PingApi : Protocol<int(Poke)> {};
struct Meet {
  Ref<PingApi> other;
};
struct MeetApi : Protocol<int(Poke), void(Meet)> {};
struct Cyclist : Actor<MeetApi> {
  StatusOr<int> On(const Poke&) { return other_.Ask(Poke{}); }
  void On(const Meet& m) { other_ = m.other; }
  Ref<PingApi> other_;
};

TEST_F(AskTest, ACycleFailsAtOnceAndPrintsItself) {
  auto a = system_.Spawn<Cyclist>("a").value();
  auto b = system_.Spawn<Cyclist>("b").value();
  auto c = system_.Spawn<Cyclist>("c").value();
  a.Tell(Meet{b});
  b.Tell(Meet{c});
  c.Tell(Meet{a});

  StatusOr<int> reply = a.Ask(Poke{});

  EXPECT_EQ(reply.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(reply.status()), Reason::kAskCycle);
  EXPECT_THAT(std::string(reply.status().message()), HasSubstr("/a asks /b asks /c asks /a"));
}

TEST_F(AskTest, AnAskOfOneselfIsACycle) {
  auto a = system_.Spawn<Cyclist>("a").value();
  a.Tell(Meet{a});

  EXPECT_EQ(ReasonOf(a.Ask(Poke{}).status()), Reason::kAskCycle);
}

TEST_F(AskTest, AChainLongerThanTheBoundIsRefused) {
  Ref<MeetApi> first = system_.Spawn<Cyclist>("0").value();
  Ref<MeetApi> last = first;
  for (int i = 1; i < 40; ++i) {
    Ref<MeetApi> next = system_.Spawn<Cyclist>(std::to_string(i)).value();
    last.Tell(Meet{next});
    last = next;
  }

  EXPECT_EQ(first.Ask(Poke{}).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(AskTest, AStopCancelsAParkedAsk) {
  auto relay = system_.Spawn<Relayer>("relay", worker_).value();
  PosixSemaphore entered{0};
  Asker<StatusOr<int>> asker(&clock_, &system_, [&] { return relay.Ask(Relay{1h, &entered}, 1h); });
  entered.acquire();

  relay.Stop();
  asker.Join();

  EXPECT_EQ(asker.reply().status().code(), absl::StatusCode::kCancelled);
}

TEST_F(AskTest, ManyHandlersMayWaitAtOnce) {
  std::vector<Ref<RelayApi>> relays;
  std::vector<std::thread> askers;
  std::atomic<int> timed_out{0};
  for (int i = 0; i < 20; ++i) {
    auto own = system_.Spawn<Worker>("w" + std::to_string(i), &ran_).value();
    relays.push_back(system_.Spawn<Relayer>("r" + std::to_string(i), own).value());
    askers.emplace_back([&, relay = relays.back()] {
      if (relay.Ask(Relay{100ms}, 1h).status().code() == absl::StatusCode::kDeadlineExceeded) {
        ++timed_out;
      }
    });
  }
  while (timed_out < 20) {
    system_.WaitUntilQuiet();
    clock_.AdvanceBy(100ms);
  }
  for (std::thread& asker : askers) asker.join();

  EXPECT_EQ(worker_.Ask(Work{1}).value(), 2);
}

}  // namespace
}  // namespace quern
