#include "quern/runtime/gate.h"

#include <utility>

#include "quern/runtime/check.h"
#include "sync/wait_node.h"

namespace quern {

Gate::~Gate() {
  internal::TinyLockHolder lock(lock_);
  QUERN_CHECK(closed_ && passes_ == 0 && closing_.empty());
}

StatusOr<Gate::Pass> Gate::Enter() {
  internal::TinyLockHolder lock(lock_);
  if (closed_) return absl::UnavailableError("the gate is closed");
  ++passes_;
  return Pass(this);
}

void Gate::Leave() {
  internal::WaitList done;
  {
    internal::TinyLockHolder lock(lock_);
    if (--passes_ == 0) std::swap(done, closing_);
  }
  // From here on the gate may be gone: those who closed it are the ones woken.
  while (internal::WaitNode* node = done.Pop()) node->waiter.Wake();
}

void Gate::Close() {
  internal::WaitNode node;
  {
    internal::TinyLockHolder lock(lock_);
    closed_ = true;
    if (passes_ == 0) return;
    closing_.Push(&node);
  }
  node.waiter.Wait();
}

}  // namespace quern
