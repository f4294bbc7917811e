// What goes into a mailbox comes out of it: sent = handled + dropped, by reason + queued, for every
// kind and whatever happens to the actor meanwhile. From seeds.

#include <gtest/gtest.h>

#include <absl/strings/str_cat.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "collecting_logger.h"
#include "quern/quern.h"
#include "quern/testing/fake_clock.h"
#include "test_size.h"

namespace quern {
namespace {

using testing::FakeClock;
using namespace std::chrono_literals;

struct Item {
  int priority = 0;
  bool fails = false;  // the handler throws
};
struct Again {
  int times = 0;  // the handler sends so many Items to its own actor
};
struct Question {};
struct SinkApi : Protocol<void(Item), void(Again), int(Question)> {};

// Shared by the senders and the actor; outlives both.
struct Tally {
  std::atomic<uint64_t> sent{0};
  std::atomic<uint64_t> accepted{0};
  std::atomic<uint64_t> handled{0};

  template <typename M>
  void Tell(const Ref<SinkApi>& to, M message) {
    sent.fetch_add(1);
    if (to.Tell(std::move(message)) == Delivery::kAccepted) accepted.fetch_add(1);
  }
};

struct Sink : Actor<SinkApi> {
  explicit Sink(Tally* tally) : tally_(tally) {}
  void On(const Item& m) {
    tally_->handled.fetch_add(1);
    if (m.fails) throw std::runtime_error("a bad item");
  }
  void On(const Again& m) {
    tally_->handled.fetch_add(1);
    for (int i = 0; i < m.times; ++i) tally_->Tell(Self(), Item{i});
  }
  int On(const Question&) {
    tally_->handled.fetch_add(1);
    return 1;
  }
  Tally* tally_;
};

using Dice = std::mt19937;

int PriorityOf(const QueuedMessage& message) {
  const Item* item = message.As<Item>();
  return item == nullptr ? 0 : item->priority;
}

struct Kind {
  std::string name;
  std::function<MailboxOptions()> make;
};

std::vector<Kind> Kinds() {
  return {{"unbounded", [] { return MailboxOptions(); }},
          {"reject", [] { return BoundedMailbox(8); }},
          {"newest", [] { return BoundedMailbox(8, WhenFull::kDropNewest); }},
          {"oldest", [] { return BoundedMailbox(8, WhenFull::kDropOldest); }},
          {"priority", [] { return PriorityMailbox(&PriorityOf); }},
          {"priority8", [] { return PriorityMailbox(&PriorityOf, 8, WhenFull::kDropNewest); }},
          {"fair", [] { return FairMailbox(); }},
          {"fair8", [] { return FairMailbox(8); }}};
}

// One actor of `kind`, three threads that send it whatever the seed says, and its end somewhere in
// between or after.
void SendAndStop(const Kind& kind, uint32_t seed) {
  SCOPED_TRACE(absl::StrCat(kind.name, " seed ", seed));
  constexpr int kSends = 200;
  FakeClock clock;
  CollectingLogger logger;
  Tally tally;
  System system({.name = "test", .workers = 2, .clock = &clock, .logger = &logger});
  auto sink = system.Spawn<Sink>({.mailbox = kind.make()}, "sink", &tally).value();
  Dice chance(seed);
  const int stop_at = static_cast<int>(chance() % (2 * kSends));

  std::vector<std::thread> senders;
  for (int s = 0; s < 3; ++s) {
    const auto sender_seed = static_cast<uint32_t>(chance());
    senders.emplace_back([&, sender_seed] {
      Dice dice(sender_seed);
      for (int i = 0; i < kSends; ++i) {
        if (i == stop_at) sink.Stop();
        switch (dice() % 16) {
          case 0:
            tally.Tell(sink, Item{0, true});
            clock.AdvanceBy(100ms);
            break;
          case 1:
            tally.Tell(sink, Again{static_cast<int>(dice() % 16)});
            break;
          case 2:
            tally.Tell(sink, Question{});
            break;
          default:
            tally.Tell(sink, Item{static_cast<int>(dice() % 4)});
        }
      }
    });
  }
  for (std::thread& sender : senders) sender.join();
  const auto all_accounted = [&] {
    system.WaitUntilQuiet();
    return tally.sent == tally.handled + system.dead_letters();
  };
  // A failure in every sixteenth message, each with its backoff.
  for (int i = 0; i < 3600 && !all_accounted(); ++i) clock.AdvanceBy(1s);

  EXPECT_EQ(tally.sent, tally.handled + system.dead_letters());
  const auto counts = MailboxCountsOf(sink);
  ASSERT_EQ(counts.has_value(), kind.name != "unbounded");
  if (!counts.has_value()) return;
  EXPECT_EQ(counts->sent, tally.sent);
  EXPECT_EQ(counts->taken, tally.handled);
  EXPECT_EQ(counts->queued, 0u);
  EXPECT_EQ(counts->sent, std::accumulate(counts->dropped.begin(), counts->dropped.end(),
                                          counts->taken + counts->queued));
}

TEST(ConservationTest, WhatIsSentIsHandledOrDroppedWithAReason) {
  constexpr uint32_t kSeeds = Rounds(12, 2);
  const uint32_t first = static_cast<uint32_t>(::testing::UnitTest::GetInstance()->random_seed());
  for (const Kind& kind : Kinds()) {
    for (uint32_t seed = first; seed < first + kSeeds; ++seed) SendAndStop(kind, seed);
  }
}

TEST(ConservationTest, WhatWaitsIsCountedAsQueued) {
  FakeClock clock;
  Tally tally;
  System system({.name = "test", .workers = 1, .clock = &clock});
  auto sink = system.Spawn<Sink>({.mailbox = BoundedMailbox(4)}, "sink", &tally).value();
  tally.Tell(sink, Item{0, true});
  system.WaitUntilQuiet();  // it pauses before its restart

  for (int i = 0; i < 6; ++i) tally.Tell(sink, Item{});

  const MailboxCounts counts = MailboxCountsOf(sink).value();
  EXPECT_EQ(counts.sent, 7u);
  EXPECT_EQ(counts.taken, 1u);
  EXPECT_EQ(counts.queued, 4u);
  EXPECT_EQ(counts.dropped_for(DeadLetterReason::kFull), 2u);
}

}  // namespace
}  // namespace quern
