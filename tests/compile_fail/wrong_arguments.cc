// An actor spawned with arguments that its constructor does not take.

#include <string>

#include "quern/runtime/system.h"

struct Get {};
struct CounterApi : quern::Protocol<int(Get)> {};

struct Counter : quern::Actor<CounterApi> {
  explicit Counter(int first) : total(first) {}
  int On(const Get&) { return total; }
  int total;
};

void Start(quern::System& system) { (void)system.Spawn<Counter>("counter", std::string("one")); }
