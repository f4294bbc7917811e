// Actors that wait for something to do: how fast they are spawned, what each keeps resident.

#include <cstdint>
#include <string>

#include "quern/bench/finish.h"
#include "quern/bench/process.h"
#include "quern/quern.h"
#include "workloads.h"

namespace quern::bench {
namespace {

struct Poke {};
struct IdleApi : Protocol<void(Poke)> {};
struct Idle : Actor<IdleApi> {
  void On(const Poke&) { ++pokes_; }
  int64_t pokes_ = 0;
};

struct Fill {
  int64_t first;
  int64_t actors;
};
struct HouseApi : Protocol<void(Fill)> {};
struct House : Actor<HouseApi> {
  explicit House(Finish* finish) : finish_(finish) {}
  void On(const Fill& m, Context& context) {
    for (int64_t i = 0; i < m.actors; ++i) {
      if (!context.Spawn<Idle>(std::to_string(m.first + i)).ok()) return;
    }
    finish_->One();
  }
  Finish* finish_;
};

}  // namespace

// From one actor; timed until the last constructor has run.
Outcome Spawn(const Setup& setup) {
  System system(OptionsFor(setup));
  Finish finish;
  auto house = system.Spawn<House>("house", &finish).value();
  finish.Expect(1);
  Stopwatch watch;
  house.Tell(Fill{0, setup.size});
  finish.Wait();
  system.WaitUntilQuiet();
  Outcome outcome{.messages = setup.size, .took = watch.Stop()};
  size_t found = 0;
  for (const char* path : {"/house/0", "/house"}) found += system.Find<IdleApi>(path).ok() ? 1 : 0;
  outcome.Check("actors found", static_cast<double>(found), 1);
  return outcome;
}

Outcome IdleActors(const Setup& setup) {
  System system(OptionsFor(setup));
  Finish finish;
  auto house = system.Spawn<House>("house", &finish).value();
  const auto fill = [&](int64_t first, int64_t actors) {
    finish.Expect(1);
    house.Tell(Fill{first, actors});
    finish.Wait();
    system.WaitUntilQuiet();
  };
  constexpr int64_t kWarm = 1000;  // runners, magazines, the first tables
  fill(0, kWarm);

  const int64_t before = ResidentBytes();
  Stopwatch watch;
  fill(kWarm, setup.size);
  Outcome outcome{.messages = setup.size, .took = watch.Stop()};
  const auto bytes = static_cast<double>(ResidentBytes() - before);
  outcome.figures = {{"bytes_each", bytes / static_cast<double>(setup.size)}};
  const bool last = system.Find<IdleApi>("/house/" + std::to_string(kWarm + setup.size - 1)).ok();
  outcome.Check("the last actor lives", last, true);
  return outcome;
}

}  // namespace quern::bench
