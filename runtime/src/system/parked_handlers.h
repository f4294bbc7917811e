// What the suspended handlers of a system wait for. Each worker looks at its own fibers, between
// turns, where nothing of them moves.

#ifndef QUERN_RUNTIME_SRC_SYSTEM_PARKED_HANDLERS_H_
#define QUERN_RUNTIME_SRC_SYSTEM_PARKED_HANDLERS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "quern/runtime/clock.h"

namespace quern::internal {

class Scheduler;

struct ParkedHandler {
  uint64_t cell_id = 0;
  std::string path;
  std::string message;    // being handled; "" in a hook
  std::string waits_for;  // "asks /stock Reserve", "waits"
  Duration waited{};
  size_t queued = 0;  // messages behind it
};

struct ParkedHandlers {
  std::vector<ParkedHandler> handlers;
  std::vector<int> silent_workers;  // held by a handler, or the system has stopped
};

// Blocks the thread until every worker has answered, a moment at most. Thread-safe.
ParkedHandlers CollectParked(Scheduler& scheduler);

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SYSTEM_PARKED_HANDLERS_H_
