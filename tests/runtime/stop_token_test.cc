#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "posix_semaphore.h"
#include "quern/quern.h"
#include "quern/testing/fake_clock.h"

namespace quern {
namespace {

using testing::FakeClock;
using namespace std::chrono_literals;

struct Spin {};
struct Doze {};
struct SpinApi : Protocol<int(Spin), int(Doze)> {};

// Holds its worker until the token fires.
struct Spinner : Actor<SpinApi> {
  Spinner(PosixSemaphore* started, Status* seen) : started_(started), seen_(seen) {}
  StatusOr<int> On(const Spin&, Context& context) {
    const StopToken token = context.stop_token();
    *seen_ = token.status();
    started_->release();
    while (!token.stop_requested()) std::this_thread::yield();
    *seen_ = token.status();
    return *seen_;
  }
  // Lets others run on its worker meanwhile.
  StatusOr<int> On(const Doze&, Context& context) {
    const StopToken token = context.stop_token();
    started_->release();
    while (!token.stop_requested()) (void)context.Sleep(Duration::zero());
    *seen_ = token.status();
    return *seen_;
  }
  PosixSemaphore* started_;
  Status* seen_;
};

struct AskDoze {};
struct AskerApi : Protocol<void(AskDoze)> {};
struct Asker : Actor<AskerApi> {
  explicit Asker(Ref<SpinApi> spinner) : spinner_(std::move(spinner)) {}
  void On(const AskDoze&) { (void)spinner_.Ask(Doze{}); }
  Ref<SpinApi> spinner_;
};

class StopTokenTest : public ::testing::Test {
 protected:
  FakeClock clock_;
  Status seen_;
  PosixSemaphore started_{0};
  System system_{SystemOptions{.name = "test", .workers = 2, .clock = &clock_}};
  Ref<SpinApi> spinner_ = system_.Spawn<Spinner>("spinner", &started_, &seen_).value();
};

TEST_F(StopTokenTest, FiresWhenTheActorIsAskedToStop) {
  spinner_.Tell(Spin{});
  started_.acquire();

  spinner_.Stop();
  system_.WaitUntilQuiet();

  EXPECT_EQ(ReasonOf(seen_), Reason::kCancelled) << seen_;
}

TEST_F(StopTokenTest, FiresWhenTheDeadlineOfTheAskPasses) {
  std::thread asker(
      [this] { EXPECT_TRUE(absl::IsDeadlineExceeded(spinner_.Ask(Spin{}, 50ms).status())); });
  started_.acquire();
  EXPECT_TRUE(seen_.ok()) << seen_;

  clock_.AdvanceBy(50ms);
  asker.join();
  system_.WaitUntilQuiet();

  EXPECT_TRUE(absl::IsDeadlineExceeded(seen_)) << seen_;
}

TEST_F(StopTokenTest, FiresWhenTheAskerHasGivenUp) {
  auto asker = system_.Spawn<Asker>("asker", spinner_).value();
  asker.Tell(AskDoze{});
  started_.acquire();

  asker.Stop();
  system_.WaitUntilQuiet();

  EXPECT_TRUE(absl::IsCancelled(seen_)) << seen_;
  EXPECT_NE(seen_.message().find("asker"), absl::string_view::npos) << seen_;
}

}  // namespace
}  // namespace quern
