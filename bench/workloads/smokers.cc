// Savina's cigarette smokers: an arbiter picks one of two hundred by chance, round after round.

#include <cstdint>
#include <string>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "random.h"
#include "workloads.h"

namespace quern::bench {
namespace {

constexpr uint64_t kSmokers = 200;
constexpr uint64_t kBusyMax = 1000;

struct Smoke {
  uint64_t busy;
};
struct SmokerApi : Protocol<void(Smoke)> {};
struct Started {};
struct ArbiterApi : Protocol<void(Started)> {};

struct Smoker : Actor<SmokerApi> {
  Smoker(Ref<ArbiterApi> arbiter, Tally* smoked) : arbiter_(std::move(arbiter)), tally_(smoked) {}
  void On(const Smoke& m) {
    arbiter_.Tell(Started{});
    for (uint64_t i = 0; i < m.busy; ++i) random_.Next();
    ++smoked_;
  }
  void OnStop() { tally_->Add(smoked_); }
  Ref<ArbiterApi> arbiter_;
  Tally* tally_;
  Xorshift random_{1};
  int64_t smoked_ = 0;
};

struct Arbiter : Actor<ArbiterApi> {
  Arbiter(int64_t rounds, Finish* finish, Tally* smoked)
      : left_(rounds), finish_(finish), tally_(smoked) {}
  void OnStart(Context& context) {
    for (uint64_t i = 0; i < kSmokers; ++i) {
      smokers_.push_back(context.Spawn<Smoker>(std::to_string(i), Self(), tally_).value());
    }
    Pick();
  }
  void On(const Started&) {
    if (--left_ == 0) {
      finish_->One();
    } else {
      Pick();
    }
  }
  void Pick() { smokers_[random_.Below(kSmokers)].Tell(Smoke{random_.Below(kBusyMax)}); }

  int64_t left_;
  Finish* finish_;
  Tally* tally_;
  Xorshift random_{2};
  std::vector<Ref<SmokerApi>> smokers_;
};

}  // namespace

Outcome Smokers(const Setup& setup) {
  System system(OptionsFor(setup));
  Finish finish;
  Tally smoked;
  finish.Expect(1);
  Stopwatch watch;
  system.Spawn<Arbiter>("arbiter", setup.size, &finish, &smoked).value();
  finish.Wait();
  Outcome outcome{.messages = 2 * setup.size, .took = watch.Stop()};
  system.Stop();
  outcome.Check("cigarettes", smoked.sum(), static_cast<double>(setup.size));
  return outcome;
}

}  // namespace quern::bench
