// Savina's unbalanced cobwebbed tree: nodes grow children by chance and do some work; the root says
// when there are enough.

#include <cstdint>
#include <string>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "random.h"
#include "workloads.h"

namespace quern::bench {
namespace {

constexpr uint64_t kChildren = 10;  // of every second node, by chance
constexpr uint64_t kBusy = 500;

struct Grow {};
struct NodeApi : Protocol<void(Grow)> {};
struct Grown {
  Ref<NodeApi> child;  // empty: it is a leaf
};
struct RootApi : Protocol<void(Grown)> {};

struct Node : Actor<NodeApi> {
  Node(uint64_t seed, Ref<RootApi> root, Tally* nodes)
      : random_(seed), root_(std::move(root)), tally_(nodes) {}
  void OnStart() { tally_->Add(1); }
  void On(const Grow&, Context& context) {
    for (uint64_t i = random_.Below(kBusy); i > 0; --i) random_.Next();
    if (random_.Below(2) == 0) {
      root_.Tell(Grown{});
      return;
    }
    for (uint64_t i = 0; i < kChildren; ++i) {
      auto child = context.Spawn<Node>(std::to_string(i), random_.Next(), root_, tally_);
      if (!child.ok()) return;  // the root had enough, and all stop
      root_.Tell(Grown{*child});
    }
  }
  Xorshift random_;
  Ref<RootApi> root_;
  Tally* tally_;
};

// Lets every child grow until there are as many nodes as wanted.
struct Root : Actor<RootApi> {
  Root(int64_t nodes, Finish* finish, Tally* tally)
      : wanted_(nodes), finish_(finish), tally_(tally) {}
  void OnStart(Context& context) {
    for (uint64_t i = 0; i < kChildren; ++i) {
      On(Grown{context.Spawn<Node>(std::to_string(i), i, Self(), tally_).value()});
    }
  }
  void On(const Grown& m) {
    if (done_ || !m.child) return;
    if (++nodes_ >= wanted_) {
      done_ = true;
      return finish_->One();
    }
    m.child.Tell(Grow{});
  }
  const int64_t wanted_;
  Finish* finish_;
  Tally* tally_;
  int64_t nodes_ = 0;
  bool done_ = false;
};

}  // namespace

Outcome UnbalancedTree(const Setup& setup) {
  System system(OptionsFor(setup));
  Finish finish;
  Tally nodes;
  finish.Expect(1);
  Stopwatch watch;
  system.Spawn<Root>("root", setup.size, &finish, &nodes).value();
  finish.Wait();
  Outcome outcome{.messages = setup.size, .took = watch.Stop()};
  system.Stop();
  outcome.Check("enough nodes", nodes.sum() >= static_cast<double>(setup.size), true);
  return outcome;
}

}  // namespace quern::bench
