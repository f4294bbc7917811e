// Savina's quick sort: an actor splits its part by the first element and has two children sort the
// rest, until it is short enough.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "random.h"
#include "workloads.h"

namespace quern::bench {
namespace {

constexpr size_t kSequential = 2048;

using Numbers = std::unique_ptr<std::vector<uint64_t>>;

struct Sort {
  Numbers numbers;
};
struct Sorted {
  Numbers numbers;
  bool left;
};
struct ParentApi : Protocol<void(Sorted)> {};
struct SorterApi : Protocol<void(Sort), void(Sorted)> {};

struct Sorter : Actor<SorterApi> {
  Sorter(Ref<ParentApi> parent, bool left, Tally* actors)
      : parent_(std::move(parent)), left_(left), tally_(actors) {}

  void On(Sort&& m, Context& context) {
    tally_->Add(1);
    if (m.numbers->size() < kSequential) {
      std::sort(m.numbers->begin(), m.numbers->end());
      return Finish(std::move(m.numbers), context);
    }
    const uint64_t pivot = (*m.numbers)[m.numbers->size() / 2];
    auto less = std::make_unique<std::vector<uint64_t>>();
    auto more = std::make_unique<std::vector<uint64_t>>();
    for (const uint64_t number : *m.numbers) {
      if (number == pivot) {
        equal_.push_back(number);
      } else {
        (number < pivot ? less : more)->push_back(number);
      }
    }
    const Ref<ParentApi> self = Self();
    context.Spawn<Sorter>("less", self, true, tally_).value().Tell(Sort{std::move(less)});
    context.Spawn<Sorter>("more", self, false, tally_).value().Tell(Sort{std::move(more)});
  }
  void On(Sorted&& m, Context& context) {
    (m.left ? less_ : more_) = std::move(m.numbers);
    if (less_ == nullptr || more_ == nullptr) return;
    less_->insert(less_->end(), equal_.begin(), equal_.end());
    less_->insert(less_->end(), more_->begin(), more_->end());
    Finish(std::move(less_), context);
  }
  void Finish(Numbers numbers, Context& context) {
    parent_.Tell(Sorted{std::move(numbers), left_});
    context.Stop();
  }

  Ref<ParentApi> parent_;
  const bool left_;
  Tally* tally_;
  Numbers less_, more_;
  std::vector<uint64_t> equal_;
};

struct Top : Actor<ParentApi> {
  Top(Numbers* result, Finish* finish) : result_(result), finish_(finish) {}
  void On(Sorted&& m) {
    *result_ = std::move(m.numbers);
    finish_->One();
  }
  Numbers* result_;
  Finish* finish_;
};

}  // namespace

Outcome QuickSort(const Setup& setup) {
  auto numbers = std::make_unique<std::vector<uint64_t>>();
  Xorshift random(1024);
  for (int64_t i = 0; i < setup.size; ++i) numbers->push_back(random.Next() >> 4);
  std::vector<uint64_t> expected = *numbers;
  std::sort(expected.begin(), expected.end());

  System system(OptionsFor(setup));
  Finish finish;
  Tally actors;
  Numbers result;
  auto top = system.Spawn<Top>("top", &result, &finish).value();
  auto sorter = system.Spawn<Sorter>("sorter", top, true, &actors).value();
  finish.Expect(1);
  Stopwatch watch;
  sorter.Tell(Sort{std::move(numbers)});
  finish.Wait();
  const Took took = watch.Stop();
  Outcome outcome{.messages = static_cast<int64_t>(2 * actors.sum()), .took = took};
  outcome.Check("sorted", *result == expected, true);
  return outcome;
}

}  // namespace quern::bench
