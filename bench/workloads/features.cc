// What a feature costs those who do not use it: the same two actors play, or ask, with something
// armed around them that their messages have nothing to do with. suite/features.py puts each beside
// its plain counterpart. The last two rows do use what they are named after.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "quern/runtime/metrics.h"
#include "workloads.h"

namespace quern::bench {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

struct Meet;
struct Ball {
  int64_t left;
};
struct Wake {};
struct PlayerApi : Protocol<void(Meet), void(Ball), void(Wake)> {};
struct Meet {
  Ref<PlayerApi> peer;
};

// How the players of a run differ from plain ones.
struct Variant {
  SpawnOptions spawn = {};
  bool watchdog = false;
  bool timer = false;
  bool by_name = false;  // the peer is looked up for every message
  bool printed = false;  // the peer's address is, for every message
  // Before the run and after it, while the system is there.
  std::function<void(System&, const Ref<PlayerApi>&)> begin = nullptr;
  std::function<void()> end = nullptr;
};

struct Player : Actor<PlayerApi> {
  Player(const Variant* variant, System* system, Finish* finish)
      : variant_(variant), system_(system), finish_(finish) {}

  void OnStart() {
    if (variant_->timer) After(hours(1), Wake{});
  }
  void On(const Meet& m) {
    peer_ = m.peer;
    name_ = peer_.path();
  }
  void On(const Wake&) {}
  void On(const Ball& m) {
    ++handled_;
    if (m.left == 1) return finish_->One();
    if (variant_->printed) line_.assign(peer_.path_view());
    if (variant_->by_name) {
      system_->Find<PlayerApi>(name_).value().Tell(Ball{m.left - 1});
    } else {
      peer_.Tell(Ball{m.left - 1});
    }
  }

  const Variant* variant_;
  System* system_;
  Finish* finish_;
  Ref<PlayerApi> peer_;
  std::string name_;
  std::string line_;
  int64_t handled_ = 0;
};

SystemOptions OptionsWith(const Setup& setup, const Variant& variant) {
  SystemOptions options = OptionsFor(setup);
  if (variant.watchdog) options.watchdog_after = kWatchdogDefault;
  return options;
}

Outcome Play(const Setup& setup, const Variant& variant) {
  Finish finish;
  System system(OptionsWith(setup, variant));
  auto ping = system.Spawn<Player>(variant.spawn, "ping", &variant, &system, &finish).value();
  auto pong = system.Spawn<Player>(variant.spawn, "pong", &variant, &system, &finish).value();
  ping.Tell(Meet{pong});
  pong.Tell(Meet{ping});
  if (variant.begin != nullptr) variant.begin(system, ping);
  system.WaitUntilQuiet();

  finish.Expect(1);
  Stopwatch watch;
  ping.Tell(Ball{setup.size});
  finish.Wait();
  Outcome outcome{.messages = setup.size, .took = watch.Stop()};
  if (variant.end != nullptr) variant.end();
  return outcome;
}

// Reads the metrics of another system a hundred times a second.
struct ReaderApi : Protocol<void(Wake)> {};
struct Reader : Actor<ReaderApi> {
  explicit Reader(System* read) : read_(read) {}
  void OnStart() { Every(milliseconds(10), Wake{}); }
  void On(const Wake&) { seen_ += read_->Metrics().ToPrometheus().size(); }
  System* read_;
  size_t seen_ = 0;
};

struct WatcherApi : Protocol<void(Wake)> {};
struct Watcher : Actor<WatcherApi> {
  explicit Watcher(Ref<PlayerApi> watched) : watched_(std::move(watched)) {}
  void OnStart(Context& context) { context.Watch(*this, watched_).IgnoreError(); }
  void On(const Wake&) {}
  void On(const Terminated&) {}
  Ref<PlayerApi> watched_;
};

struct Query {
  int64_t value;
};
struct EchoApi : Protocol<int64_t(Query)> {};
struct Echo : Actor<EchoApi> {
  int64_t On(const Query& m) { return m.value + 1; }
};

struct AskOften {
  int64_t count;
};
struct AskerApi : Protocol<int64_t(AskOften)> {};
struct Asker : Actor<AskerApi> {
  explicit Asker(Ref<EchoApi> echo) : echo_(std::move(echo)) {}
  int64_t On(const AskOften& m) {
    int64_t right = 0;
    for (int64_t i = 0; i < m.count; ++i) {
      right += echo_.Ask(Query{i}, minutes(1)).value_or(0) == i + 1 ? 1 : 0;
    }
    return right;
  }
  Ref<EchoApi> echo_;
};
// Waits for the asker behind it.
struct Relay : Actor<AskerApi> {
  explicit Relay(Ref<AskerApi> next) : next_(std::move(next)) {}
  StatusOr<int64_t> On(const AskOften& m) { return next_.Ask(m, minutes(1)); }
  Ref<AskerApi> next_;
};

Outcome AskWith(const Setup& setup, const SpawnOptions& spawn, int relays) {
  System system(OptionsFor(setup));
  auto echo = system.Spawn<Echo>("echo").value();
  auto first = system.Spawn<Asker>(spawn, "asker", echo).value();
  for (int i = 0; i < relays; ++i) {
    first = system.Spawn<Relay>("relay-" + std::to_string(i), first).value();
  }
  Stopwatch watch;
  const int64_t right = first.Ask(AskOften{setup.size}, minutes(1)).value_or(0);
  Outcome outcome{.messages = setup.size, .took = watch.Stop()};
  outcome.Check("right answers", static_cast<double>(right), static_cast<double>(setup.size));
  return outcome;
}

}  // namespace

