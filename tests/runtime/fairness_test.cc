// Nobody waits for long behind actors that never stop talking: on every worker pairs throw balls to
// and fro for good, and a message for somebody else is handled within so many turns of theirs.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "quern/quern.h"
#include "quern/testing/step_system.h"
#include "test_size.h"

namespace quern {
namespace {

using testing::StepSystem;

constexpr int kWorkers = 2;
constexpr int kPairs = 8;
// Two that talk run at most so often in a row (RunQueue), then whoever is first in the line.
constexpr int64_t kTurnsInARow = 17;

struct Meet;
struct Ball {};
struct PlayerApi : Protocol<void(Meet), void(Ball)> {};
struct Meet {
  Ref<PlayerApi> peer;
  int balls;  // under way between the two
};
struct Player : Actor<PlayerApi> {
  explicit Player(int64_t* handled) : handled_(handled) {}
  void On(const Meet& m) {
    peer_ = m.peer;
    for (int i = 0; i < m.balls; ++i) peer_.Tell(Ball{});
  }
  void On(const Ball&) {
    ++*handled_;
    peer_.Tell(Ball{});
  }
  int64_t* handled_;
  Ref<PlayerApi> peer_;
};

struct Stamp {};
struct ProbeApi : Protocol<void(Stamp)> {};
struct Probe : Actor<ProbeApi> {
  explicit Probe(bool* seen) : seen_(seen) {}
  void On(const Stamp&) { *seen_ = true; }
  bool* seen_;
};

// The most messages of the players that were handled while one for the probe waited.
int64_t LongestWait(int seed, int balls, int probes) {
  int64_t handled = 0;
  bool seen = false;
  StepSystem system({.seed = static_cast<uint64_t>(seed), .workers = kWorkers});
  auto probe = system.Spawn<Probe>("probe", &seen).value();
  for (int i = 0; i < kPairs; ++i) {
    auto ping = system.Spawn<Player>("ping-" + std::to_string(i), &handled).value();
    auto pong = system.Spawn<Player>("pong-" + std::to_string(i), &handled).value();
    pong.Tell(Meet{ping, 0});
    ping.Tell(Meet{pong, balls});
  }
  while (handled < 1000) system.Step();

  int64_t longest = 0;
  for (int i = 0; i < probes; ++i) {
    const int64_t before = std::exchange(handled, 0);
    seen = false;
    probe.Tell(Stamp{});
    while (!seen) system.Step();
    longest = std::max(longest, handled);
    handled += before;
  }
  return longest;
}

TEST(FairnessTest, AMessageWaitsForAFewTurnsOfPairsThatNeverStop) {
  constexpr int64_t kTurns = kWorkers * 2 * kPairs * kTurnsInARow;
  for (int seed = 1; seed <= Rounds(50, 5); ++seed) {
    EXPECT_LE(LongestWait(seed, /*balls=*/1, /*probes=*/20), kTurns) << "seed " << seed;
  }
}

TEST(FairnessTest, AMessageWaitsForAFewWholeTurnsOfActorsWithFullMailboxes) {
  constexpr int64_t kMessages = kWorkers * 2 * kPairs * kTurnsInARow * kTurnMessagesMax;
  for (int seed = 1; seed <= Rounds(20, 2); ++seed) {
    EXPECT_LE(LongestWait(seed, /*balls=*/200, /*probes=*/20), kMessages) << "seed " << seed;
  }
}

}  // namespace
}  // namespace quern
