// A bare actor loop: a mailbox and a virtual handler an actor, a run queue a thread, a free list of
// messages, and no features. What a runtime could reach at most on this machine.
//
//   Machine<TaggedMailbox> machine(2);
//   machine.loop(0).Send(&ping, 1'000'000);   // actors know their home
//   machine.Start();                          // a spinning thread a loop
//   finish.Wait();
//   machine.Stop();
//
// Actors outlive the machine. A run queue belongs to its thread; others go through the inbox.

#ifndef QUERN_BENCH_FLOOR_LOOP_H_
#define QUERN_BENCH_FLOOR_LOOP_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "mailbox.h"

namespace quern::bench {

// Chains of free messages that loops give one another.
class Depot {
 public:
  static constexpr int kChain = 256;

  Message* Take() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!chains_.empty()) {
      Message* chain = chains_.back();
      chains_.pop_back();
      return chain;
    }
    auto* slab = slabs_.emplace_back(std::make_unique<Message[]>(kChain)).get();
    for (int i = 0; i + 1 < kChain; ++i) slab[i].next.store(slab + i + 1);
    return slab;
  }
  void Give(Message* chain) {
    std::lock_guard<std::mutex> lock(mutex_);
    chains_.push_back(chain);
  }

 private:
  std::mutex mutex_;
  std::vector<Message*> chains_;
  std::vector<std::unique_ptr<Message[]>> slabs_;
};

template <typename Mailbox>
class alignas(kLine) Loop {
 public:
  class alignas(kLine) Actor {
   public:
    explicit Actor(Loop* home) : home_(home) { arrival_.value = reinterpret_cast<intptr_t>(this); }
    virtual ~Actor() = default;
    virtual void Handle(int64_t value, Loop& loop) = 0;

   private:
    friend class Loop;
    Mailbox mailbox_;
    Loop* const home_;
    Actor* next_ready_ = nullptr;
    Message arrival_;  // in the inbox of its home
  };

  explicit Loop(Depot* depot) : depot_(depot) {}

  // On this loop's thread, or before it runs.
  void Send(Actor* to, int64_t value) {
    Message* message = Allocate();
    message->value = value;
    if (!to->mailbox_.Push(message)) return;
    if (to->home_ == this) {
      Ready(to);
    } else {
      to->home_->inbox_.Push(&to->arrival_);
    }
  }

  void Run(const std::atomic<bool>& stop) {
    unsigned idle = 0;
    for (unsigned turn = 0; !stop.load(std::memory_order_relaxed); ++turn) {
      if (first_ == nullptr || turn % kInboxEvery == 0) TakeArrivals();
      if (first_ != nullptr) {
        RunTurn(Next());
        idle = 0;
      } else if (++idle % kYieldEvery == 0) {
        std::this_thread::yield();  // for a machine on which the other loop has no core to itself
      }
    }
  }

 private:
  static constexpr unsigned kInboxEvery = 16;
  static constexpr unsigned kYieldEvery = 4096;  // turns without work: tens of microseconds
  static constexpr int kTurnMessages = 32;

  void RunTurn(Actor* actor) {
    Message* spent = nullptr;
    for (int i = 0; i < kTurnMessages; ++i) {
      const Message* message = actor->mailbox_.Pop(&spent);
      if (message == nullptr) {
        if (!actor->mailbox_.GoIdle()) Ready(actor);
        return;
      }
      const int64_t value = message->value;
      if (spent != nullptr) Free(spent);
      actor->Handle(value, *this);
    }
    Ready(actor);
  }

  void TakeArrivals() {
    while (const Message* arrival = inbox_.Pop()) Ready(reinterpret_cast<Actor*>(arrival->value));
  }
  void Ready(Actor* actor) {
    actor->next_ready_ = nullptr;
    *(first_ == nullptr ? &first_ : &last_->next_ready_) = actor;
    last_ = actor;
  }
  Actor* Next() {
    Actor* actor = first_;
    first_ = actor->next_ready_;
    return actor;
  }

  Message* Allocate() {
    if (free_ == nullptr) {
      free_ = spare_ != nullptr ? spare_ : depot_->Take();
      free_count_ = Depot::kChain;
      spare_ = nullptr;
    }
    Message* message = free_;
    free_ = message->next.load(std::memory_order_relaxed);
    --free_count_;
    return message;
  }
  void Free(Message* message) {
    if (free_count_ == Depot::kChain) {
      if (spare_ != nullptr) depot_->Give(spare_);
      spare_ = free_;
      free_ = nullptr;
      free_count_ = 0;
    }
    message->next.store(free_, std::memory_order_relaxed);
    free_ = message;
    ++free_count_;
  }

  Depot* const depot_;
  Actor* first_ = nullptr;
  Actor* last_ = nullptr;
  Message* free_ = nullptr;
  Message* spare_ = nullptr;  // a whole chain
  int free_count_ = 0;
  VyukovQueue inbox_;
};

template <typename Mailbox>
class Machine {
 public:
  explicit Machine(int threads) {
    for (int i = 0; i < threads; ++i) {
      loops_.push_back(std::make_unique<Loop<Mailbox>>(&depot_));
    }
  }

  Loop<Mailbox>& loop(size_t i) { return *loops_[i % loops_.size()]; }

  void Start() {
    for (auto& loop : loops_) threads_.emplace_back([&] { loop->Run(stop_); });
  }
  void Stop() {
    stop_.store(true);
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  Depot depot_;
  std::vector<std::unique_ptr<Loop<Mailbox>>> loops_;
  std::vector<std::thread> threads_;
  std::atomic<bool> stop_{false};
};

}  // namespace quern::bench

#endif  // QUERN_BENCH_FLOOR_LOOP_H_
