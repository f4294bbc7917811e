// SObjectizer's whole workloads: the shapes and sizes of Quern's, on its thread pool with a queue
// an agent; messages, not signals.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <so_5/all.hpp>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/bench/latencies.h"
#include "quern/bench/process.h"
#include "quern/bench/workload.h"

namespace {

using quern::bench::Finish;
using quern::bench::Latencies;
using quern::bench::Nanoseconds;
using quern::bench::Outcome;
using quern::bench::ResidentBytes;
using quern::bench::Setup;
using quern::bench::Stopwatch;
using quern::bench::Took;
using Count = std::atomic<int64_t>;

struct Number {
  int64_t value;
};
struct Ping {
  so_5::mbox_t from;
};
struct Pong {
  int64_t value;
};
struct Query {
  int64_t value;
  so_5::mbox_t from;
};
struct Answer {
  int64_t value;
};

class System {
 public:
  explicit System(const Setup& setup)
      : disp_(so_5::disp::thread_pool::make_dispatcher(env_.environment(),
                                                       static_cast<size_t>(setup.workers))) {}
  ~System() { env_.stop_then_join(); }

  so_5::environment_t& env() { return env_.environment(); }
  so_5::disp_binder_shptr_t binder() const {
    return disp_.binder(
        so_5::disp::thread_pool::bind_params_t{}.fifo(so_5::disp::thread_pool::fifo_t::individual));
  }
  // Each in a cooperation of its own.
  template <typename Agent, typename... Args>
  Agent* Spawn(Args&&... args) {
    return env().introduce_coop(binder(), [&](so_5::coop_t& coop) {
      return coop.make_agent<Agent>(std::forward<Args>(args)...);
    });
  }

 private:
  so_5::wrapped_env_t env_;
  so_5::disp::thread_pool::dispatcher_handle_t disp_;
};

class Player final : public so_5::agent_t {
 public:
  Player(context_t context, Finish* finish) : agent_t(std::move(context)), finish_(finish) {
    so_subscribe_self().event([this](const Number& m) {
      handled_.store(handled_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
      if (m.value == 1) return finish_->One();
      so_5::send<Number>(next_, Number{m.value - 1});
    });
  }
  void Follow(const so_5::mbox_t& next) { next_ = next; }  // before the first message
  int64_t handled() const { return handled_.load(std::memory_order_acquire); }

 private:
  Finish* finish_;
  so_5::mbox_t next_;
  Count handled_{0};
};

Outcome Rings(const Setup& setup, int64_t count, int64_t length) {
  Finish finish;
  System system(setup);
  std::vector<Player*> players;
  for (int64_t i = 0; i < count * length; ++i) players.push_back(system.Spawn<Player>(&finish));
  for (int64_t i = 0; i < count * length; ++i) {
    const int64_t next = i % length == length - 1 ? i + 1 - length : i + 1;
    players[static_cast<size_t>(i)]->Follow(players[static_cast<size_t>(next)]->so_direct_mbox());
  }
  finish.Expect(count);
  Stopwatch watch;
  for (int64_t i = 0; i < count; ++i) {
    so_5::send<Number>(players[static_cast<size_t>(i * length)]->so_direct_mbox(),
                       Number{setup.size});
  }
  finish.Wait();
  Outcome outcome{.messages = count * setup.size, .took = watch.Stop()};
  int64_t handled = 0;
  for (const Player* player : players) handled += player->handled();
  outcome.Check("messages handled", static_cast<double>(handled),
                static_cast<double>(outcome.messages));
  return outcome;
}

Outcome PingPong(const Setup& setup) { return Rings(setup, 1, 2); }
Outcome PingPong1000(const Setup& setup) { return Rings(setup, 1000, 2); }
Outcome ThreadRing(const Setup& setup) { return Rings(setup, 1, 1000); }

class Sink final : public so_5::agent_t {
 public:
  Sink(context_t context, int64_t expected, int64_t* sum, Finish* finish)
      : agent_t(std::move(context)), left_(expected), sum_(sum), finish_(finish) {
    so_subscribe_self().event([this](const Number& m) {
      *sum_ += m.value;
      if (--left_ == 0) finish_->One();
    });
  }

