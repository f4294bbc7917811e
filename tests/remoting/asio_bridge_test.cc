#include "quern/remoting/asio_bridge.h"

#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <future>
#include <memory>
#include <thread>

#include "quern/quern.h"
#include "quern/testing/fake_clock.h"

namespace quern {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Double {
  int value = 0;
};
struct Nap {
  Duration time{};
};
struct EchoApi : Protocol<int(Double), void(Nap)> {};
struct Echo : Actor<EchoApi> {
  int On(const Double& m) { return 2 * m.value; }
  Status On(const Nap& m, Context& context) { return context.Sleep(m.time); }
};

class AsioBridgeTest : public ::testing::Test {
 protected:
  asio::io_context io_;  // outlives the system, whose worker may be on its way out of it
  testing::FakeClock clock_;
  System system_{SystemOptions{.name = "test", .workers = 1, .clock = &clock_}};
  Ref<EchoApi> echo_ = system_.Spawn<Echo>("echo").value();
};

TEST_F(AsioBridgeTest, ACallbackRunsOnTheExecutorAndNeverInsideTheCall) {
  std::thread::id ran_on;
  int got = 0;
  bool refused = false;
  AsyncAsk(io_.get_executor(), echo_, Double{21}, seconds(1), [&](StatusOr<int> answer) {
    ran_on = std::this_thread::get_id();
    got = answer.value();
  });
  AsyncAsk(io_.get_executor(), Ref<EchoApi>(), Double{1}, seconds(1),
           [&](const StatusOr<int>& answer) { refused = absl::IsNotFound(answer.status()); });
  EXPECT_FALSE(refused);

  io_.run();  // until both operations, which are its work, are through

  EXPECT_EQ(got, 42);
  EXPECT_TRUE(refused);
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST_F(AsioBridgeTest, ACoroutineAwaitsTheAnswer) {
  int total = 0;
  const auto program = [&]() -> asio::awaitable<void> {
    for (int i = 1; i <= 10; ++i) {
      const StatusOr<int> answer =
          co_await AsyncAsk(io_.get_executor(), echo_, Double{i}, seconds(1), asio::use_awaitable);
      total += answer.value();
    }
    const Status slept =
        co_await AsyncAsk(io_.get_executor(), echo_, Nap{}, seconds(1), asio::use_awaitable);
    if (slept.ok()) ++total;
  };

  asio::co_spawn(io_, program, asio::detached);
  io_.run();

  EXPECT_EQ(total, 111);
}

TEST_F(AsioBridgeTest, AFutureHoldsTheAnswer) {
  std::future<StatusOr<int>> answer =
      AsyncAsk(io_.get_executor(), echo_, Double{4}, seconds(1), asio::use_future);

  io_.run();

  EXPECT_EQ(answer.get().value(), 8);
}

TEST_F(AsioBridgeTest, CancellationGivesTheAskUp) {
  asio::cancellation_signal cancel;
  Status seen;
  AsyncAsk(io_.get_executor(), echo_, Nap{seconds(10)}, seconds(100),
           asio::bind_cancellation_slot(cancel.slot(), [&](Status answer) { seen = answer; }));
  system_.WaitUntilQuiet();

  cancel.emit(asio::cancellation_type::terminal);
  io_.run();

  EXPECT_EQ(seen.code(), absl::StatusCode::kCancelled);
  cancel.emit(asio::cancellation_type::terminal);  // nothing is left to cancel
}

TEST_F(AsioBridgeTest, TheDeadlineIsOnTheSystemsClock) {
  Status seen;
  AsyncAsk(io_.get_executor(), echo_, Nap{seconds(10)}, milliseconds(200),
           [&](Status answer) { seen = answer; });
  system_.WaitUntilQuiet();

  clock_.AdvanceBy(milliseconds(200));
  io_.run();

  EXPECT_EQ(seen.code(), absl::StatusCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace quern
