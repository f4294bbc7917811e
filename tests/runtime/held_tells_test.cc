// A handler that tells the same actor again and again: held and pushed together, in order, and
// never kept beyond what it promises.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <latch>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "collecting_logger.h"
#include "quern/quern.h"
#include "quern/testing/fake_clock.h"
#include "scheduler/biased_lock.h"
#include "scheduler/held_tells.h"
#include "system/system_core.h"

namespace quern {
namespace {

using testing::FakeClock;
using namespace std::chrono_literals;

constexpr int kMany = 1000;

struct Item {
  int value;
};
struct Seen {};
struct SinkApi : Protocol<void(Item), std::vector<int>(Seen)> {};
struct Sink : Actor<SinkApi> {
  void On(const Item& m) { items_.push_back(m.value); }
  std::vector<int> On(const Seen&) { return items_; }
  std::vector<int> items_;
};

struct Do {
  std::function<void(Context&)> what;
};
struct DoerApi : Protocol<void(Do)> {};
struct Doer : Actor<DoerApi> {
  void On(const Do& m, Context& context) { m.what(context); }
};

std::vector<int> UpTo(int count) {
  std::vector<int> values;
  for (int i = 0; i < count; ++i) values.push_back(i);
  return values;
}

class HeldTellsTest : public ::testing::Test {
 protected:
  // In a handler.
  void Run(std::function<void(Context&)> what) {
    doer_.Tell(Do{std::move(what)});
    system_.WaitUntilQuiet();
  }
  static void TellMany(const Ref<SinkApi>& sink, int from, int to) {
    for (int i = from; i < to; ++i) EXPECT_EQ(sink.Tell(Item{i}), Delivery::kAccepted);
  }
  static std::vector<int> SeenBy(const Ref<SinkApi>& sink) { return sink.Ask(Seen{}, 1h).value(); }

