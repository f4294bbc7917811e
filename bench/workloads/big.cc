// Savina's big: everybody asks somebody, chosen by chance, and answers everybody; many to many.

#include <cstdint>
#include <string>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "random.h"
#include "workloads.h"

namespace quern::bench {
namespace {

constexpr size_t kActors = 120;

struct Neighbours;
struct Ping;
struct Pong;
struct MemberApi : Protocol<void(Neighbours), void(Ping), void(Pong)> {};
struct Neighbours {
  std::vector<Ref<MemberApi>> all;
};
struct Ping {
  uint32_t from;
};
struct Pong {};

struct Member : Actor<MemberApi> {
  Member(uint32_t index, int64_t pings, Finish* finish, Tally* tally)
      : index_(index), left_(pings), random_(index), finish_(finish), tally_(tally) {}

  void On(const Neighbours& m) { all_ = m.all; }
  void On(const Ping& m) {
    ++handled_;
    all_[m.from].Tell(Pong{});
  }
  // The first one is sent by nobody: it sets the actor going.
  void On(const Pong&) {
    ++handled_;
    if (left_-- == 0) return finish_->One();
    all_[random_.Below(kActors)].Tell(Ping{index_});
  }
  void OnStop() { tally_->Add(handled_); }

  const uint32_t index_;
  int64_t left_;
  Xorshift random_;
  Finish* finish_;
  Tally* tally_;
  std::vector<Ref<MemberApi>> all_;
  int64_t handled_ = 0;
};

}  // namespace

Outcome Big(const Setup& setup) {
  System system(OptionsFor(setup));
  Finish finish;
  Tally tally;
  std::vector<Ref<MemberApi>> members;
  for (uint32_t i = 0; i < kActors; ++i) {
    members.push_back(
        system.Spawn<Member>(std::to_string(i), i, setup.size, &finish, &tally).value());
  }
  for (const auto& member : members) member.Tell(Neighbours{members});
  system.WaitUntilQuiet();

  finish.Expect(kActors);
  Stopwatch watch;
  for (const auto& member : members) member.Tell(Pong{});
  finish.Wait();
  Outcome outcome{.messages = 2 * setup.size * int64_t{kActors}, .took = watch.Stop()};
  system.Stop();
  outcome.Check("messages handled", tally.sum(),
                static_cast<double>(outcome.messages + int64_t{kActors}));
  return outcome;
}

}  // namespace quern::bench
