// A handler that takes the right to answer with something else than the Api declares.

#include <string>

#include "quern/quern.h"

struct Greet {
  std::string name;
};
struct GreeterApi : quern::Protocol<std::string(Greet)> {};

struct Greeter : quern::Actor<GreeterApi> {
  void On(const Greet&, quern::Deferred<int> reply) { reply.Answer(1); }
};

void Start(quern::System& system) { system.Spawn<Greeter>("greeter").value(); }