 private:
  int64_t left_;
  int64_t* sum_;
  Finish* finish_;
};

class Producer final : public so_5::agent_t {
 public:
  Producer(context_t context, so_5::mbox_t sink)
      : agent_t(std::move(context)), sink_(std::move(sink)) {
    so_subscribe_self().event([this](const Number& m) {
      for (int64_t i = 1; i <= m.value; ++i) so_5::send<Number>(sink_, Number{i});
    });
  }

 private:
  so_5::mbox_t sink_;
};

Outcome FanIn(const Setup& setup, int64_t producers) {
  const int64_t each = std::max<int64_t>(1, setup.size / producers);
  int64_t sum = 0;
  Finish finish;
  System system(setup);
  const auto sink = system.Spawn<Sink>(producers * each, &sum, &finish)->so_direct_mbox();
  std::vector<so_5::mbox_t> sources;
  for (int64_t i = 0; i < producers; ++i) {
    sources.push_back(system.Spawn<Producer>(sink)->so_direct_mbox());
  }
  finish.Expect(1);
  Stopwatch watch;
  for (const auto& source : sources) so_5::send<Number>(source, Number{each});
  finish.Wait();
  Outcome outcome{.messages = producers * each, .took = watch.Stop()};
  outcome.Check("sum received", static_cast<double>(sum),
                static_cast<double>(producers * each * (each + 1) / 2));
  return outcome;
}

Outcome FanIn1(const Setup& setup) { return FanIn(setup, 1); }
Outcome FanIn8(const Setup& setup) { return FanIn(setup, 8); }

class Member final : public so_5::agent_t {
 public:
  Member(context_t context, uint64_t seed, int64_t pings, const std::vector<so_5::mbox_t>* all,
         Count* handled, Finish* finish)
      : agent_t(std::move(context)),
        random_(seed * 2654435761 + 1),
        left_(pings),
        all_(all),
        handled_(handled),
        finish_(finish) {
    so_subscribe_self()
        .event([this](const Ping& m) {
          handled_->fetch_add(1, std::memory_order_relaxed);
          so_5::send<Pong>(m.from, Pong{0});
        })
        .event([this](const Pong&) {
          handled_->fetch_add(1, std::memory_order_relaxed);
          if (left_-- == 0) return finish_->One();
          random_ ^= random_ << 13;
          random_ ^= random_ >> 7;
          random_ ^= random_ << 17;
          so_5::send<Ping>((*all_)[(random_ >> 11) % all_->size()], Ping{so_direct_mbox()});
        });
  }

