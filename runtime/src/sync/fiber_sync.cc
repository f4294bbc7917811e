#include "quern/runtime/fiber_sync.h"

#include <utility>

#include "quern/runtime/check.h"
#include "sync/wait_node.h"

namespace quern {

namespace internal {

void WaitList::Push(WaitNode* node) {
  node->next = nullptr;
  (first_ == nullptr ? first_ : last_->next) = node;
  last_ = node;
}

WaitNode* WaitList::Pop() {
  WaitNode* node = first_;
  if (node != nullptr) first_ = node->next;
  return node;
}

bool WaitList::Remove(WaitNode* node) {
  WaitNode* before = nullptr;
  for (WaitNode* at = first_; at != nullptr; before = at, at = at->next) {
    if (at != node) continue;
    (before == nullptr ? first_ : before->next) = node->next;
    if (last_ == node) last_ = before;
    return true;
  }
  return false;
}

}  // namespace internal

FiberMutex::~FiberMutex() {
  internal::TinyLockHolder lock(lock_);
  QUERN_CHECK(!held_);
}

// The annotations speak of this mutex; the analysis cannot follow a hand-over.
void FiberMutex::Lock() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (TryLock()) return;
  internal::WaitNode node;
  {
    internal::TinyLockHolder lock(lock_);
    if (!held_) {
      held_ = true;
      return;
    }
    waiting_.Push(&node);
  }
  node.waiter.Wait();  // the holder before hands it over: held_ stays true
}

bool FiberMutex::TryLock() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  internal::TinyLockHolder lock(lock_);
  if (held_) return false;
  held_ = true;
  return true;
}

void FiberMutex::Unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  internal::WaitNode* next = nullptr;
  {
    internal::TinyLockHolder lock(lock_);
    QUERN_CHECK(held_);
    next = waiting_.Pop();
    if (next == nullptr) held_ = false;
  }
  // From here on the mutex is another's, who may destroy it.
  if (next != nullptr) next->waiter.Wake();
}

FiberCondVar::~FiberCondVar() {
  internal::TinyLockHolder lock(lock_);
  QUERN_CHECK(waiting_.empty());
}

void FiberCondVar::Wait(FiberMutex& mutex) { WaitUntil(mutex, kNever); }

bool FiberCondVar::WaitUntil(FiberMutex& mutex, Time deadline) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  internal::WaitNode node;
  {
    internal::TinyLockHolder lock(lock_);
    waiting_.Push(&node);
  }
  mutex.Unlock();
  bool notified = node.waiter.Wait(deadline) == internal::Waiter::Outcome::kWoken;
  if (!notified) {
    bool removed = false;
    {
      internal::TinyLockHolder lock(lock_);
      removed = waiting_.Remove(&node);
    }
    // Whoever took the node off the list is about to wake it: the notification counts.
    if (!removed) {
      node.waiter.Wait();
      notified = true;
    }
  }
  mutex.Lock();
  return notified;
}

void FiberCondVar::NotifyOne() {
  internal::WaitNode* node = nullptr;
  {
    internal::TinyLockHolder lock(lock_);
    node = waiting_.Pop();
  }
  if (node != nullptr) node->waiter.Wake();
}

void FiberCondVar::NotifyAll() {
  internal::WaitList woken;
  {
    internal::TinyLockHolder lock(lock_);
    std::swap(woken, waiting_);
  }
  // A node is gone as soon as it is woken: the next one is read first.
  while (internal::WaitNode* node = woken.Pop()) node->waiter.Wake();
}

}  // namespace quern
