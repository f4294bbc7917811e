// How much of a core a system takes that has been busy and has nothing to do now: workers that have
// played and been asked by a plain thread, with actors that wait to be passivated and timers of an
// hour. The clock of the process is read 100 ms after the last message, and once more at the end.

#include <chrono>
#include <cstdint>
#include <string>

#include <absl/synchronization/notification.h>
#include <absl/time/time.h>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "workloads.h"

namespace quern::bench {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr int kPairs = 8;
constexpr int64_t kRounds = 10'000;
constexpr int64_t kAsks = 1'000;
constexpr milliseconds kRest{100};

struct Meet;
struct Ball {
  int64_t left;
};
struct Query {
  int64_t value;
};
struct Wake {};
struct PlayerApi : Protocol<void(Meet), void(Ball), int64_t(Query), void(Wake)> {};
struct Meet {
  Ref<PlayerApi> peer;
};
struct Player : Actor<PlayerApi> {
  explicit Player(Finish* finish) : finish_(finish) {}
  void OnStart() { After(hours(1), Wake{}); }
  void On(const Meet& m) { peer_ = m.peer; }
  void On(const Ball& m) {
    if (m.left == 1) return finish_->One();
    peer_.Tell(Ball{m.left - 1});
  }
  int64_t On(const Query& m) { return m.value + 1; }
  void On(const Wake&) {}
  Finish* finish_;
  Ref<PlayerApi> peer_;
};

// By the kernel's clock: a timer of the system's would be something to do.
void DoNothing(milliseconds how_long) {
  absl::Notification never;
  never.WaitForNotificationWithTimeout(absl::FromChrono(how_long));
}

}  // namespace

// The setup's size: milliseconds of rest that are looked at.
Outcome AtRest(const Setup& setup) {
  SystemOptions options = OptionsFor(setup);
  options.watchdog_after = kWatchdogDefault;  // as everybody has it
  Finish finish;
  System system(options);
  finish.Expect(kPairs);
  const SpawnOptions passivated{.passivate_after = minutes(1)};
  Ref<PlayerApi> last;
  for (int i = 0; i < kPairs; ++i) {
    const std::string number = std::to_string(i);
    last = system.Spawn<Player>(passivated, "ping-" + number, &finish).value();
    auto pong = system.Spawn<Player>(passivated, "pong-" + number, &finish).value();
    last.Tell(Meet{pong});
    pong.Tell(Meet{last});
    last.Tell(Ball{kRounds});
  }
  finish.Wait();
  int64_t right = 0;
  for (int64_t i = 0; i < kAsks; ++i) right += last.Ask(Query{i}).value_or(0) == i + 1 ? 1 : 0;

  DoNothing(kRest);
  Stopwatch watch;
  DoNothing(milliseconds(setup.size));
  Outcome outcome{.messages = kPairs * kRounds + kAsks, .took = watch.Stop()};
  outcome.figures = {{"core_percent", 100 * outcome.took.cpu_seconds / outcome.took.seconds}};
  outcome.Check("right answers", static_cast<double>(right), static_cast<double>(kAsks));
  return outcome;
}

}  // namespace quern::bench
