// How long a message waits for its turn while pairs that never stop throw balls on every worker.
// The messages come from a system of its own, a thousand a second.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/bench/histogram.h"
#include "quern/quern.h"
#include "workloads.h"

namespace quern::bench {
namespace {

constexpr int kPairs = 64;

struct Meet;
struct Ball {};
struct PlayerApi : Protocol<void(Meet), void(Ball)> {};
struct Meet {
  Ref<PlayerApi> peer;
};
struct Player : Actor<PlayerApi> {
  explicit Player(const std::atomic<bool>* over) : over_(over) {}
  void On(const Meet& m) { peer_ = m.peer; }
  void On(const Ball&) {
    if (!over_->load(std::memory_order_relaxed)) peer_.Tell(Ball{});
  }
  const std::atomic<bool>* over_;
  Ref<PlayerApi> peer_;
};

struct Stamp {
  int64_t sent;
};
struct ProbeApi : Protocol<void(Stamp)> {};
struct Probe : Actor<ProbeApi> {
  Probe(Histogram* waits, Finish* finish) : waits_(waits), finish_(finish) {}
  void On(const Stamp& m) {
    waits_->Add(Nanoseconds() - m.sent);
    finish_->One();
  }
  Histogram* waits_;
  Finish* finish_;
};

struct Tick {};
struct SenderApi : Protocol<void(Tick)> {};
struct Sender : Actor<SenderApi> {
  Sender(Ref<ProbeApi> probe, int64_t count) : probe_(std::move(probe)), left_(count) {}
  void OnStart() { Every(std::chrono::milliseconds(1), Tick{}); }
  void On(const Tick&) {
    if (left_-- > 0) probe_.Tell(Stamp{Nanoseconds()});
  }
  Ref<ProbeApi> probe_;
  int64_t left_;
};

}  // namespace

Outcome Fairness(const Setup& setup) {
  std::atomic<bool> over{false};
  Histogram waits;
  Finish finish;
  System system(OptionsFor(setup));
  for (int i = 0; i < kPairs; ++i) {
    auto ping = system.Spawn<Player>("ping-" + std::to_string(i), &over).value();
    auto pong = system.Spawn<Player>("pong-" + std::to_string(i), &over).value();
    ping.Tell(Meet{pong});
    pong.Tell(Meet{ping});
    ping.Tell(Ball{});
  }
  auto probe = system.Spawn<Probe>("probe", &waits, &finish).value();
  System outside(OptionsFor({.workers = 1}));

  finish.Expect(setup.size);
  Stopwatch watch;
  outside.Spawn<Sender>("sender", probe, setup.size).value();
  finish.Wait();
  Outcome outcome{.messages = setup.size, .took = watch.Stop()};
  over.store(true);
  outside.Stop();
  system.Stop();
  outcome.figures = {{"p50_ms", waits.Quantile(0.5) * 1e-6},
                     {"p999_ms", waits.Quantile(0.999) * 1e-6},
                     {"max_ms", waits.max() * 1e-6}};
  outcome.Check("waits", static_cast<double>(waits.count()), static_cast<double>(setup.size));
  return outcome;
}

}  // namespace quern::bench
