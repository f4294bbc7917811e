// A tree of actors, ten children each, down to a million leaves; every leaf sends its number up,
// every node its sum, and ends.

#include <cstdint>
#include <utility>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "workloads.h"

namespace quern::bench {
namespace {

constexpr int64_t kChildren = 10;

struct Grow {
  int64_t first;  // leaf
  int64_t leaves;
};
struct Sum {
  int64_t value;
};
struct ParentApi : Protocol<void(Sum)> {};
struct NodeApi : Protocol<void(Grow), void(Sum)> {};

struct Node : Actor<NodeApi> {
  explicit Node(Ref<ParentApi> parent) : parent_(std::move(parent)) {}

  void On(const Grow& m, Context& context) {
    if (m.leaves == 1) {
      parent_.Tell(Sum{m.first});
      return context.Stop();
    }
    const int64_t each = m.leaves / kChildren;
    for (int64_t i = 0; i < kChildren; ++i) {
      auto child = context.SpawnUnnamed<Node>(Ref<ParentApi>(Self())).value();
      child.Tell(Grow{m.first + i * each, each});
    }
  }
  void On(const Sum& m, Context& context) {
    sum_ += m.value;
    if (++answers_ < kChildren) return;
    parent_.Tell(Sum{sum_});
    context.Stop();
  }

  Ref<ParentApi> parent_;
  int64_t sum_ = 0;
  int64_t answers_ = 0;
};

struct Top : Actor<ParentApi> {
  Top(Finish* finish, int64_t* sum) : finish_(finish), sum_(sum) {}
  void On(const Sum& m) {
    *sum_ = m.value;
    finish_->One();
  }
  Finish* finish_;
  int64_t* sum_;
};

}  // namespace

// The size is brought down to a power of ten.
Outcome Skynet(const Setup& setup) {
  int64_t leaves = kChildren;
  while (leaves * kChildren <= setup.size) leaves *= kChildren;
  System system(OptionsFor(setup));
  Finish finish;
  int64_t sum = 0;
  auto top = system.Spawn<Top>("top", &finish, &sum).value();

  finish.Expect(1);
  Stopwatch watch;
  system.SpawnUnnamed<Node>(top).value().Tell(Grow{0, leaves});
  finish.Wait();
  Outcome outcome{.messages = leaves, .took = watch.Stop()};
  outcome.Check("sum of leaves", static_cast<double>(sum),
                static_cast<double>(leaves * (leaves - 1) / 2));
  return outcome;
}

}  // namespace quern::bench
