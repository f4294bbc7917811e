// Asks at 10, 50 and 80 % of what the machine can do: ask_load.h.

#include "quern/bench/ask_load.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "workloads.h"

namespace quern::bench {
namespace {

struct Query {
  int64_t value;
};
struct EchoApi : Protocol<int64_t(Query)> {};
struct Echo : Actor<EchoApi> {
  int64_t On(const Query& m) { return m.value + 1; }
};

struct Fire {
  int64_t scheduled;
};
struct AskerApi : Protocol<void(Fire)> {};
struct Asker : Actor<AskerApi> {
  Asker(int number, Ref<EchoApi> echo, AskLoad* load)
      : number_(number), echo_(std::move(echo)), load_(load) {}
  void On(const Fire& m) {
    if (echo_.Ask(Query{1}, std::chrono::minutes(1)).value_or(0) != 2) return;
    load_->Answered(number_, m.scheduled);
  }
  const int number_;
  Ref<EchoApi> echo_;
  AskLoad* load_;
};

struct Again {};
struct PumpApi : Protocol<void(Again)> {};
struct Pump : Actor<PumpApi> {
  Pump(AskLoad* load, std::vector<Ref<AskerApi>> askers, Finish* finish)
      : load_(load), askers_(std::move(askers)), finish_(finish) {}
  void On(const Again&) {
    const bool more = load_->Pump([this](int asker, int64_t scheduled) {
      askers_[static_cast<size_t>(asker)].Tell(Fire{scheduled});
    });
    if (!more) return finish_->One();
    Self().Tell(Again{});
  }
  AskLoad* load_;
  std::vector<Ref<AskerApi>> askers_;
  Finish* finish_;
};

Outcome AskAt(const Setup& setup, double share) {
  AskLoad load(setup, share);
  Finish finish;
  System system(OptionsFor(setup));
  std::vector<Ref<AskerApi>> askers;
  for (int i = 0; i < AskLoad::kAskers; ++i) {
    const std::string number = std::to_string(i);
    auto echo = system.Spawn<Echo>("echo-" + number).value();
    askers.push_back(system.Spawn<Asker>("asker-" + number, i, echo, &load).value());
  }
  finish.Expect(1);
  system.Spawn<Pump>("pump", &load, askers, &finish).value().Tell(Again{});
  finish.Wait();
  return load.Result();
}

}  // namespace

Outcome AskLoad10(const Setup& setup) { return AskAt(setup, 0.1); }
Outcome AskLoad50(const Setup& setup) { return AskAt(setup, 0.5); }
Outcome AskLoad80(const Setup& setup) { return AskAt(setup, 0.8); }

}  // namespace quern::bench
