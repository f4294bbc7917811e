// Savina's radix sort: a chain of sixty actors, one a bit; each lets the zeros pass and sends the
// ones after them.

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "random.h"
#include "workloads.h"

namespace quern::bench {
namespace {

constexpr int kBits = 60;

struct Value {
  uint64_t number;
};
struct StageApi : Protocol<void(Value)> {};

struct Stage : Actor<StageApi> {
  Stage(int bit, int64_t values, Ref<StageApi> next)
      : bit_(bit), left_(values), next_(std::move(next)) {}
  void On(const Value& m) {
    if ((m.number >> bit_ & 1) == 0) {
      next_.Tell(m);
    } else {
      ones_.push_back(m.number);
    }
    if (--left_ > 0) return;
    for (const uint64_t number : ones_) next_.Tell(Value{number});
    ones_.clear();
  }
  const int bit_;
  int64_t left_;
  Ref<StageApi> next_;
  std::vector<uint64_t> ones_;
};

struct End : Actor<StageApi> {
  End(int64_t values, std::vector<uint64_t>* result, Finish* finish)
      : left_(values), result_(result), finish_(finish) {}
  void On(const Value& m) {
    result_->push_back(m.number);
    if (--left_ == 0) finish_->One();
  }
  int64_t left_;
  std::vector<uint64_t>* result_;
  Finish* finish_;
};

}  // namespace

Outcome RadixSort(const Setup& setup) {
  System system(OptionsFor(setup));
  Finish finish;
  std::vector<uint64_t> result;
  Ref<StageApi> next = system.Spawn<End>("end", setup.size, &result, &finish).value();
  for (int bit = kBits - 1; bit >= 0; --bit) {
    next = system.Spawn<Stage>(std::to_string(bit), bit, setup.size, next).value();
  }
  std::vector<uint64_t> numbers;
  Xorshift random(2048);
  for (int64_t i = 0; i < setup.size; ++i) numbers.push_back(random.Next() >> (64 - kBits));

  finish.Expect(1);
  Stopwatch watch;
  for (const uint64_t number : numbers) next.Tell(Value{number});
  finish.Wait();
  Outcome outcome{.messages = (kBits + 1) * setup.size, .took = watch.Stop()};
  std::sort(numbers.begin(), numbers.end());
  outcome.Check("sorted", result == numbers, true);
  return outcome;
}

}  // namespace quern::bench
