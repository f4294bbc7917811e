// To be told when another actor has ended, for whatever reason.
//
//   struct Boss : quern::Actor<BossApi> {
//     quern::Status On(const Hire& m, quern::Context& context) { return context.Watch(*this,
//     m.worker); } void On(const quern::Terminated& m) { replace_.push_back(m.path); }
//   };
//
// Every watch ends in exactly one Terminated, or in an Unwatch() after which none comes, or with
// the watcher: its stop or restart ends its watches in silence. A restart of the watched actor is
// no end. Terminated needs no place in the Api: only the runtime sends it. It stands in the
// mailbox behind whatever the watched actor has told the watcher, and its name is free by then.
//
// Owner only: the actor's own turn.

#ifndef QUERN_RUNTIME_DEATH_WATCH_H_
#define QUERN_RUNTIME_DEATH_WATCH_H_

#include <cstdint>
#include <string>

#include "quern/runtime/internal/handler_table.h"
#include "quern/runtime/status.h"

namespace quern {

struct Terminated {
  std::string path;
  uint64_t id = 0;  // as Ref::id()
};

namespace internal {

class Cell;
struct Turn;

using TerminatedSignature = void(Terminated);

template <typename A>
inline constexpr bool kHandlesTerminated = kHasHandler<A, TerminatedSignature>;

// The sentence that the compiler prints.
template <typename Actor>
struct this_actor_watches_but_has_no_handler_On_const_quern_Terminated;

Status WatchActor(Turn& turn, Cell* watched);
void UnwatchActor(Turn& turn, Cell* watched);

}  // namespace internal
}  // namespace quern

#endif  // QUERN_RUNTIME_DEATH_WATCH_H_