 private:
  uint64_t random_;
  int64_t left_;
  const std::vector<so_5::mbox_t>* all_;
  Count* handled_;
  Finish* finish_;
};

Outcome Big(const Setup& setup) {
  constexpr int64_t kActors = 120;
  Count handled{0};
  Finish finish;
  std::vector<so_5::mbox_t> all;
  System system(setup);
  for (int64_t i = 0; i < kActors; ++i) {
    all.push_back(
        system.Spawn<Member>(static_cast<uint64_t>(i), setup.size, &all, &handled, &finish)
            ->so_direct_mbox());
  }
  finish.Expect(kActors);
  Stopwatch watch;
  for (const auto& one : all) so_5::send<Pong>(one, Pong{0});
  finish.Wait();
  Outcome outcome{.messages = 2 * kActors * setup.size, .took = watch.Stop()};
  outcome.Check("messages handled", static_cast<double>(handled.load()),
                static_cast<double>(outcome.messages + kActors));
  return outcome;
}

class Dayfly final : public so_5::agent_t {
 public:
  Dayfly(context_t context, Count* sum, Finish* finish) : agent_t(std::move(context)) {
    so_subscribe_self().event([this, sum, finish](const Number& m) {
      sum->fetch_add(m.value, std::memory_order_relaxed);
      finish->One();
      so_deregister_agent_coop_normally();
    });
  }
};

class Maker final : public so_5::agent_t {
 public:
  Maker(context_t context, System* system, Count* sum, Finish* finish)
      : agent_t(std::move(context)) {
    so_subscribe_self().event([system, sum, finish](const Number& m) {
      for (int64_t i = 1; i <= m.value; ++i) {
        so_5::send<Number>(system->Spawn<Dayfly>(sum, finish)->so_direct_mbox(), Number{i});
      }
    });
  }
};

// The message is sent while its agent is surely there.
Outcome Create(const Setup& setup) {
  Count sum{0};
  Finish finish;
  System system(setup);
  const auto maker = system.Spawn<Maker>(&system, &sum, &finish)->so_direct_mbox();
  finish.Expect(setup.size);
  Stopwatch watch;
  so_5::send<Number>(maker, Number{setup.size});
  finish.Wait();
  Outcome outcome{.messages = setup.size, .took = watch.Stop()};
  outcome.Check("sum received", static_cast<double>(sum.load()),
                static_cast<double>(setup.size * (setup.size + 1) / 2));
  return outcome;
}

class Node final : public so_5::agent_t {
 public:
  Node(context_t context, System* system, so_5::mbox_t parent, int64_t first, int64_t leaves)
      : agent_t(std::move(context)),
        system_(system),
        parent_(std::move(parent)),
        first_(first),
        leaves_(leaves) {
    so_subscribe_self().event([this](const Number& m) {
      sum_ += m.value;
      if (++answers_ < 10) return;
      so_5::send<Number>(parent_, Number{sum_});
      so_deregister_agent_coop_normally();
    });
  }
  void so_evt_start() override {
    if (leaves_ == 1) {
      so_5::send<Number>(parent_, Number{first_});
      so_deregister_agent_coop_normally();
      return;
    }
    const int64_t each = leaves_ / 10;
    for (int64_t i = 0; i < 10; ++i) {
      system_->Spawn<Node>(system_, so_direct_mbox(), first_ + i * each, each);
    }
  }

 private:
  System* system_;
  so_5::mbox_t parent_;
  const int64_t first_;
  const int64_t leaves_;
  int64_t sum_ = 0;
  int answers_ = 0;
};

Outcome Skynet(const Setup& setup) {
  int64_t leaves = 10;
  while (leaves * 10 <= setup.size) leaves *= 10;
  int64_t sum = 0;
  Finish finish;
  System system(setup);
  const auto top = system.Spawn<Sink>(int64_t{1}, &sum, &finish)->so_direct_mbox();
  finish.Expect(1);
  Stopwatch watch;
  system.Spawn<Node>(&system, top, int64_t{0}, leaves);
  finish.Wait();
  Outcome outcome{.messages = leaves, .took = watch.Stop()};
  outcome.Check("sum of leaves", static_cast<double>(sum),
                static_cast<double>(leaves * (leaves - 1) / 2));
  return outcome;
}

class Idle final : public so_5::agent_t {
 public:
  Idle(context_t context, Finish* finish) : agent_t(std::move(context)), finish_(finish) {
    so_subscribe_self().event([](const Number&) {});
  }
  void so_evt_start() override { finish_->One(); }

