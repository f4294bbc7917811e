// Actors that live for one message: one actor spawns a million, tells each once, and each ends.

#include <cstdint>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "workloads.h"

namespace quern::bench {
namespace {

struct Work {
  int64_t value;
};
struct DayflyApi : Protocol<void(Work)> {};
struct Dayfly : Actor<DayflyApi> {
  Dayfly(Finish* finish, Tally* sum) : finish_(finish), sum_(sum) {}
  void On(const Work& m, Context& context) {
    sum_->Add(m.value);
    finish_->One();
    context.Stop();
  }
  Finish* finish_;
  Tally* sum_;
};

struct Make {
  int64_t actors;
};
struct MakerApi : Protocol<void(Make)> {};
struct Maker : Actor<MakerApi> {
  Maker(Finish* finish, Tally* sum) : finish_(finish), sum_(sum) {}
  void On(const Make& m, Context& context) {
    for (int64_t i = 1; i <= m.actors; ++i) {
      context.SpawnUnnamed<Dayfly>(finish_, sum_).value().Tell(Work{i});
    }
  }
  Finish* finish_;
  Tally* sum_;
};

}  // namespace

Outcome Create(const Setup& setup) {
  System system(OptionsFor(setup));
  Finish finish;
  Tally sum;
  auto maker = system.Spawn<Maker>("maker", &finish, &sum).value();

  finish.Expect(setup.size);
  Stopwatch watch;
  maker.Tell(Make{setup.size});
  finish.Wait();
  Outcome outcome{.messages = setup.size, .took = watch.Stop()};
  outcome.Check("sum received", sum.sum(), static_cast<double>(setup.size * (setup.size + 1) / 2));
  return outcome;
}

}  // namespace quern::bench
