// Savina's bounded buffer: forty producers and forty consumers share fifty places, which a manager
// gives out.

#include <cmath>
#include <cstdint>
#include <deque>
#include <string>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "workloads.h"

namespace quern::bench {
namespace {

constexpr int64_t kProducers = 40;
constexpr int64_t kConsumers = 40;
constexpr size_t kPlaces = 50;
constexpr int kCost = 25;

// Savina's way to be busy.
double Busy(double value, int64_t seed) {
  for (int i = 0; i < kCost; ++i) {
    value = std::log(std::abs(value + static_cast<double>(seed % 7)) + 0.01);
  }
  return value;
}

struct Produce {};
struct ProducerApi : Protocol<void(Produce)> {};
struct Item {
  int64_t number;
};
struct ConsumerApi : Protocol<void(Item)> {};
struct Offer {
  int64_t number;
  Ref<ProducerApi> from;
};
struct Free {
  Ref<ConsumerApi> who;
};
struct ManagerApi : Protocol<void(Offer), void(Free)> {};

struct Manager : Actor<ManagerApi> {
  void On(const Offer& m) {
    if (!free_.empty()) {
      free_.front().Tell(Item{m.number});
      free_.pop_front();
    } else {
      items_.push_back(m.number);
    }
    // With all places taken the producer waits until one is free.
    if (items_.size() < kPlaces) {
      m.from.Tell(Produce{});
    } else {
      waiting_.push_back(m.from);
    }
  }
  void On(const Free& m) {
    if (items_.empty()) return free_.push_back(m.who);
    m.who.Tell(Item{items_.front()});
    items_.pop_front();
    if (waiting_.empty()) return;
    waiting_.front().Tell(Produce{});
    waiting_.pop_front();
  }
  std::deque<int64_t> items_;
  std::deque<Ref<ConsumerApi>> free_;
  std::deque<Ref<ProducerApi>> waiting_;
};

struct Producer : Actor<ProducerApi> {
  Producer(int64_t items, Ref<ManagerApi> manager) : left_(items), manager_(std::move(manager)) {}
  void On(const Produce&) {
    if (left_ == 0) return;
    value_ = Busy(value_, left_);
    manager_.Tell(Offer{left_--, Self()});
  }
  int64_t left_;
  Ref<ManagerApi> manager_;
  double value_ = 0;
};

struct Consumer : Actor<ConsumerApi> {
  Consumer(Ref<ManagerApi> manager, Finish* finish, Tally* sum)
      : manager_(std::move(manager)), finish_(finish), tally_(sum) {}
  void OnStart() { manager_.Tell(Free{Self()}); }
  void On(const Item& m) {
    value_ = Busy(value_, m.number);
    sum_ += m.number;
    manager_.Tell(Free{Self()});
    finish_->One();
  }
  void OnStop() { tally_->Add(sum_); }
  Ref<ManagerApi> manager_;
  Finish* finish_;
  Tally* tally_;
  double value_ = 0;
  int64_t sum_ = 0;
};

}  // namespace

Outcome BoundedBuffer(const Setup& setup) {
  System system(OptionsFor(setup));
  Finish finish;
  Tally sum;
  auto manager = system.Spawn<Manager>("manager").value();
  finish.Expect(kProducers * setup.size);
  Stopwatch watch;
  for (int64_t i = 0; i < kConsumers; ++i) {
    system.Spawn<Consumer>("consumer-" + std::to_string(i), manager, &finish, &sum).value();
  }
  for (int64_t i = 0; i < kProducers; ++i) {
    const std::string name = "producer-" + std::to_string(i);
    system.Spawn<Producer>(name, setup.size, manager).value().Tell(Produce{});
  }
  finish.Wait();
  Outcome outcome{.messages = 4 * kProducers * setup.size, .took = watch.Stop()};
  system.Stop();
  outcome.Check("sum of items", sum.sum(),
                static_cast<double>(kProducers * setup.size * (setup.size + 1) / 2));
  return outcome;
}

}  // namespace quern::bench