 private:
  Finish* finish_;
};

Outcome IdleActors(const Setup& setup) {
  Finish finish;
  System system(setup);
  const auto fill = [&](int64_t actors) {
    finish.Expect(actors);
    for (int64_t i = 0; i < actors; ++i) system.Spawn<Idle>(&finish);
    finish.Wait();
  };
  fill(1000);
  const int64_t before = ResidentBytes();
  Stopwatch watch;
  fill(setup.size);
  Outcome outcome{.messages = setup.size, .took = watch.Stop()};
  outcome.figures = {{"bytes_each", static_cast<double>(ResidentBytes() - before) /
                                        static_cast<double>(setup.size)}};
  return outcome;
}

class Echo final : public so_5::agent_t {
 public:
  explicit Echo(context_t context) : agent_t(std::move(context)) {
    so_subscribe_self().event(
        [](const Query& m) { so_5::send<Answer>(m.from, Answer{m.value + 1}); });
  }
};

// It has no ask: the question carries where the answer goes.
class Asker final : public so_5::agent_t {
 public:
  Asker(context_t context, so_5::mbox_t echo, Latencies* latencies, int64_t* right, Finish* finish)
      : agent_t(std::move(context)),
        echo_(std::move(echo)),
        latencies_(latencies),
        right_(right),
        finish_(finish) {
    so_subscribe_self()
        .event([this](const Number& m) {
          left_ = m.value;
          Next();
        })
        .event([this](const Answer& m) {
          latencies_->Add(Nanoseconds() - before_);
          *right_ += m.value == left_ + 1 ? 1 : 0;
          Next();
        });
  }

 private:
  void Next() {
    if (left_-- == 0) return finish_->One();
    before_ = Nanoseconds();
    so_5::send<Query>(echo_, Query{left_, so_direct_mbox()});
  }

  so_5::mbox_t echo_;
  Latencies* latencies_;
  int64_t* right_;
  Finish* finish_;
  int64_t left_ = 0;
  int64_t before_ = 0;
};

Outcome Answered(Latencies& latencies, int64_t right, const Setup& setup, Took took) {
  Outcome outcome{.messages = setup.size, .took = took};
  outcome.figures = {{"p50_ns", latencies.Quantile(0.5)},
                     {"p99_ns", latencies.Quantile(0.99)},
                     {"p999_ns", latencies.Quantile(0.999)}};
  outcome.Check("right answers", static_cast<double>(right), static_cast<double>(setup.size));
  return outcome;
}

Outcome Ask(const Setup& setup) {
  Latencies latencies(setup.size);
  int64_t right = 0;
  Finish finish;
  System system(setup);
  const auto echo = system.Spawn<Echo>()->so_direct_mbox();
  const auto asker = system.Spawn<Asker>(echo, &latencies, &right, &finish)->so_direct_mbox();
  finish.Expect(1);
  Stopwatch watch;
  so_5::send<Number>(asker, Number{setup.size});
  finish.Wait();
  return Answered(latencies, right, setup, watch.Stop());
}

Outcome AskThread(const Setup& setup) {
  Latencies latencies(setup.size);
  int64_t right = 0;
  System system(setup);
  const auto echo = system.Spawn<Echo>()->so_direct_mbox();
  const auto channel = so_5::create_mchain(system.env());
  Stopwatch watch;
  for (int64_t i = 0; i < setup.size; ++i) {
    const int64_t before = Nanoseconds();
    so_5::send<Query>(echo, Query{i, channel->as_mbox()});
    so_5::receive(so_5::from(channel).handle_n(1),
                  [&](const Answer& m) { right += m.value == i + 1 ? 1 : 0; });
    latencies.Add(Nanoseconds() - before);
  }
  return Answered(latencies, right, setup, watch.Stop());
}

}  // namespace

int main(int argc, char** argv) {
  return quern::bench::RunProgram(argc, argv, "sobjectizer",
                                  {
                                      {"ping-pong", 2'000'000, &PingPong},
                                      {"ping-pong-1000", 2'000, &PingPong1000},
                                      {"fan-in-1", 4'000'000, &FanIn1},
                                      {"fan-in-8", 4'000'000, &FanIn8},
                                      {"thread-ring", 2'000'000, &ThreadRing},
                                      {"big", 10'000, &Big},
                                      {"create", 100'000, &Create},
                                      {"skynet", 100'000, &Skynet},
                                      {"idle-actors", 300'000, &IdleActors, /*warm_up=*/false},
                                      {"ask", 500'000, &Ask},
                                      {"ask-thread", 50'000, &AskThread},
                                  });
}
