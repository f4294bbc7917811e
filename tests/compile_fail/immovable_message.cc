// A message that cannot be moved into a mailbox.

#include <atomic>

#include "quern/runtime/system.h"

struct Shared {
  std::atomic<int> count{0};
};
struct CounterApi : quern::Protocol<void(Shared)> {};

void Say(const quern::Ref<CounterApi>& counter) { counter.Tell(Shared{}); }
