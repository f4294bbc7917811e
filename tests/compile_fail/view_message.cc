// A message that refers to memory which its sender owns.

#include <string_view>

#include "quern/runtime/system.h"

struct GreeterApi : quern::Protocol<void(std::string_view)> {};

void Say(const quern::Ref<GreeterApi>& greeter) { greeter.Tell(std::string_view("world")); }
