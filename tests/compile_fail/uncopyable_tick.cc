// A tick is sent again and again: its message must be copyable.

#include <chrono>
#include <memory>

#include "quern/runtime/system.h"

struct Tick {
  std::unique_ptr<int> amount;
};
struct CounterApi : quern::Protocol<void(Tick)> {};

struct Counter : quern::Actor<CounterApi> {
  void On(const Tick& m) { total += *m.amount; }
  void OnStart() { Every(std::chrono::seconds(1), Tick{std::make_unique<int>(1)}); }
  int total = 0;
};

void Start(quern::System& system) { system.Spawn<Counter>("counter").value(); }