Outcome FeaturesTell(const Setup& setup) { return Play(setup, {}); }
Outcome FeaturesTellPassivation(const Setup& setup) {
  return Play(setup, {.spawn = {.passivate_after = minutes(1)}});
}
Outcome FeaturesTellPassivationSoon(const Setup& setup) {
  return Play(setup, {.spawn = {.passivate_after = milliseconds(100)}});
}
Outcome FeaturesTellStash(const Setup& setup) {
  return Play(setup, {.spawn = {.stash_capacity = 100}});
}
Outcome FeaturesTellReentrant(const Setup& setup) {
  return Play(setup, {.spawn = {.reentrancy = Reentrancy::kAllowAll}});
}
Outcome FeaturesTellWatchdog(const Setup& setup) { return Play(setup, {.watchdog = true}); }
Outcome FeaturesTellTimer(const Setup& setup) { return Play(setup, {.timer = true}); }
Outcome FeaturesTellWatched(const Setup& setup) {
  return Play(setup, {.begin = [](System& system, const Ref<PlayerApi>& player) {
                system.Spawn<Watcher>("watcher", player).value();
              }});
}
Outcome FeaturesTellEvents(const Setup& setup) {
  std::optional<EventQueue<ActorStopped>> stops;
  return Play(setup, {.begin = [&](System& system, const Ref<PlayerApi>&) {
                stops.emplace(system.events().Subscribe<ActorStopped>().value());
              }});
}
Outcome FeaturesTellMetrics(const Setup& setup) {
  System outside(OptionsFor({.workers = 1}));
  const auto begin = [&](System& system, const Ref<PlayerApi>&) {
    outside.Spawn<Reader>("reader", &system).value();
  };
  return Play(setup, {.begin = begin, .end = [&] { outside.Stop(); }});
}
Outcome FeaturesTellByName(const Setup& setup) { return Play(setup, {.by_name = true}); }
Outcome FeaturesTellPrinted(const Setup& setup) { return Play(setup, {.printed = true}); }

Outcome FeaturesAsk(const Setup& setup) { return AskWith(setup, {}, 0); }
Outcome FeaturesAskReentrant(const Setup& setup) {
  return AskWith(setup, {.reentrancy = Reentrancy::kAllowAll}, 0);
}
Outcome FeaturesAskCounted(const Setup& setup) {
  return AskWith(setup, {.asks_in_flight_max = 16}, 0);
}
Outcome FeaturesAskChain(const Setup& setup) { return AskWith(setup, {}, 8); }

}  // namespace quern::bench
