// Grains that come and go at random under load, told by threads that look them up for every message
// and by threads and actors that share a few Refs: nothing is lost, doubled or reordered, and
// nothing of a grain ever runs beside another part of it.

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "grain_test_kit.h"
#include "quern/runtime/fiber_group.h"

namespace quern::testing {

constexpr uint32_t kSenders = 4;
constexpr uint32_t kGrains = 6;
constexpr uint32_t kMessages = 3000;  // of each sender

// What a handler does besides taking note.
enum class Deed : uint32_t { kNothing, kLeave, kThrow, kAskLeaf, kSleep, kShorten };

struct Bump {
  uint32_t sender = 0;
  uint32_t number = 0;
  Deed deed = Deed::kNothing;
};

struct StormApi : Protocol<int64_t(Bump)> {
  static constexpr std::string_view kKind = "storm";
};

// What all grains write to. A grain's row outlives its activations.
struct Board {
  struct Row {
    std::atomic<int> inside{0};
    std::array<std::atomic<int64_t>, kSenders> last;
  };

  explicit Board(bool allow_all) : handled(kSenders * kMessages), reentrant(allow_all) {
    for (Row& row : rows) {
      for (auto& last : row.last) last = -1;
    }
  }
  std::array<Row, kGrains> rows;
  std::vector<std::atomic<int>> handled;
  std::atomic<int> overlaps{0};
  std::atomic<int> reordered{0};
  std::atomic<int> activations{0};
  std::atomic<int> cancelled{0};
  const bool reentrant;
};

}  // namespace quern::testing

namespace quern {

template <>
struct Codec<testing::Bump> {
  static constexpr std::string_view kName = "test.Bump";
  static void Encode(const testing::Bump& m, std::string* out) {
    out->append(reinterpret_cast<const char*>(&m), sizeof(m));
  }
  static Status Decode(std::string_view bytes, testing::Bump* m) {
    if (bytes.size() != sizeof(*m)) return absl::DataLossError("not a Bump");
    std::memcpy(m, bytes.data(), sizeof(*m));
    return absl::OkStatus();
  }
};

}  // namespace quern

namespace quern::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Notes that two parts of one grain run at once, over all its activations.
class Alone {
 public:
  Alone(Board& board, Board::Row& row) : board_(board), row_(row) { Enter(); }
  ~Alone() { Leave(); }
  void Enter() {
    if (row_.inside.fetch_add(1) != 0) board_.overlaps.fetch_add(1);
  }
  void Leave() { row_.inside.fetch_sub(1); }

 private:
  Board& board_;
  Board::Row& row_;
};

struct Leaf : Grain<StormApi> {
  StatusOr<int64_t> On(const Bump& m) {
    if (m.number % 3 == 0) DeactivateSoon();
    return m.number;
  }
};

class Storm : public Grain<StormApi> {
 public:
  explicit Storm(Board* board)
      : board_(*board), row_(board_.rows[static_cast<size_t>(std::stoi(key()))]) {
    Alone alone(board_, row_);
    board_.activations.fetch_add(1);
  }
  ~Storm() override { Alone alone(board_, row_); }

  Status OnActivate() override {
    Alone alone(board_, row_);
    if (board_.activations.load() % 4 == 0) (void)SleepFor(milliseconds(1));
    return absl::OkStatus();
  }
  void OnDeactivate(const Status&) override {
    if (waiting_ != 0) board_.overlaps.fetch_add(1);
    Alone alone(board_, row_);
    if (board_.activations.load() % 3 == 0) (void)SleepFor(milliseconds(1));
  }

  StatusOr<int64_t> On(const Bump& m, Context& context) {
    Alone alone(board_, row_);
    board_.handled[m.sender * kMessages + m.number].fetch_add(1);
    if (row_.last[m.sender].exchange(m.number) >= m.number) board_.reordered.fetch_add(1);
    switch (m.deed) {
      case Deed::kNothing:
        break;
      case Deed::kLeave:
        DeactivateSoon();
        break;
      case Deed::kThrow:
        throw std::runtime_error("on purpose");
      case Deed::kAskLeaf: {
        const Ref<StormApi> leaf = context.Grain<StormApi>("leaf", "leaf");
        if (!board_.reentrant) return leaf.Ask(Bump{.number = m.number}, Duration::max());
        alone.Leave();  // others may run now
        ++waiting_;
        const StatusOr<int64_t> answer = leaf.Ask(Bump{.number = m.number}, Duration::max());
        --waiting_;
        alone.Enter();
        if (answer.ok()) return answer;
        board_.cancelled.fetch_add(1);  // another handler has failed
        return m.number;
      }
      case Deed::kSleep:
        if (board_.reentrant) alone.Leave();  // one that had waited may go on
        (void)context.Sleep(milliseconds(1));
        if (board_.reentrant) alone.Enter();
        break;
      case Deed::kShorten:
        SetIdleTimeout(milliseconds(1));
        break;
    }
    return m.number;
  }

 private:
  Board& board_;
  Board::Row& row_;
  int waiting_ = 0;
};

// What one sender saw.
struct Sent {
  std::vector<uint32_t> refused_tells;
  int unanswered = 0;
};

