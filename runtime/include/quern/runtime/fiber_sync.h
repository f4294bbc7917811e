// Mutual exclusion and waiting for code that runs in handlers. A thread's mutex would park the
// worker, and with it every actor there; these park the caller alone.
//
//   FiberMutex mutex;
//   FiberCondVar filled;
//   std::deque<Job> jobs ABSL_GUARDED_BY(mutex);
//
//   FiberMutexLock lock(mutex);
//   while (jobs.empty()) filled.Wait(mutex);
//
// Thread-safe, and usable from fibers and plain threads alike: a fiber gives up its worker, a plain
// thread blocks. Both queues are first in, first out; a mutex is handed to the one that waited
// longest. An actor rarely needs either: its handlers never run beside each other.

#ifndef QUERN_RUNTIME_FIBER_SYNC_H_
#define QUERN_RUNTIME_FIBER_SYNC_H_

#include <atomic>

#include <absl/base/thread_annotations.h>

#include "quern/runtime/clock.h"

namespace quern {

namespace internal {

// Guards a few instructions, with no call out. A thread that loses the race blocks.
class ABSL_LOCKABLE TinyLock {
 public:
  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() {
    while (held_.exchange(true, std::memory_order_acquire)) {
      held_.wait(true, std::memory_order_relaxed);
    }
  }
  void Unlock() ABSL_UNLOCK_FUNCTION() {
    held_.store(false, std::memory_order_release);
    held_.notify_one();
  }

 private:
  std::atomic<bool> held_ = false;
};

class ABSL_SCOPED_LOCKABLE TinyLockHolder {
 public:
  explicit TinyLockHolder(TinyLock& lock) ABSL_EXCLUSIVE_LOCK_FUNCTION(lock) : lock_(lock) {
    lock_.Lock();
  }
  ~TinyLockHolder() ABSL_UNLOCK_FUNCTION() { lock_.Unlock(); }
  TinyLockHolder(const TinyLockHolder&) = delete;
  TinyLockHolder& operator=(const TinyLockHolder&) = delete;

 private:
  TinyLock& lock_;
};

struct WaitNode;  // one that waits; it stands on the waiting stack

// Those that wait, the longest first. Guarded by the lock of its owner.
class WaitList {
 public:
  bool empty() const { return first_ == nullptr; }
  void Push(WaitNode* node);
  WaitNode* Pop();              // nullptr: none
  bool Remove(WaitNode* node);  // false: not in the list

 private:
  WaitNode* first_ = nullptr;
  WaitNode* last_ = nullptr;
};

}  // namespace internal

// Not recursive. Destroying a held one is a bug and stops the program.
class ABSL_LOCKABLE FiberMutex {
 public:
  FiberMutex() = default;
  FiberMutex(const FiberMutex&) = delete;
  FiberMutex& operator=(const FiberMutex&) = delete;
  ~FiberMutex();

  // Suspends while another holds it.
  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION();

  // Never suspends.
  bool TryLock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true);

  // By the holder. Never suspends.
  void Unlock() ABSL_UNLOCK_FUNCTION();

 private:
  internal::TinyLock lock_;
  bool held_ ABSL_GUARDED_BY(lock_) = false;
  internal::WaitList waiting_ ABSL_GUARDED_BY(lock_);
};

class ABSL_SCOPED_LOCKABLE FiberMutexLock {
 public:
  // Suspends while another holds the mutex.
  explicit FiberMutexLock(FiberMutex& mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    mutex_.Lock();
  }
  ~FiberMutexLock() ABSL_UNLOCK_FUNCTION() { mutex_.Unlock(); }
  FiberMutexLock(const FiberMutexLock&) = delete;
  FiberMutexLock& operator=(const FiberMutexLock&) = delete;

 private:
  FiberMutex& mutex_;
};

// Destroying one that is waited on is a bug and stops the program.
class FiberCondVar {
 public:
  FiberCondVar() = default;
  FiberCondVar(const FiberCondVar&) = delete;
  FiberCondVar& operator=(const FiberCondVar&) = delete;
  ~FiberCondVar();

  // Gives up `mutex` and waits for a notification, as one step; holds `mutex` again on return.
  // Suspends. Never wakes unasked, but another may have run first: test the condition in a loop.
  void Wait(FiberMutex& mutex) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // The same, until `deadline` of the system's clock at most. False: nobody notified by then.
  // Suspends. From fibers only: a plain thread belongs to no system whose clock would count.
  bool WaitUntil(FiberMutex& mutex, Time deadline) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // Wakes the one that waited longest, or all. With or without the mutex. Never suspends.
  void NotifyOne();
  void NotifyAll();

 private:
  internal::TinyLock lock_;
  internal::WaitList waiting_ ABSL_GUARDED_BY(lock_);
};

}  // namespace quern

#endif  // QUERN_RUNTIME_FIBER_SYNC_H_
