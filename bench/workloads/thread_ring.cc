// Savina's thread-ring: one token goes round a thousand actors.

#include <cstdint>
#include <string>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "workloads.h"

namespace quern::bench {
namespace {

constexpr int kActors = 1000;

struct Follow;
struct Token;
struct MemberApi : Protocol<void(Follow), void(Token)> {};
struct Follow {
  Ref<MemberApi> next;
};
struct Token {
  int64_t left;
};

struct Member : Actor<MemberApi> {
  Member(Finish* finish, Tally* tally) : finish_(finish), tally_(tally) {}

  void On(const Follow& m) { next_ = m.next; }
  void On(const Token& m) {
    ++hops_;
    if (m.left == 1) return finish_->One();
    next_.Tell(Token{m.left - 1});
  }
  void OnStop() { tally_->Add(hops_); }

  Finish* finish_;
  Tally* tally_;
  Ref<MemberApi> next_;
  int64_t hops_ = 0;
};

}  // namespace

Outcome ThreadRing(const Setup& setup) {
  System system(OptionsFor(setup));
  Finish finish;
  Tally tally;
  std::vector<Ref<MemberApi>> ring;
  for (int i = 0; i < kActors; ++i) {
    ring.push_back(system.Spawn<Member>(std::to_string(i), &finish, &tally).value());
  }
  for (size_t i = 0; i < ring.size(); ++i) ring[i].Tell(Follow{ring[(i + 1) % ring.size()]});
  system.WaitUntilQuiet();

  finish.Expect(1);
  Stopwatch watch;
  ring.front().Tell(Token{setup.size});
  finish.Wait();
  Outcome outcome{.messages = setup.size, .took = watch.Stop()};
  system.Stop();
  outcome.Check("hops", tally.sum(), static_cast<double>(setup.size));
  return outcome;
}

}  // namespace quern::bench