// `kept`: empty, or a Ref to each grain, which others use as well.
Sent SendAll(System& system, const std::vector<Ref<StormApi>>& kept, uint32_t sender,
             uint64_t seed) {
  std::mt19937_64 random(seed * 100 + sender);
  Sent sent;
  size_t chosen = 0;
  for (uint32_t n = 0; n < kMessages; ++n) {
    // Often the same one: what an actor tells one target again and again is sent together.
    if (kept.empty() || random() % 8 == 0) chosen = random() % kGrains;
    const Ref<StormApi> grain =
        kept.empty() ? system.Grain<StormApi>(std::to_string(chosen)) : kept[chosen];
    const uint64_t dice = random() % 100;
    const Deed deed = dice < 60   ? Deed::kNothing
                      : dice < 75 ? Deed::kLeave
                      : dice < 80 ? Deed::kThrow
                      : dice < 90 ? Deed::kAskLeaf
                      : dice < 95 ? Deed::kSleep
                                  : Deed::kShorten;
    const Bump bump{sender, n, deed};
    if (random() % 8 == 0) (void)system.Deactivate(grain);
    if (random() % 5 != 0) {
      if (grain.Tell(bump) != Delivery::kAccepted) sent.refused_tells.push_back(n);
      continue;
    }
    const StatusOr<int64_t> answer = grain.Ask(bump, Duration::max());
    const bool as_due = deed == Deed::kThrow ? answer.status().code() == absl::StatusCode::kUnknown
                                             : answer.ok() && *answer == n;
    if (!as_due) ++sent.unanswered;
  }
  return sent;
}

struct Send {
  std::function<void()> all;
};
struct SenderApi : Protocol<void(Send)> {};
struct Sender : Actor<SenderApi> {
  void On(const Send& m) { m.all(); }
};

enum class Senders : uint8_t { kThreads, kThreadsAndActors };

struct Storming {
  uint64_t seed;
  Reentrancy reentrancy;
  Senders senders = Senders::kThreads;
};

class GrainStressTest : public ::testing::TestWithParam<Storming> {};

TEST_P(GrainStressTest, NothingIsLostDoubledReorderedOrRunBesideAnother) {
  const auto [seed, reentrancy, who] = GetParam();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Board board(reentrancy == Reentrancy::kAllowAll);
  ManualClock clock;
  System system(SystemOptions{.name = "storm", .workers = 3, .clock = &clock});
  ASSERT_TRUE(
      system.Host<Storm>({.idle_timeout = seconds(1), .reentrancy = reentrancy}, &board).ok());
  ASSERT_TRUE(system.Host<Leaf>({.kind = "leaf"}).ok());

  std::vector<Sent> sent(kSenders);
  std::atomic<uint32_t> done{0};
  std::vector<Ref<StormApi>> kept;
  for (uint32_t g = 0; who == Senders::kThreadsAndActors && g < kGrains; ++g) {
    kept.push_back(system.Grain<StormApi>(std::to_string(g)));
  }
  std::vector<std::thread> senders;
  for (uint32_t s = 0; s < kSenders; ++s) {
    std::function<void()> send = [&, s, seed = seed] {
      sent[s] = SendAll(system, kept, s, seed);
      done.fetch_add(1);
    };
    if (!kept.empty() && s != 0) {
      system.Spawn<Sender>("sender-" + std::to_string(s)).value().Tell(Send{std::move(send)});
    } else {
      senders.emplace_back(std::move(send));
    }
  }
  while (done.load() < kSenders) {  // sleepers and idle grains live by this clock
    clock.Advance(milliseconds(1));
    std::this_thread::yield();
  }
  for (std::thread& sender : senders) sender.join();
  for (int i = 0; i < 10'000 && system.CountGrains("storm") > 0; ++i) {
    system.WaitUntilQuiet();
    clock.Advance(milliseconds(1));
  }

  EXPECT_EQ(system.CountGrains("storm"), 0u) << "all have idled out";
  EXPECT_EQ(board.overlaps.load(), 0);
  EXPECT_EQ(board.reordered.load(), 0);
  EXPECT_GT(board.activations.load(), 100);
  for (uint32_t s = 0; s < kSenders; ++s) {
    EXPECT_EQ(sent[s].unanswered, 0);
    EXPECT_TRUE(sent[s].refused_tells.empty());
    for (uint32_t n = 0; n < kMessages; ++n) {
      ASSERT_EQ(board.handled[s * kMessages + n].load(), 1) << "message " << n << " of " << s;
    }
  }
  EXPECT_EQ(system.dead_letters(), 0u);
}

std::vector<Storming> Storms() {
  std::vector<Storming> storms;
  for (uint64_t seed = 1; seed <= 6; ++seed) storms.push_back({seed, Reentrancy::kOff});
  for (uint64_t seed = 1; seed <= 6; ++seed) storms.push_back({seed, Reentrancy::kAllowAll});
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    storms.push_back({seed, Reentrancy::kOff, Senders::kThreadsAndActors});
    storms.push_back({seed, Reentrancy::kAllowAll, Senders::kThreadsAndActors});
  }
  return storms;
}

INSTANTIATE_TEST_SUITE_P(Seeds, GrainStressTest, ::testing::ValuesIn(Storms()));

}  // namespace
}  // namespace quern::testing
