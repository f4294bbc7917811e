// A reply that comes late meets nobody: asks that time out while their handlers answer, also twice,
// mixed with fresh ones, never see a stale or foreign reply. From seeds. Each reply carries its
// request's nonce.

#include <gtest/gtest.h>

#include <absl/strings/str_cat.h>

#include <atomic>
#include <chrono>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "quern/quern.h"
#include "quern/testing/fake_clock.h"
#include "test_size.h"

namespace quern {
namespace {

using testing::FakeClock;
using namespace std::chrono_literals;

constexpr uint64_t kAsks = Rounds(1'000'000, 10'000);

struct Nonce {
  uint64_t value = 0;
  Duration delay{};
};
// Answered through a Deferred, which then tries to answer once more: in the handler, or when the
// next such question comes.
struct Twice {
  uint64_t value = 0;
  Duration delay{};
  bool later = false;
};
struct NonceApi : Protocol<std::string(Nonce), std::string(Twice)> {};

std::string Answer(uint64_t nonce) { return absl::StrCat("the answer to number ", nonce); }

struct Answerer : Actor<NonceApi> {
  StatusOr<std::string> On(const Nonce& m, Context& context) {
    if (m.delay != Duration::zero()) (void)context.Sleep(m.delay);
    return Answer(m.value);
  }
  void On(const Twice& m, Context& context, Deferred<std::string> reply) {
    if (m.delay != Duration::zero()) (void)context.Sleep(m.delay);
    AnswerTwice(kept_, kept_value_);
    if (m.later) {
      kept_ = std::move(reply);
      kept_value_ = m.value;
    } else {
      AnswerTwice(reply, m.value);
    }
  }

  static void AnswerTwice(Deferred<std::string>& reply, uint64_t value) {
    reply.Answer(Answer(value));
    reply.Answer("a second answer");  // to nobody
  }

  Deferred<std::string> kept_;
  uint64_t kept_value_ = 0;
};

struct Tally {
  std::atomic<uint64_t> asked{0};
  std::atomic<uint64_t> answered{0};
  std::atomic<uint64_t> wrong{0};
  std::atomic<uint64_t> unexpected{0};
};

struct Drive {
  uint32_t seed = 0;
  uint64_t asks = 0;
};
struct DriverApi : Protocol<int(Drive)> {};

// Asks, awaits, cancels and abandons whatever the seed says.
struct Driver : Actor<DriverApi> {
  Driver(std::vector<Ref<NonceApi>> targets, Tally* tally)
      : targets_(std::move(targets)), tally_(tally) {}

  int On(const Drive& m) {
    std::mt19937 dice(m.seed);
    std::vector<std::pair<uint64_t, Pending<std::string>>> pending;
    for (uint64_t i = 0; i < m.asks; ++i) {
      const uint64_t nonce = tally_->asked.fetch_add(1) + 1;
      const Duration delay = dice() % 4 == 0 ? Duration(1ms * (dice() % 4)) : Duration::zero();
      const auto& target = targets_[dice() % targets_.size()];
      const Duration timeout = 1ms * (1 + dice() % 3);
      const bool at_once = dice() % 4 == 0;
      if (dice() % 4 == 0) {
        const Twice twice{nonce, delay, dice() % 2 == 0};
        if (at_once) {
          Note(nonce, target.Ask(twice, timeout));
        } else {
          pending.emplace_back(nonce, target.AskAsync(twice, timeout));
        }
      } else if (at_once) {
        Note(nonce, target.Ask(Nonce{nonce, delay}, timeout));
      } else {
        pending.emplace_back(nonce, target.AskAsync(Nonce{nonce, delay}, timeout));
      }
      if (pending.size() < 16) continue;
      for (auto& [asked, reply] : pending) {
        switch (dice() % 8) {
          case 0:
            reply.Cancel();
            Note(asked, reply.Await());
            break;
          case 1:
            break;  // abandoned
          default:
            Note(asked, reply.Await());
        }
      }
      pending.clear();
    }
    return 0;
  }

  void Note(uint64_t nonce, const StatusOr<std::string>& reply) {
    if (reply.ok()) {
      tally_->answered.fetch_add(1);
      if (*reply != Answer(nonce)) tally_->wrong.fetch_add(1);
    } else if (!absl::IsDeadlineExceeded(reply.status()) && !absl::IsCancelled(reply.status())) {
      tally_->unexpected.fetch_add(1);
    }
  }

  const std::vector<Ref<NonceApi>> targets_;
  Tally* const tally_;
};

TEST(AskRaceTest, NoReplyIsStaleOrForeign) {
  const auto seed = static_cast<uint32_t>(::testing::UnitTest::GetInstance()->random_seed());
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  constexpr uint64_t kDrivers = 8;
  FakeClock clock;
  Tally tally;
  System system({.name = "race", .workers = 2, .clock = &clock});
  std::vector<Ref<NonceApi>> targets;
  for (int i = 0; i < 16; ++i) {
    targets.push_back(system.Spawn<Answerer>(absl::StrCat("answerer", i)).value());
  }

  std::atomic<uint64_t> running{kDrivers};
  std::vector<std::thread> askers;
  for (uint64_t d = 0; d < kDrivers; ++d) {
    askers.emplace_back([&, d] {
      auto driver = system.Spawn<Driver>(absl::StrCat("driver", d), targets, &tally).value();
      const Drive drive{seed + static_cast<uint32_t>(d), kAsks / kDrivers};
      EXPECT_TRUE(driver.Ask(drive, 24h * 365).ok());
      --running;
    });
  }
  while (running != 0) {
    clock.AdvanceBy(1ms);
    std::this_thread::yield();
  }
  for (std::thread& asker : askers) asker.join();

  EXPECT_EQ(tally.asked, kAsks / kDrivers * kDrivers);
  EXPECT_EQ(tally.wrong, 0u);
  EXPECT_EQ(tally.unexpected, 0u);
  EXPECT_GT(tally.answered, 0u);
  EXPECT_GT(system.late_replies(), 0u);
}

// On plain threads, with the time-out moved to where the reply is written.
TEST(AskRaceTest, AReplyMayRaceItsTimeoutOnPlainThreads) {
  constexpr int kRounds = static_cast<int>(kAsks / 100);
  FakeClock clock;
  System system({.name = "race", .workers = 2, .clock = &clock});
  auto target = system.Spawn<Answerer>("answerer").value();
  std::atomic<bool> over{false};
  std::thread time([&] {
    while (!over) clock.AdvanceBy(1ms);
  });

  int answered = 0;
  for (int i = 0; i < kRounds; ++i) {
    const auto nonce = static_cast<uint64_t>(i);
    const StatusOr<std::string> reply = i % 2 == 0 ? target.Ask(Nonce{nonce, {}}, 2ms)
                                                   : target.AskAsync(Nonce{nonce, {}}, 2ms).Await();
    if (reply.ok()) {
      ++answered;
      ASSERT_EQ(*reply, Answer(nonce));
    } else {
      ASSERT_TRUE(absl::IsDeadlineExceeded(reply.status())) << reply.status();
    }
  }
  over = true;
  time.join();

  EXPECT_LE(answered, kRounds);
}

}  // namespace
}  // namespace quern
