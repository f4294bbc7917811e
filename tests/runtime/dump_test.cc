#include "quern/runtime/dump.h"
#include "posix_semaphore.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "quern/quern.h"
#include "quern/testing/fake_clock.h"
#include "quern/testing/step_system.h"

namespace quern {
namespace {

using testing::FakeClock;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

struct Reserve {};
struct Hold {
  PosixSemaphore* reached;
  PosixSemaphore* open;
};
struct StockApi : Protocol<int(Reserve), void(Hold)> {};
struct Stock : Actor<StockApi> {
  int On(const Reserve&, Context& context) { return context.Sleep(1h).ok() ? 1 : 0; }
  void On(const Hold& m) {
    m.reached->release();
    m.open->acquire();
  }
};

struct AddItem {};
struct CartApi : Protocol<void(AddItem)> {};
struct Cart : Actor<CartApi> {
  explicit Cart(Ref<StockApi> stock) : stock_(std::move(stock)) {}
  void On(const AddItem&) { stock_.Ask(Reserve{}, 1h).IgnoreError(); }
  Ref<StockApi> stock_;
};

class DumpTest : public ::testing::Test {
 protected:
  FakeClock clock_;
  PosixSemaphore reached_{0};
  PosixSemaphore open_{0};
  System system_{SystemOptions{.name = "shop", .workers = 1, .clock = &clock_}};
};

TEST_F(DumpTest, ShowsTheTreeAndWhatEachHandlerWaitsFor) {
  auto stock = system_.Spawn<Stock>("stock").value();
  auto cart = system_.Spawn<Cart>("cart", stock).value();
  for (int i = 0; i < 3; ++i) cart.Tell(AddItem{});
  system_.WaitUntilQuiet();
  clock_.AdvanceBy(812ms);
  system_.WaitUntilQuiet();

  const std::string dump = DumpActors(system_);

  EXPECT_EQ(dump,
            "system \"shop\": 2 actors, 2 waiting handlers, 0 dead letters\n"
            "/cart  Cart  running, in AddItem for 812 ms: asks /stock "
            "quern::{anonymous}::Reserve; 2 queued\n"
            "/stock  Stock  running, in Reserve for 812 ms: waits; 0 queued\n");
}

TEST_F(DumpTest, SoManyActorsAreShownAndThatThereAreMoreIsSaid) {
  for (const char* name : {"a", "b", "c"}) system_.Spawn<Stock>(name).value();
  system_.WaitUntilQuiet();

  const std::string all = DumpActors(system_, 3);
  const std::string two = DumpActors(system_, 2);

  EXPECT_THAT(all, HasSubstr("\"shop\": 3 actors, "));
  EXPECT_THAT(two, HasSubstr("\"shop\": 2 actors and more, "));
  EXPECT_THAT(two, HasSubstr("/b  Stock  running\n"));
  EXPECT_THAT(two, Not(HasSubstr("/c")));
}

TEST_F(DumpTest, MessagesBeyondTheBoundAreNotCounted) {
  auto stock = system_.Spawn<Stock>("stock").value();
  for (size_t i = 0; i < kMailboxCountMax + 10; ++i) stock.Tell(Reserve{});
  system_.WaitUntilQuiet();

  EXPECT_THAT(DumpActors(system_), HasSubstr("; 10000 queued\n"));
}

TEST_F(DumpTest, AHeldWorkerIsNamedAndDoesNotHoldTheDump) {
  auto stock = system_.Spawn<Stock>("stock").value();
  stock.Tell(Hold{&reached_, &open_});
  reached_.acquire();

  const std::string dump = DumpActors(system_);
  open_.release();

  EXPECT_THAT(dump, HasSubstr("worker 0 is held by a handler"));
  EXPECT_THAT(dump, HasSubstr("/stock  Stock  running\n"));
}

TEST(StepDumpTest, AStepSystemIsLookedAtWithoutAStep) {
  testing::StepSystem system({.system = {.name = "shop"}});
  auto stock = system.Spawn<Stock>("stock").value();
  auto cart = system.Spawn<Cart>("cart", stock).value();
  cart.Tell(AddItem{});
  system.RunUntilIdle();
  const uint64_t steps = system.steps();

  const std::string dump = DumpActors(system);

  EXPECT_EQ(system.steps(), steps);
  EXPECT_EQ(dump,
            "system \"shop\": 2 actors, 2 waiting handlers, 0 dead letters\n"
            "/cart  Cart  running, in AddItem for 0 ms: asks /stock "
            "quern::{anonymous}::Reserve; 0 queued\n"
            "/stock  Stock  running, in Reserve for 0 ms: waits; 0 queued\n");
}

TEST_F(DumpTest, AStoppedSystemSaysSo) {
  system_.Stop();

  EXPECT_EQ(DumpActors(system_), "system \"shop\": stopped\n");
}

}  // namespace
}  // namespace quern
