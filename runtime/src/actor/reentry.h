// What a cell keeps that handles messages while others of its handlers wait (Reentrancy), or whose
// asks in flight are counted.
//
// One turn of the cell consumes its mailbox. A handler that begins to wait detaches its message,
// leaves the consuming to a new turn, and is "away" until it ends. As long as one is away or
// parked, the cell is pinned: all its turns run on that worker. Signals wait until nobody is away,
// so that whatever ends or changes the object finds it alone; those excepted that do neither.

#ifndef QUERN_RUNTIME_SRC_ACTOR_REENTRY_H_
#define QUERN_RUNTIME_SRC_ACTOR_REENTRY_H_

#include <atomic>
#include <cstdint>
#include <vector>

#include "quern/runtime/reentrancy.h"

namespace quern::internal {

class Envelope;
struct Turn;

struct Reentry {
  Reentry(Reentrancy default_mode, uint32_t max) : mode(default_mode), asks_max(max) {}

  // Thread-safe. False: so many are in flight already.
  bool TakeSlot() {
    if (asks.fetch_add(1, std::memory_order_relaxed) < asks_max || asks_max == 0) return true;
    LeaveSlot();
    return false;
  }
  void LeaveSlot() { asks.fetch_sub(1, std::memory_order_relaxed); }

  const Reentrancy mode;
  const uint32_t asks_max;  // 0: no bound
  std::atomic<uint32_t> asks{0};

  // On the worker that the cell is pinned to.
  std::vector<Turn*> parked;  // in cancellable waits; others look at it through kLookedAt
  int away = 0;
  int holding = 0;               // asks that hold back what has not begun
  uint32_t at_once = 0;          // signals that do not wait; constant
  uint32_t deferred = 0;         // signals that do
  bool ending = false;           // a stop or failure is among them: nothing further begins
  std::vector<Envelope*> aside;  // taken out of the mailbox for Close(), in order
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_REENTRY_H_
