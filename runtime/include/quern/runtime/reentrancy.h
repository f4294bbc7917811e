// Whether an actor or grain handles further messages while one of its handlers waits for an answer.
//
//   system.Spawn<Account>({.reentrancy = quern::Reentrancy::kAllowAll}, "alice");
//   system.Host<Cart>({.reentrancy = quern::Reentrancy::kStash});
//   rates.Ask(Convert{m.price}, {.timeout = 200ms, .reentrancy = quern::Reentrancy::kStash});
//
// One handler runs at a time in every case, on one worker: others of the same actor begin only
// while it is suspended in an Ask or Await (not in a Sleep, a lock or a FiberGroup, nor in a hook
// such as OnStart), so what it knew of its members before may have changed after. One that has got
// its answer goes on at the next suspension, whatever it is. With kAllowAll two actors may ask each
// other and both finish; a handler that is asked back is no cycle then.
//
// A stop or a failure cancels the handlers that wait; OnStop and the destructor run after the last
// has ended, as do restarts and passivation. Timers tick meanwhile. When a grain ends: grain.h.

#ifndef QUERN_RUNTIME_REENTRANCY_H_
#define QUERN_RUNTIME_REENTRANCY_H_

#include <cstdint>
#include <optional>

#include "quern/runtime/clock.h"

namespace quern {

enum class Reentrancy : uint8_t {
  kOff,       // one handler from begin to end; a single ask cannot change that
  kStash,     // the same, unless a single ask says kAllowAll; an ask that does not holds back what
              // has not begun, in order of arrival, until it has ended
  kAllowAll,  // further messages are handled, unless a single ask says kStash
};

struct AskOptions {
  Duration timeout = Duration::min();  // the default: the system's
  // Of this ask alone. FAILED_PRECONDITION for kAllowAll in an actor that is kOff.
  std::optional<Reentrancy> reentrancy = std::nullopt;
};

}  // namespace quern

#endif  // QUERN_RUNTIME_REENTRANCY_H_
