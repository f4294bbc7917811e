// A message that only the actor itself may send, told from outside.

#include "quern/runtime/system.h"

struct Get {};
struct Tick {};
struct CounterApi : quern::Protocol<int(Get)> {};

struct Counter : quern::Actor<CounterApi, void(Tick)> {
  int On(const Get&) { return ticks; }
  void On(const Tick&) { ++ticks; }
  int ticks = 0;
};

void Start(quern::System& system) { system.Spawn<Counter>("counter").value().Tell(Tick{}); }
