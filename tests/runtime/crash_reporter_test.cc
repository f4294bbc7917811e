#include "quern/runtime/crash_reporter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "quern/quern.h"

namespace quern {
namespace {

struct Recurse {};
struct Abort {};
struct CrasherApi : Protocol<int(Recurse), void(Abort)> {};

// A frame of its own each, until the guard page.
__attribute__((noinline)) int Deeper(int depth) {
  volatile char frame[512];
  frame[depth % 512] = static_cast<char>(depth);
  return depth < 0 ? 0 : Deeper(depth + 1) + frame[depth % 512];
}

struct Crasher : Actor<CrasherApi> {
  int On(const Recurse&) { return Deeper(1); }
  void On(const Abort&) { std::abort(); }
};

template <typename M>
void Crash(const M& message) {
  InstallCrashReporter();
  System system(SystemOptions{.name = "dying", .workers = 1});
  auto crasher = system.Spawn<Crasher>("crasher").value();
  (void)crasher.Ask(message).ok();
}

TEST(CrashReporterDeathTest, RecursionToTheGuardPageNamesTheActor) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(Crash(Recurse{}),
               "quern: SIGSEGV on worker 0 in actor \"crasher\" .*Crasher.*, handling .*Recurse"
               "(.|\n)*has run over: bound the recursion");
}

TEST(CrashReporterDeathTest, AnAbortNamesTheActor) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(Crash(Abort{}),
               "quern: SIGABRT on worker 0 in actor \"crasher\" .*handling .*Abort");
}

TEST(CrashReporterDeathTest, AThreadThatIsNoWorkerSaysSo) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        InstallCrashReporter();
        std::abort();
      },
      "quern: SIGABRT on a thread that is no worker");
}

}  // namespace
}  // namespace quern