  FakeClock clock_;
  CollectingLogger logger_;
  std::latch go_on_{1};  // outlives the worker that waits at it
  System system_{SystemOptions{.name = "test", .workers = 2, .clock = &clock_, .logger = &logger_}};
  Ref<SinkApi> sink_ = system_.Spawn<Sink>("sink").value();
  Ref<SinkApi> other_ = system_.Spawn<Sink>("other").value();
  Ref<DoerApi> doer_ = system_.Spawn<Doer>("doer").value();
};

TEST_F(HeldTellsTest, ArriveInTheirOrder) {
  Run([&](Context&) { TellMany(sink_, 0, kMany); });

  EXPECT_EQ(SeenBy(sink_), UpTo(kMany));
}

TEST_F(HeldTellsTest, ArriveInTheirOrderWithAnotherTargetBetween) {
  Run([&](Context&) {
    for (int i = 0; i < kMany; i += 10) {
      TellMany(sink_, i, i + 10);
      TellMany(other_, i, i + 10);
    }
  });

  EXPECT_EQ(SeenBy(sink_), UpTo(kMany));
  EXPECT_EQ(SeenBy(other_), UpTo(kMany));
}

TEST_F(HeldTellsTest, AnAskComesBehindThem) {
  std::vector<int> seen;
  Run([&](Context&) {
    TellMany(sink_, 0, 10);
    seen = sink_.Ask(Seen{}, 1h).value();
  });

  EXPECT_EQ(seen, UpTo(10));
}

TEST_F(HeldTellsTest, AreThereWhileTheirHandlerSleeps) {
  Run([&](Context& context) {
    TellMany(sink_, 0, 10);
    (void)context.Sleep(1h);
  });

  EXPECT_EQ(SeenBy(sink_), UpTo(10));
  clock_.AdvanceBy(1h);
}

TEST_F(HeldTellsTest, AreThereAfterAHandlerThatThrows) {
  Run([&](Context&) {
    TellMany(sink_, 0, 10);
    throw std::runtime_error("after ten");
  });

  EXPECT_EQ(SeenBy(sink_), UpTo(10));
}

TEST_F(HeldTellsTest, AreThereThoughTheirHandlerDoesNotComeBack) {
  if (!internal::BiasedLock::Available()) GTEST_SKIP() << "this kernel has no membarrier";
  doer_.Tell(Do{[&](Context&) {
    TellMany(sink_, 0, 10);
    go_on_.wait();  // holds the worker
  }});

  while (SeenBy(sink_).size() < 10) {
  }
  EXPECT_EQ(SeenBy(sink_), UpTo(10));
  go_on_.count_down();
}

TEST_F(HeldTellsTest, AreDeadLettersWhenTheirTargetHasStopped) {
  Run([&](Context&) {
    TellMany(sink_, 0, 10);
    sink_.Stop();
  });

  EXPECT_TRUE(absl::IsUnavailable(sink_.Ask(Seen{}, 1h).status()));
  EXPECT_LE(system_.dead_letters(DeadLetterReason::kStopped), 10u);
}

TEST_F(HeldTellsTest, ABoundedMailboxSaysAtOnceThatItIsFull) {
  auto small = system_.Spawn<Sink>({.mailbox = BoundedMailbox(8)}, "small").value();
  int full = 0;
  Run([&](Context&) {
    for (int i = 0; i < kMany; ++i) full += small.Tell(Item{i}) == Delivery::kFull ? 1 : 0;
  });

  EXPECT_EQ(SeenBy(small).size(), static_cast<size_t>(kMany - full));
}

TEST_F(HeldTellsTest, AConstructorsAreThereToo) {
  struct Teller : Actor<SinkApi> {
    explicit Teller(const Ref<SinkApi>& sink) { TellMany(sink, 0, 10); }
    void On(const Item&) {}
    std::vector<int> On(const Seen&) { return {}; }
  };
  ASSERT_TRUE(system_.Spawn<Teller>("teller", sink_).ok());
  system_.WaitUntilQuiet();

  EXPECT_EQ(SeenBy(sink_), UpTo(10));
}

// Takes its time with a chain: until somebody has gone past it, or for long enough to see that
// nobody does.
class SlowCell final : public internal::Cell {
 public:
  SlowCell(internal::SystemCore* core, std::latch* inside)
      : Cell(0), core_(core), inside_(inside) {}

  Delivery Post(internal::Envelope* envelope) override {
    internal::FinishEnvelope(envelope);
    return Delivery::kAccepted;
  }
  bool TakesChains() const override { return true; }
  void PostChain(internal::MailboxNode* first, internal::MailboxNode* last) override {
    inside_->count_down();
    for (int i = 0; i < 1000 && !passed.load(); ++i) std::this_thread::yield();
    overtaken = passed.load();
    Cell::PostChain(first, last);
  }
  std::string Path() const override { return "/slow"; }
  std::string_view PathView() override { return "/slow"; }
  internal::SystemCore* system_core() const override { return core_; }

  std::atomic<bool> passed{false};
  std::atomic<bool> overtaken{false};

 private:
  internal::SystemCore* const core_;
  std::latch* inside_;
};

TEST_F(HeldTellsTest, NobodyGoesPastWhatAnotherWorkerPushesForThem) {
  if (!internal::BiasedLock::Available()) GTEST_SKIP() << "this kernel has no membarrier";
  std::latch inside(1);
  auto slow = internal::CellPtr<SlowCell>::Adopt(new SlowCell(system_.core(), &inside));
  internal::HeldTells tells;
  const auto tell = [&] {
    tells.Tell(slow.get(), internal::MakeEnvelope<void(Item)>(0, false, Item{1}));
  };
  for (int i = 0; i < 6; ++i) tell();

  std::thread other([&] { EXPECT_TRUE(tells.PushForOwner()); });
  inside.wait();
  tells.End();  // before an ask, say
  slow->passed = true;
  other.join();

  EXPECT_FALSE(slow->overtaken);
}

}  // namespace
}  // namespace quern
