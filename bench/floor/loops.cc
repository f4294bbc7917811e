// The workloads of the bare loop: the same shapes as the actor systems run, placed by hand.

#include <cstdint>
#include <memory>
#include <vector>

#include "floor.h"
#include "loop.h"
#include "quern/bench/finish.h"

namespace quern::bench {
namespace {

// Counts, and hands the ball on until it has been handled often enough.
template <typename Mailbox>
class Player : public Loop<Mailbox>::Actor {
 public:
  Player(Loop<Mailbox>* home, Finish* finish) : Loop<Mailbox>::Actor(home), finish_(finish) {}
  void Follow(Player* next) { next_ = next; }
  void Handle(int64_t left, Loop<Mailbox>& loop) override {
    ++handled_;
    if (left == 1) return finish_->One();
    loop.Send(next_, left - 1);
  }
  int64_t handled() const { return handled_; }

 private:
  Player* next_ = nullptr;
  Finish* finish_;
  int64_t handled_ = 0;
};

// `rings` rings of `length`; with two threads, a ring is on one of them or alternates.
template <typename Mailbox>
Outcome Rings(int64_t rings, int64_t length, int threads, bool split, int64_t messages_each) {
  Machine<Mailbox> machine(threads);
  Finish finish;
  std::vector<std::unique_ptr<Player<Mailbox>>> players;
  for (int64_t i = 0; i < rings * length; ++i) {
    auto* home = &machine.loop(static_cast<size_t>(split ? i : i / length));
    players.push_back(std::make_unique<Player<Mailbox>>(home, &finish));
  }
  for (int64_t i = 0; i < rings * length; ++i) {
    const int64_t next = i % length == length - 1 ? i + 1 - length : i + 1;
    players[i]->Follow(players[next].get());
  }
  for (int64_t ring = 0; ring < rings; ++ring) {
    machine.loop(static_cast<size_t>(split ? 0 : ring))
        .Send(players[ring * length].get(), messages_each);
  }

  finish.Expect(rings);
  Stopwatch watch;
  machine.Start();
  finish.Wait();
  Outcome outcome{.messages = rings * messages_each, .took = watch.Stop()};
  machine.Stop();
  int64_t handled = 0;
  for (const auto& player : players) handled += player->handled();
  outcome.Check("messages handled", static_cast<double>(handled),
                static_cast<double>(outcome.messages));
  return outcome;
}

template <typename Mailbox>
class Sink : public Loop<Mailbox>::Actor {
 public:
  Sink(Loop<Mailbox>* home, int64_t expected, Finish* finish)
      : Loop<Mailbox>::Actor(home), left_(expected), finish_(finish) {}
  void Handle(int64_t value, Loop<Mailbox>&) override {
    sum_ += value;
    if (--left_ == 0) finish_->One();
  }
  int64_t sum() const { return sum_; }

 private:
  int64_t left_;
  Finish* finish_;
  int64_t sum_ = 0;
};

template <typename Mailbox>
class Producer : public Loop<Mailbox>::Actor {
 public:
  Producer(Loop<Mailbox>* home, Sink<Mailbox>* sink) : Loop<Mailbox>::Actor(home), sink_(sink) {}
  void Handle(int64_t count, Loop<Mailbox>& loop) override {
    for (int64_t i = 1; i <= count; ++i) loop.Send(sink_, i);
  }

 private:
  Sink<Mailbox>* sink_;
};

// The sink is on the last thread, producers from the first one on.
template <typename Mailbox>
Outcome FanIn(int64_t producers, int threads, int64_t size) {
  const int64_t each = std::max<int64_t>(1, size / producers);
  Machine<Mailbox> machine(threads);
  Finish finish;
  Sink<Mailbox> sink(&machine.loop(static_cast<size_t>(threads - 1)), producers * each, &finish);
  std::vector<std::unique_ptr<Producer<Mailbox>>> sources;
  for (int64_t i = 0; i < producers; ++i) {
    auto& home = machine.loop(static_cast<size_t>(i));
    sources.push_back(std::make_unique<Producer<Mailbox>>(&home, &sink));
    home.Send(sources.back().get(), each);
  }

  finish.Expect(1);
  Stopwatch watch;
  machine.Start();
  finish.Wait();
  Outcome outcome{.messages = producers * each, .took = watch.Stop()};
  machine.Stop();
  outcome.Check("sum received", static_cast<double>(sink.sum()),
                static_cast<double>(producers * each * (each + 1) / 2));
  return outcome;
}

template <typename M>
Outcome Pair(const Setup& setup) {
  return Rings<M>(1, 2, 1, false, setup.size);
}
template <typename M>
Outcome PairSplit(const Setup& setup) {
  return Rings<M>(1, 2, 2, true, setup.size);
}
template <typename M>
Outcome PairsOneThread(const Setup& setup) {
  return Rings<M>(1000, 2, 1, false, setup.size);
}
template <typename M>
Outcome Pairs(const Setup& setup) {
  return Rings<M>(1000, 2, 2, false, setup.size);
}
template <typename M>
Outcome PairsSplit(const Setup& setup) {
  return Rings<M>(1000, 2, 2, true, setup.size);
}
template <typename M>
Outcome Ring(const Setup& setup) {
  return Rings<M>(1, 1000, 1, false, setup.size);
}
template <typename M>
Outcome FanIn1OneThread(const Setup& setup) {
  return FanIn<M>(1, 1, setup.size);
}
template <typename M>
Outcome FanIn1Split(const Setup& setup) {
  return FanIn<M>(1, 2, setup.size);
}
template <typename M>
Outcome FanIn8(const Setup& setup) {
  return FanIn<M>(8, 2, setup.size);
}

}  // namespace

std::vector<Workload> LoopWorkloads() {
  using T = TaggedMailbox;
  using F = FlaggedMailbox;
  return {
      {"loop-pair", 10'000'000, &Pair<T>},
      {"loop-pair-split", 2'000'000, &PairSplit<T>},
      {"loop-pairs-one-thread", 20'000, &PairsOneThread<T>},
      {"loop-pairs", 20'000, &Pairs<T>},
      {"loop-pairs-split", 5'000, &PairsSplit<T>},
      {"loop-ring", 10'000'000, &Ring<T>},
      {"loop-fan-in-1-one-thread", 4'000'000, &FanIn1OneThread<T>},
      {"loop-fan-in-1", 4'000'000, &FanIn1Split<T>},
      {"loop-fan-in-8", 4'000'000, &FanIn8<T>},
      {"loop-pair-flagged", 10'000'000, &Pair<F>},
      {"loop-pair-split-flagged", 2'000'000, &PairSplit<F>},
      {"loop-pairs-one-thread-flagged", 20'000, &PairsOneThread<F>},
      {"loop-pairs-flagged", 20'000, &Pairs<F>},
      {"loop-pairs-split-flagged", 5'000, &PairsSplit<F>},
      {"loop-ring-flagged", 10'000'000, &Ring<F>},
      {"loop-fan-in-1-one-thread-flagged", 4'000'000, &FanIn1OneThread<F>},
      {"loop-fan-in-1-flagged", 4'000'000, &FanIn1Split<F>},
      {"loop-fan-in-8-flagged", 4'000'000, &FanIn8<F>},
  };
}

}  // namespace quern::bench
