// A picture of a living system as text, for a terminal or a bug report: the tree of actors, what
// state each is in, how many messages wait in its mailbox, and for a handler that waits: in which
// message, for what and how long.
//
//   std::cerr << quern::DumpActors(system);
//
//   system "shop": 3 actors, 1 waiting handler, 0 dead letters
//   /audit  Audit  suspended; 17 queued
//   /cart  Cart  running, in AddItem for 812 ms: asks /stock Reserve; 4 queued
//   /stock  Stock  running

#ifndef QUERN_RUNTIME_DUMP_H_
#define QUERN_RUNTIME_DUMP_H_

#include <cstddef>
#include <string>

#include "quern/runtime/limits.h"

namespace quern {

class System;

// Every line was true a moment ago. Of more actors than `actors_max` the text says that the rest is
// missing; so many of a handler's messages are counted as kMailboxCountMax. A worker whose handler
// holds its thread does not answer: the text says so, and what waits there is missing. Safe on a
// live system. Thread-safe. Blocks the thread until every worker has answered, for little more than
// a second; in a handler use Offload. Of a StepSystem: on its own thread, at once.
std::string DumpActors(const System& system, size_t actors_max = kDumpActorsMax);

}  // namespace quern

#endif  // QUERN_RUNTIME_DUMP_H_
