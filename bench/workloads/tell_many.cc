// What the grains' workloads do, to plain actors: two actors tell one, and 256.

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "workloads.h"

namespace quern::bench {
namespace {

struct TallyApi : Protocol<void(int64_t)> {};
struct Counter : Actor<TallyApi> {
  Counter(int64_t each, Finish* finish, Tally* sum) : each_(each), finish_(finish), sum_(sum) {}
  void On(const int64_t& amount) {
    total_ += amount;
    if (++handled_ == each_) finish_->One();
  }
  void OnStop() { sum_->Add(total_); }

  const int64_t each_;
  Finish* finish_;
  Tally* sum_;
  int64_t handled_ = 0;
  int64_t total_ = 0;
};

struct Work {
  int64_t rounds;
};
struct TellerApi : Protocol<void(Work)> {};
struct Teller : Actor<TellerApi> {
  explicit Teller(std::vector<Ref<TallyApi>> counters) : counters_(std::move(counters)) {}
  void On(const Work& m) {
    for (int64_t i = 0; i < m.rounds; ++i) {
      for (const auto& counter : counters_) counter.Tell(int64_t{1});
    }
  }
  std::vector<Ref<TallyApi>> counters_;
};

Outcome TellActors(const Setup& setup, int64_t actors) {
  constexpr int64_t kTellers = 2;
  const int64_t rounds = std::max<int64_t>(1, setup.size / (kTellers * actors));
  System system(OptionsFor(setup));
  Finish finish;
  Tally sum;
  std::vector<Ref<TallyApi>> counters;
  for (int64_t i = 0; i < actors; ++i) {
    const std::string name = std::to_string(i);
    counters.push_back(system.Spawn<Counter>(name, kTellers * rounds, &finish, &sum).value());
  }
  std::vector<Ref<TellerApi>> tellers;
  for (int64_t i = 0; i < kTellers; ++i) {
    tellers.push_back(system.Spawn<Teller>("teller-" + std::to_string(i), counters).value());
  }
  system.WaitUntilQuiet();

  finish.Expect(actors);
  Stopwatch watch;
  for (const auto& teller : tellers) teller.Tell(Work{rounds});
  finish.Wait();
  Outcome outcome{.messages = kTellers * rounds * actors, .took = watch.Stop()};
  system.Stop();
  outcome.Check("sum received", sum.sum(), static_cast<double>(outcome.messages));
  return outcome;
}

}  // namespace

Outcome ActorTell1(const Setup& setup) { return TellActors(setup, 1); }
Outcome ActorTell256(const Setup& setup) { return TellActors(setup, 256); }

}  // namespace quern::bench
