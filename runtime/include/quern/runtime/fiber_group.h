// Work that one handler splits among fibers and waits for.
//
//   quern::FiberGroup group;
//   for (Shard& shard : shards) group.Go([&] { shard.answer = shard.ref.Ask(Query{}); });
//   group.Wait();                                   // suspends until all have returned
//
// The fibers belong to the actor or activation whose turn made the group: what they ask and tell
// carries its identity, deadline and call chain, and they share its worker, so that they run one
// at a time and only where one suspends does another go on. Its mailbox waits meanwhile, for the
// turn is not over.
//
// Owner only: made, filled and waited for by one turn. Destroying a group with fibers that still
// run is a bug and stops the program. What a function throws ends that function alone and is
// reported by Wait().

#ifndef QUERN_RUNTIME_FIBER_GROUP_H_
#define QUERN_RUNTIME_FIBER_GROUP_H_

#include <cstddef>
#include <functional>
#include <memory>

#include "quern/runtime/clock.h"
#include "quern/runtime/status.h"

namespace quern {

class FiberGroup {
 public:
  // On a turn only: anywhere else it is a bug.
  FiberGroup();
  FiberGroup(const FiberGroup&) = delete;
  FiberGroup& operator=(const FiberGroup&) = delete;
  ~FiberGroup();

  // Runs `fn` on a fiber of its own, starting when this one suspends next. Never suspends.
  void Go(std::function<void()> fn);

  // Suspends until every fiber has returned. OK, or UNKNOWN with the what() of the first function
  // that threw. The group may be filled again afterwards.
  Status Wait();

  // Fibers that have not returned yet.
  size_t running() const;

 private:
  struct Shared;
  std::unique_ptr<Shared> shared_;
};

// Suspends the handler that calls it for `duration` of the system's clock. CANCELLED as soon as its
// actor has been asked to stop. On a turn, or on a FiberGroup's fiber; elsewhere it returns
// FAILED_PRECONDITION at once.
Status SleepFor(Duration duration);

}  // namespace quern

#endif  // QUERN_RUNTIME_FIBER_GROUP_H_
