// What the machine gives without any actors, in the same run: figures of the runtime are read
// beside these, for they differ by a factor of four from one machine to the next.

#include <benchmark/benchmark.h>

#include <atomic>
#include <boost/context/fiber.hpp>
#include <boost/fiber/fiber.hpp>
#include <boost/fiber/operations.hpp>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "suite.h"

namespace quern::bench {
namespace {

struct Node {
  std::atomic<Node*> next{nullptr};
  int64_t value = 0;
};

// Dmitry Vyukov's intrusive multi-producer single-consumer queue.
class Queue {
 public:
  Queue() : head_(&stub_), tail_(&stub_) {}

  void Push(Node* node) {
    node->next.store(nullptr, std::memory_order_relaxed);
    Node* previous = head_.exchange(node, std::memory_order_acq_rel);
    previous->next.store(node, std::memory_order_release);
  }

  Node* Pop() {
    Node* tail = tail_;
    Node* next = tail->next.load(std::memory_order_acquire);
    if (tail == &stub_) {
      if (next == nullptr) return nullptr;
      tail_ = tail = next;
      next = tail->next.load(std::memory_order_acquire);
    }
    if (next == nullptr) {
      if (head_.load(std::memory_order_acquire) != tail) return nullptr;
      Push(&stub_);
      next = tail->next.load(std::memory_order_acquire);
      if (next == nullptr) return nullptr;
    }
    tail_ = next;
    return tail;
  }

 private:
  alignas(128) std::atomic<Node*> head_;
  alignas(128) Node* tail_;
  Node stub_;
};

void PushPop(benchmark::State& state) {
  Queue queue;
  Node node;
  for (auto _ : state) {
    queue.Push(&node);
    benchmark::DoNotOptimize(queue.Pop());
  }
  state.SetItemsProcessed(state.iterations());
}

void PushPopAcross(benchmark::State& state, int64_t burst) {
  std::vector<Node> nodes(static_cast<size_t>(burst));
  while (state.KeepRunningBatch(burst)) {
    Queue queue;
    std::thread producer([&] {
      for (Node& node : nodes) queue.Push(&node);
    });
    for (int64_t popped = 0; popped < burst;) popped += queue.Pop() != nullptr ? 1 : 0;
    producer.join();
  }
  state.SetItemsProcessed(state.iterations());
}

class Handler {
 public:
  virtual ~Handler() = default;
  virtual void Handle(Node* node) = 0;
};
class Adder : public Handler {
 public:
  void Handle(Node* node) override { sum_ += node->value; }

 private:
  int64_t sum_ = 0;
};

void VirtualCall(benchmark::State& state) {
  const std::unique_ptr<Handler> handler = std::make_unique<Adder>();
  Handler* target = handler.get();
  Node node;
  for (auto _ : state) {
    benchmark::DoNotOptimize(target);
    target->Handle(&node);
  }
}

// Two actors of a mailbox and a virtual handler each, one run queue, one thread, and no features.
struct BareActor : Handler {
  Queue mailbox;
  BareActor* peer = nullptr;
  void Handle(Node* node) override {
    if (--node->value > 0) peer->mailbox.Push(node);
  }
};

void BareLoop(benchmark::State& state, int64_t messages) {
  BareActor ping;
  BareActor pong;
  ping.peer = &pong;
  pong.peer = &ping;
  while (state.KeepRunningBatch(messages)) {
    Node ball;
    ball.value = messages;
    ping.mailbox.Push(&ball);
    for (BareActor* actor = &ping; ball.value > 0; actor = actor->peer) {
      while (Node* node = actor->mailbox.Pop()) {
        Handler* handler = actor;
        benchmark::DoNotOptimize(handler);
        handler->Handle(node);
      }
    }
  }
  state.SetItemsProcessed(state.iterations());
}

void ContextSwitch(benchmark::State& state) {
  bool stop = false;
  boost::context::fiber other([&](boost::context::fiber&& back) {
    while (!stop) back = std::move(back).resume();
    return std::move(back);
  });
  while (state.KeepRunningBatch(2)) other = std::move(other).resume();
  stop = true;
  other = std::move(other).resume();
}

void FiberSwitch(benchmark::State& state) {
  bool stop = false;
  boost::fibers::fiber other([&] {
    while (!stop) boost::this_fiber::yield();
  });
  while (state.KeepRunningBatch(2)) boost::this_fiber::yield();
  stop = true;
  other.join();
}

// One cache line back and forth between two threads that spin.
void HandOff(benchmark::State& state) {
  alignas(128) std::atomic<int64_t> turn{0};
  std::thread other([&] {
    for (int64_t next = 1;; next += 2) {
      int64_t seen;
      while ((seen = turn.load(std::memory_order_acquire)) != next && seen >= 0) {
      }
      if (seen < 0) return;
      turn.store(next + 1, std::memory_order_release);
    }
  });
  int64_t mine = 0;
  for (auto _ : state) {
    turn.store(mine + 1, std::memory_order_release);
    mine += 2;
    while (turn.load(std::memory_order_acquire) != mine) {
    }
  }
  turn.store(-1, std::memory_order_release);
  other.join();
}

}  // namespace

void RegisterFloorBenchmarks() {
  benchmark::RegisterBenchmark("floor/virtual call", VirtualCall);
  benchmark::RegisterBenchmark("floor/queue push and pop", PushPop);
  benchmark::RegisterBenchmark("floor/queue across threads", PushPopAcross, 200'000)->UseRealTime();
  benchmark::RegisterBenchmark("floor/bare loop", BareLoop, 1'000'000)->UseRealTime();
  benchmark::RegisterBenchmark("floor/context switch", ContextSwitch);
  benchmark::RegisterBenchmark("floor/fiber switch", FiberSwitch);
  benchmark::RegisterBenchmark("floor/hand-off across threads", HandOff)->UseRealTime();
}

}  // namespace quern::bench
