// CAF's whole workloads: the shapes and sizes of Quern's, function-based actors, its own defaults.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "compat.h"
#include "quern/bench/ask_load.h"
#include "quern/bench/finish.h"
#include "quern/bench/latencies.h"
#include "quern/bench/process.h"
#include "quern/bench/workload.h"

namespace {

using caf::actor;
using caf::behavior;
using caf::event_based_actor;
using quern::bench::AskLoad;
using quern::bench::Finish;
using quern::bench::Latencies;
using quern::bench::Nanoseconds;
using quern::bench::Outcome;
using quern::bench::ResidentBytes;
using quern::bench::Setup;
using quern::bench::Stopwatch;
using Count = std::atomic<int64_t>;

struct System {
  explicit System(const Setup& setup) : config(MakeConfig(setup)), system(*config) {}
  static std::unique_ptr<caf::actor_system_config> MakeConfig(const Setup& setup) {
    auto config = std::make_unique<caf::actor_system_config>();
    Configure(*config, static_cast<size_t>(setup.workers));
    return config;
  }
  std::unique_ptr<caf::actor_system_config> config;
  caf::actor_system system;
};

// Ends it, and waits until it has ended: what it counts is complete then.
void End(caf::scoped_actor& self, const std::vector<actor>& actors) {
  for (const actor& one : actors) self->send_exit(one, caf::exit_reason::user_shutdown);
  for (const actor& one : actors) self->wait_for(one);
}

// Its idiom for a reply is the value that a handler returns.
behavior Pong(event_based_actor*, Count* handled) {
  return {[=](int64_t left) {
    handled->fetch_add(1, std::memory_order_relaxed);
    return left - 1;
  }};
}
behavior Ping(event_based_actor* self, actor pong, Count* handled, Finish* finish) {
  return {[=](int64_t left) {
    handled->fetch_add(1, std::memory_order_relaxed);
    if (left <= 1) return finish->One();
    Send(self, pong, left - 1);
  }};
}

Outcome Pairs(const Setup& setup, int64_t pairs) {
  struct alignas(128) Line {
    Count handled{0};
  };
  std::vector<Line> handled(static_cast<size_t>(2 * pairs));
  const int64_t each = std::max<int64_t>(1, setup.size | 1);  // odd: the last is Ping's
  System system(setup);
  caf::scoped_actor self{system.system};
  Finish finish;
  std::vector<actor> all;
  std::vector<actor> pings;
  for (int64_t i = 0; i < pairs; ++i) {
    auto pong = self->spawn(Pong, &handled[static_cast<size_t>(2 * i)].handled);
    pings.push_back(
        self->spawn(Ping, pong, &handled[static_cast<size_t>(2 * i + 1)].handled, &finish));
    all.insert(all.end(), {pong, pings.back()});
  }
  finish.Expect(pairs);
  Stopwatch watch;
  for (const actor& ping : pings) Send(self.ptr(), ping, each);
  finish.Wait();
  Outcome outcome{.messages = pairs * each, .took = watch.Stop()};
  End(self, all);
  int64_t sum = 0;
  for (const Line& line : handled) sum += line.handled;
  outcome.Check("messages handled", static_cast<double>(sum),
                static_cast<double>(outcome.messages));
  return outcome;
}

Outcome PingPong(const Setup& setup) { return Pairs(setup, 1); }
Outcome PingPong1000(const Setup& setup) { return Pairs(setup, 1000); }

struct SinkState {
  int64_t left = 0;
  int64_t sum = 0;
};
behavior Sink(event_based_actor*, SinkState* state, Finish* finish) {
  return {[=](int64_t value) {
    state->sum += value;
    if (--state->left == 0) finish->One();
  }};
}
behavior Producer(event_based_actor* self, actor sink) {
  return {[=](int64_t count) {
    for (int64_t i = 1; i <= count; ++i) Send(self, sink, i);
  }};
}

Outcome FanIn(const Setup& setup, int64_t producers) {
  const int64_t each = std::max<int64_t>(1, setup.size / producers);
  System system(setup);
  caf::scoped_actor self{system.system};
  Finish finish;
  SinkState state{.left = producers * each};
  std::vector<actor> all = {self->spawn(Sink, &state, &finish)};
  for (int64_t i = 0; i < producers; ++i) all.push_back(self->spawn(Producer, all.front()));
  finish.Expect(1);
  Stopwatch watch;
  for (size_t i = 1; i < all.size(); ++i) Send(self.ptr(), all[i], each);
  finish.Wait();
  Outcome outcome{.messages = producers * each, .took = watch.Stop()};
  End(self, all);
  outcome.Check("sum received", static_cast<double>(state.sum),
                static_cast<double>(producers * each * (each + 1) / 2));
  return outcome;
}

Outcome FanIn1(const Setup& setup) { return FanIn(setup, 1); }
Outcome FanIn8(const Setup& setup) { return FanIn(setup, 8); }

behavior Member(event_based_actor* self, const std::vector<actor>* ring, size_t index,
                int64_t* hops, Finish* finish) {
  return {[=, next = actor()](int64_t left) mutable {
    ++*hops;  // there is one token
    if (left == 1) return finish->One();
    if (!next) next = (*ring)[(index + 1) % ring->size()];
    Send(self, next, left - 1);
  }};
}

Outcome ThreadRing(const Setup& setup) {
  System system(setup);
  caf::scoped_actor self{system.system};
  Finish finish;
  int64_t hops = 0;
  std::vector<actor> ring;
  for (size_t i = 0; i < 1000; ++i) ring.push_back(self->spawn(Member, &ring, i, &hops, &finish));
  finish.Expect(1);
  Stopwatch watch;
  Send(self.ptr(), ring.front(), setup.size);
  finish.Wait();
  Outcome outcome{.messages = setup.size, .took = watch.Stop()};
  End(self, ring);
  outcome.Check("hops", static_cast<double>(hops), static_cast<double>(setup.size));
  return outcome;
}

struct BigState {
  std::vector<actor> all;
  Count handled{0};
  Finish finish;
};
// A ping is an int32_t, who sent it; a pong an int64_t.
behavior BigMember(event_based_actor* self, BigState* big, int32_t index, int64_t pings) {
  return {[=](int32_t from) {
            big->handled.fetch_add(1, std::memory_order_relaxed);
            Send(self, big->all[static_cast<size_t>(from)], int64_t{0});
          },
          [=, left = pings, random = uint64_t(index) * 2654435761 + 1](int64_t) mutable {
            big->handled.fetch_add(1, std::memory_order_relaxed);
            if (left-- == 0) return big->finish.One();
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            Send(self, big->all[(random >> 11) % big->all.size()], index);
          }};
}

Outcome Big(const Setup& setup) {
  constexpr int64_t kActors = 120;
  System system(setup);
  caf::scoped_actor self{system.system};
  BigState big;
  for (int32_t i = 0; i < kActors; ++i) {
    big.all.push_back(self->spawn(BigMember, &big, i, setup.size));
  }
  big.finish.Expect(kActors);
  Stopwatch watch;
  for (const actor& one : big.all) Send(self.ptr(), one, int64_t{0});
  big.finish.Wait();
  Outcome outcome{.messages = 2 * setup.size * kActors, .took = watch.Stop()};
  End(self, big.all);
  outcome.Check("messages handled", static_cast<double>(big.handled.load()),
                static_cast<double>(outcome.messages + kActors));
  return outcome;
}

behavior Dayfly(event_based_actor* self, Count* sum, Finish* finish) {
  return {[=](int64_t value) {
    sum->fetch_add(value, std::memory_order_relaxed);
    finish->One();
    self->quit();
  }};
}
behavior Maker(event_based_actor* self, Count* sum, Finish* finish) {
  return {[=](int64_t actors) {
    for (int64_t i = 1; i <= actors; ++i) Send(self, self->spawn(Dayfly, sum, finish), i);
    self->quit();
  }};
}

Outcome Create(const Setup& setup) {
  Count sum{0};
  Finish finish;
  System system(setup);
  caf::scoped_actor self{system.system};
  auto maker = self->spawn(Maker, &sum, &finish);
  finish.Expect(setup.size);
  Stopwatch watch;
  Send(self.ptr(), maker, setup.size);
  finish.Wait();
  Outcome outcome{.messages = setup.size, .took = watch.Stop()};
  outcome.Check("sum received", static_cast<double>(sum.load()),
                static_cast<double>(setup.size * (setup.size + 1) / 2));
  return outcome;
}

behavior Node(event_based_actor* self, actor parent, int64_t first, int64_t leaves) {
  if (leaves == 1) {
    Send(self, parent, first);
    return {};
  }
  const int64_t each = leaves / 10;
  for (int64_t i = 0; i < 10; ++i) {
    self->spawn(Node, caf::actor_cast<actor>(self), first + i * each, each);
  }
  return {[=, sum = int64_t{0}, answers = 0](int64_t value) mutable {
    sum += value;
    if (++answers < 10) return;
    Send(self, parent, sum);
    self->quit();
  }};
}
behavior Top(event_based_actor* self, int64_t* sum, Finish* finish) {
  return {[=](int64_t value) {
    *sum = value;
    finish->One();
    self->quit();
  }};
}

Outcome Skynet(const Setup& setup) {
  int64_t leaves = 10;
  while (leaves * 10 <= setup.size) leaves *= 10;
  int64_t sum = 0;
  Finish finish;
  System system(setup);
  auto top = system.system.spawn(Top, &sum, &finish);
  finish.Expect(1);
  Stopwatch watch;
  system.system.spawn(Node, top, int64_t{0}, leaves);
  finish.Wait();
  Outcome outcome{.messages = leaves, .took = watch.Stop()};
  outcome.Check("sum of leaves", static_cast<double>(sum),
                static_cast<double>(leaves * (leaves - 1) / 2));
  return outcome;
}

behavior Idle(event_based_actor*, Finish* finish) {
  finish->One();
  return {[](int64_t) {}};
}
behavior House(event_based_actor* self, Finish* finish) {
  return {[=](int64_t actors) {
    for (int64_t i = 0; i < actors; ++i) self->spawn(Idle, finish);
  }};
}

Outcome IdleActors(const Setup& setup) {
  constexpr int64_t kWarm = 1000;
  Finish finish;
  System system(setup);
  caf::scoped_actor self{system.system};
  auto house = self->spawn(House, &finish);
  const auto fill = [&](int64_t actors) {
    finish.Expect(actors);
    Send(self.ptr(), house, actors);
    finish.Wait();
  };
  fill(kWarm);
  const int64_t before = ResidentBytes();
  Stopwatch watch;
  fill(setup.size);
  Outcome outcome{.messages = setup.size, .took = watch.Stop()};
  outcome.figures = {{"bytes_each", static_cast<double>(ResidentBytes() - before) /
                                        static_cast<double>(setup.size)}};
  return outcome;
}

behavior Echo(event_based_actor*) {
  return {[](int64_t value) { return value + 1; }};
}

Outcome Answered(Latencies& latencies, int64_t right, const Setup& setup, quern::bench::Took took) {
  Outcome outcome{.messages = setup.size, .took = took};
  outcome.figures = {{"p50_ns", latencies.Quantile(0.5)},
                     {"p99_ns", latencies.Quantile(0.99)},
                     {"p999_ns", latencies.Quantile(0.999)}};
  outcome.Check("right answers", static_cast<double>(right), static_cast<double>(setup.size));
  return outcome;
}

struct Asking {
  event_based_actor* self;
  actor echo;
  Latencies* latencies;
  Finish* finish;
  int64_t left = 0;
  int64_t right = 0;

