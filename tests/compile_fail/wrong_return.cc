// A handler that returns something else than the Api declares.

#include <string>

#include "quern/runtime/system.h"

struct Greet {
  std::string name;
};
struct GreeterApi : quern::Protocol<std::string(Greet)> {};

struct Greeter : quern::Actor<GreeterApi> {
  const char* On(const Greet&) { return "Hello"; }
};

void Start(quern::System& system) { system.Spawn<Greeter>("greeter").value(); }
