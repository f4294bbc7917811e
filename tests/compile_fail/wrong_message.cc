// A message that is not in the Api of the Ref it is told to.

#include <string>

#include "quern/runtime/system.h"

struct Greet {
  std::string name;
};
struct Farewell {
  std::string name;
};
struct GreeterApi : quern::Protocol<std::string(Greet)> {};

void Say(const quern::Ref<GreeterApi>& greeter) { greeter.Tell(Farewell{"world"}); }
