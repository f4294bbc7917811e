// A million actors under sustained load: two senders tell actors chosen by chance, in bursts that
// wait for one another.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "random.h"
#include "workloads.h"

namespace quern::bench {
namespace {

constexpr int64_t kMessagesEach = 5;  // of an actor, on the average
constexpr int64_t kSenders = 2;
constexpr int64_t kBurst = 10'000;

struct Poke {
  int64_t value;
};
struct SenderApi : Protocol<void(Poke)> {};
struct LeafApi : Protocol<void(Poke)> {};

// Answers the last message of a burst.
struct Leaf : Actor<LeafApi> {
  explicit Leaf(const std::vector<Ref<SenderApi>>* senders) : senders_(senders) {}
  void On(const Poke& m) {
    ++pokes_;
    if (m.value >= 0) (*senders_)[static_cast<size_t>(m.value)].Tell(Poke{0});
  }
  const std::vector<Ref<SenderApi>>* senders_;
  int64_t pokes_ = 0;
};

struct Sender : Actor<SenderApi> {
  Sender(int64_t number, int64_t bursts, const std::vector<Ref<LeafApi>>* leaves, Finish* finish)
      : number_(number),
        left_(bursts),
        random_(static_cast<uint64_t>(number)),
        leaves_(leaves),
        finish_(finish) {}
  void On(const Poke&) {
    if (left_-- == 0) return finish_->One();
    for (int64_t i = 1; i <= kBurst; ++i) {
      const auto chosen = static_cast<size_t>(random_.Below(leaves_->size()));
      (*leaves_)[chosen].Tell(Poke{i == kBurst ? number_ : -1});
    }
  }
  const int64_t number_;
  int64_t left_;
  Xorshift random_;
  const std::vector<Ref<LeafApi>>* leaves_;
  Finish* finish_;
};

}  // namespace

Outcome MillionActors(const Setup& setup) {
  const int64_t bursts = std::max<int64_t>(1, kMessagesEach * setup.size / (kSenders * kBurst));
  std::vector<Ref<SenderApi>> senders;
  std::vector<Ref<LeafApi>> leaves;
  System system(OptionsFor(setup));
  Finish finish;
  for (int64_t i = 0; i < setup.size; ++i) {
    leaves.push_back(system.Spawn<Leaf>(std::to_string(i), &senders).value());
  }
  for (int64_t i = 0; i < kSenders; ++i) {
    const std::string name = "sender-" + std::to_string(i);
    senders.push_back(system.Spawn<Sender>(name, i, bursts, &leaves, &finish).value());
  }
  system.WaitUntilQuiet();

  finish.Expect(kSenders);
  Stopwatch watch;
  for (const auto& sender : senders) sender.Tell(Poke{0});
  finish.Wait();
  system.WaitUntilQuiet();
  Outcome outcome{.messages = kSenders * bursts * kBurst, .took = watch.Stop()};
  outcome.Check("dead letters", static_cast<double>(system.dead_letters()), 0);
  return outcome;
}

}  // namespace quern::bench
