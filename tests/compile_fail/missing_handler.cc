// An actor that does not handle a message of its Api.

#include "quern/runtime/system.h"

struct Add {
  int amount;
};
struct Reset {};
struct CounterApi : quern::Protocol<void(Add), void(Reset)> {};

struct Counter : quern::Actor<CounterApi> {
  void On(const Add& m) { total += m.amount; }
  int total = 0;
};

void Start(quern::System& system) { system.Spawn<Counter>("counter").value(); }
