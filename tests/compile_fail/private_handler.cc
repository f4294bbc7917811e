// A handler that the runtime may not call: it is private.

#include "quern/runtime/system.h"

struct Add {
  int amount;
};
struct CounterApi : quern::Protocol<void(Add)> {};

class Counter : public quern::Actor<CounterApi> {
  void On(const Add& m) { total += m.amount; }
  int total = 0;
};

void Start(quern::System& system) { system.Spawn<Counter>("counter").value(); }
