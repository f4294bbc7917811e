// A grain may live on another node, so each of its messages needs a quern::Codec; this one has
// none.

#include <string_view>

#include "quern/runtime/system.h"

struct Add {
  int amount;
};
struct CounterApi : quern::Protocol<void(Add)> {
  static constexpr std::string_view kKind = "counter";
};

void Count(quern::System& system) { system.Grain<CounterApi>("page/home").Tell(Add{1}); }
