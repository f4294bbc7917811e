// A message whose destructor may throw.

#include "quern/runtime/system.h"

struct Grenade {
  ~Grenade() noexcept(false) {}
};
struct ThrowerApi : quern::Protocol<void(Grenade)> {};

void Say(const quern::Ref<ThrowerApi>& thrower) { thrower.Tell(Grenade{}); }
