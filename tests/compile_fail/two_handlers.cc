// Two handlers for one message: which one is meant?

#include "quern/runtime/system.h"

struct Add {
  int amount;
};
struct CounterApi : quern::Protocol<void(Add)> {};

struct Counter : quern::Actor<CounterApi> {
  void On(const Add& m) { total += m.amount; }
  void On(Add&& m) { total += m.amount; }
  int total = 0;
};

void Start(quern::System& system) { system.Spawn<Counter>("counter").value(); }