  void Next() {
    if (left-- == 0) return finish->One();
    const int64_t before = Nanoseconds();
    Request(self, echo, left).then([this, before](int64_t answer) {
      latencies->Add(Nanoseconds() - before);
      right += answer == left + 1 ? 1 : 0;
      Next();
    });
  }
};
behavior Asker(event_based_actor* self, Asking* asking) {
  asking->self = self;
  return {[=](int64_t asks) {
    asking->left = asks;
    asking->Next();
  }};
}

Outcome Ask(const Setup& setup) {
  Latencies latencies(setup.size);
  Finish finish;
  System system(setup);
  caf::scoped_actor self{system.system};
  auto echo = self->spawn(Echo);
  Asking asking{.self = nullptr, .echo = echo, .latencies = &latencies, .finish = &finish};
  auto asker = self->spawn(Asker, &asking);
  finish.Expect(1);
  Stopwatch watch;
  Send(self.ptr(), asker, setup.size);
  finish.Wait();
  const auto took = watch.Stop();
  End(self, {asker, echo});
  asking.echo = nullptr;
  return Answered(latencies, asking.right, setup, took);
}

Outcome AskThread(const Setup& setup) {
  Latencies latencies(setup.size);
  System system(setup);
  caf::scoped_actor self{system.system};
  auto echo = self->spawn(Echo);
  int64_t right = 0;
  Stopwatch watch;
  for (int64_t i = 0; i < setup.size; ++i) {
    const int64_t before = Nanoseconds();
    Request(self.ptr(), echo, i)
        .receive([&](int64_t answer) { right += answer == i + 1 ? 1 : 0; },
                 [](const caf::error&) {});
    latencies.Add(Nanoseconds() - before);
  }
  const auto took = watch.Stop();
  End(self, {echo});
  return Answered(latencies, right, setup, took);
}

behavior LoadAsker(event_based_actor* self, int number, actor echo, AskLoad* load) {
  return {[=](int64_t scheduled) {
    Request(self, echo, int64_t{1}).then([=](int64_t) { load->Answered(number, scheduled); });
  }};
}

behavior LoadPump(event_based_actor* self, const std::vector<actor>* askers, AskLoad* load,
                  Finish* finish) {
  return {[=](int64_t) {
    const bool more = load->Pump([=](int asker, int64_t scheduled) {
      Send(self, (*askers)[static_cast<size_t>(asker)], scheduled);
    });
    if (!more) return finish->One();
    Send(self, caf::actor_cast<actor>(self), int64_t{0});
  }};
}

Outcome AskAt(const Setup& setup, double share) {
  AskLoad load(setup, share);
  Finish finish;
  System system(setup);
  caf::scoped_actor self{system.system};
  std::vector<actor> all;
  std::vector<actor> askers;
  for (int i = 0; i < AskLoad::kAskers; ++i) {
    all.push_back(self->spawn(Echo));
    askers.push_back(self->spawn(LoadAsker, i, all.back(), &load));
  }
  all.insert(all.end(), askers.begin(), askers.end());
  all.push_back(self->spawn<caf::detached>(LoadPump, &askers, &load, &finish));
  finish.Expect(1);
  Send(self.ptr(), all.back(), int64_t{0});
  finish.Wait();
  End(self, all);
  return load.Result();
}

Outcome AskLoad10(const Setup& setup) { return AskAt(setup, 0.1); }
Outcome AskLoad50(const Setup& setup) { return AskAt(setup, 0.5); }
Outcome AskLoad80(const Setup& setup) { return AskAt(setup, 0.8); }

}  // namespace

int main(int argc, char** argv) {
#if CAF_VERSION >= 10000
  caf::core::init_global_meta_objects();
#endif
  return quern::bench::RunProgram(argc, argv, "caf",
                                  {
                                      {"ping-pong", 5'000'000, &PingPong},
                                      {"ping-pong-1000", 5'000, &PingPong1000},
                                      {"fan-in-1", 4'000'000, &FanIn1},
                                      {"fan-in-8", 4'000'000, &FanIn8},
                                      {"thread-ring", 5'000'000, &ThreadRing},
                                      {"big", 20'000, &Big},
                                      {"create", 1'000'000, &Create},
                                      {"skynet", 1'000'000, &Skynet},
                                      {"idle-actors", 1'000'000, &IdleActors, /*warm_up=*/false},
                                      {"ask", 1'000'000, &Ask},
                                      {"ask-thread", 50'000, &AskThread},
                                      {"ask-load-10", 1'000, &AskLoad10},
                                      {"ask-load-50", 1'000, &AskLoad50},
                                      {"ask-load-80", 1'000, &AskLoad80},
                                  });
}
