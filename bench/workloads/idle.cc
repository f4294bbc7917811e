// Actors that wait for something to do: how fast they are spawned, what each keeps resident.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

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
  int64_t actors;
};
struct HouseApi : Protocol<void(Fill)> {};
struct House : Actor<HouseApi> {
  House(std::optional<SpawnOptions> options, Finish* finish, std::string* last)
      : options_(std::move(options)), finish_(finish), last_(last) {}
  void On(const Fill& m, Context& context) {
    for (int64_t i = 0; i < m.actors; ++i) {
      const auto idle = options_.has_value() ? context.SpawnUnnamed<Idle>(*options_)
                                             : context.SpawnUnnamed<Idle>();
      if (!idle.ok()) return;
      if (i + 1 == m.actors) *last_ = idle->path();
    }
    finish_->One();
  }
  const std::optional<SpawnOptions> options_;
  Finish* finish_;
  std::string* last_;  // path
};

Outcome IdleWith(const Setup& setup, const std::optional<SpawnOptions>& options) {
  System system(OptionsFor(setup));
  Finish finish;
  std::string last;
  auto house = system.Spawn<House>("house", options, &finish, &last).value();
  const auto fill = [&](int64_t actors) {
    finish.Expect(1);
    house.Tell(Fill{actors});
    finish.Wait();
    system.WaitUntilQuiet();
  };
  constexpr int64_t kWarm = 1000;  // runners, magazines, the first tables
  fill(kWarm);

  const int64_t before = ResidentBytes();
  Stopwatch watch;
  fill(setup.size);
  Outcome outcome{.messages = setup.size, .took = watch.Stop()};
  const auto bytes = static_cast<double>(ResidentBytes() - before);
  outcome.figures = {{"bytes_each", bytes / static_cast<double>(setup.size)}};
  outcome.Check("the last actor lives", system.Find<IdleApi>(last).ok(), true);
  return outcome;
}

}  // namespace

// From one actor; timed until the last constructor has run.
Outcome Spawn(const Setup& setup) {
  System system(OptionsFor(setup));
  Finish finish;
  std::string last;
  auto house = system.Spawn<House>("house", std::nullopt, &finish, &last).value();
  finish.Expect(1);
  Stopwatch watch;
  house.Tell(Fill{setup.size});
  finish.Wait();
  system.WaitUntilQuiet();
  Outcome outcome{.messages = setup.size, .took = watch.Stop()};
  outcome.Check("the last actor lives", system.Find<IdleApi>(last).ok(), true);
  return outcome;
}

Outcome IdleActors(const Setup& setup) { return IdleWith(setup, std::nullopt); }

Outcome IdlePassivated(const Setup& setup) {
  return IdleWith(setup, SpawnOptions{.passivate_after = std::chrono::hours(1)});
}

}  // namespace quern::bench
