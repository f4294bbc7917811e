// Two actors throw one ball to and fro: alone, a thousand pairs at once, and with the two of a pair
// kept on different threads.

#include <cstdint>
#include <string>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "workloads.h"

namespace quern::bench {
namespace {

struct Meet;
struct Ball;
struct PlayerApi : Protocol<void(Meet), void(Ball)> {};
struct Meet {
  Ref<PlayerApi> peer;
};
struct Ball {
  int64_t left;
};

struct Player : Actor<PlayerApi> {
  Player(Finish* finish, Tally* tally) : finish_(finish), tally_(tally) {}

  void On(const Meet& m) { peer_ = m.peer; }
  void On(const Ball& m) {
    ++handled_;
    if (m.left == 1) return finish_->One();
    peer_.Tell(Ball{m.left - 1});
  }
  void OnStop() { tally_->Add(handled_); }

  Finish* finish_;
  Tally* tally_;
  Ref<PlayerApi> peer_;
  int64_t handled_ = 0;
};

// The first of each pair lives in `here`, the other in `there`.
Outcome Play(System& here, System& there, int64_t pairs, int64_t messages_a_pair) {
  Finish finish;
  Tally tally;
  std::vector<Ref<PlayerApi>> players;
  for (int64_t i = 0; i < pairs; ++i) {
    auto ping = here.Spawn<Player>("ping-" + std::to_string(i), &finish, &tally).value();
    auto pong = there.Spawn<Player>("pong-" + std::to_string(i), &finish, &tally).value();
    ping.Tell(Meet{pong});
    pong.Tell(Meet{ping});
    players.push_back(ping);
  }
  here.WaitUntilQuiet();
  there.WaitUntilQuiet();

  finish.Expect(pairs);
  Stopwatch watch;
  for (const auto& player : players) player.Tell(Ball{messages_a_pair});
  finish.Wait();
  Outcome outcome{.messages = pairs * messages_a_pair, .took = watch.Stop()};
  here.Stop();
  there.Stop();
  outcome.Check("messages handled", tally.sum(), static_cast<double>(outcome.messages));
  return outcome;
}

Outcome PlayTogether(const Setup& setup, int64_t pairs) {
  System system(OptionsFor(setup));
  return Play(system, system, pairs, setup.size);
}

}  // namespace

Outcome PingPong(const Setup& setup) { return PlayTogether(setup, 1); }
Outcome PingPong1000(const Setup& setup) { return PlayTogether(setup, 1000); }

// A system of one worker for each: within one, the two soon run on one worker.
Outcome PingPongApart(const Setup& setup) {
  System here(OptionsFor({.workers = 1}));
  System there(OptionsFor({.workers = 1}));
  return Play(here, there, 1, setup.size);
}

}  // namespace quern::bench
