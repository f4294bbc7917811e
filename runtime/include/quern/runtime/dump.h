// A picture of a living system as text, for a terminal or a bug report: the tree of actors, what
// state each is in, and for a handler that waits: in which message, for what, how long, and how
// many messages wait behind it.
//
//   std::cerr << quern::DumpActors(system);
//
//   system "shop": 3 actors, 1 waiting handler, 0 dead letters
//   /audit                       Audit  running
//   /cart                        Cart   running, in AddItem for 812 ms: asks /stock Reserve; 4
//   queued /stock                       Stock  running

#ifndef QUERN_RUNTIME_DUMP_H_
#define QUERN_RUNTIME_DUMP_H_

#include <string>

namespace quern {

class System;

// Every line was true a moment ago; at most kDumpActorsMax actors. A worker whose handler holds its
// thread does not answer: the text says so, and what waits there is missing. Safe on a live system.
// Thread-safe. Blocks the thread until every worker has answered, for a second at most; in a
// handler use Offload. Of a StepSystem: on its own thread, at once.
std::string DumpActors(const System& system);

}  // namespace quern

#endif  // QUERN_RUNTIME_DUMP_H_
