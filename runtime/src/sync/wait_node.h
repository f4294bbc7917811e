// One that waits in a WaitList: a Waiter with a link. It stands on the waiting fiber's or thread's
// own stack, and may be touched by others only while it is in the list.

#ifndef QUERN_RUNTIME_SRC_SYNC_WAIT_NODE_H_
#define QUERN_RUNTIME_SRC_SYNC_WAIT_NODE_H_

#include "quern/runtime/fiber_sync.h"
#include "scheduler/waiter.h"

namespace quern::internal {

struct WaitNode {
  Waiter waiter;
  WaitNode* next = nullptr;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SYNC_WAIT_NODE_H_
