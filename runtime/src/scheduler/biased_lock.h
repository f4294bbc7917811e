// A lock that belongs to one thread: the owner takes it with two plain stores and a load, because
// whoever else wants it pays for both with the membarrier system call (a couple of microseconds).
// For what the owner does all the time and others hardly ever.
//
//   owner    lock.Lock(); list.PushBack(x); lock.Unlock();
//   other    if (lock.TryLockOther()) { y = list.PopFront(); lock.UnlockOther(); }
//
// An owner's sections are a few instructions long and call nobody; the owner waits for an other's,
// so those are short, too. One other at a time.

#ifndef QUERN_RUNTIME_SRC_SCHEDULER_BIASED_LOCK_H_
#define QUERN_RUNTIME_SRC_SCHEDULER_BIASED_LOCK_H_

#include <atomic>

namespace quern::internal {

class BiasedLock {
 public:
  // Whether the kernel takes part; without it TryLockOther() never succeeds. Once a process.
  static bool Available();

  void Lock() {
    busy_.store(true, std::memory_order_relaxed);
    // The compiler's half of the barrier; the processor's is in TryLockOther().
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (wanted_.load(std::memory_order_acquire)) [[unlikely]] {
      LetOther();
    }
  }
  void Unlock() { busy_.store(false, std::memory_order_release); }

  // False: another one is inside, the owner stays too long, or Available() is false. Thread-safe.
  bool TryLockOther();
  void UnlockOther() { wanted_.store(false, std::memory_order_release); }

 private:
  void LetOther();

  std::atomic<bool> busy_{false};
  std::atomic<bool> wanted_{false};
};

class BiasedLockHolder {
 public:
  explicit BiasedLockHolder(BiasedLock& lock) : lock_(lock) { lock_.Lock(); }
  ~BiasedLockHolder() { lock_.Unlock(); }
  BiasedLockHolder(const BiasedLockHolder&) = delete;
  BiasedLockHolder& operator=(const BiasedLockHolder&) = delete;

 private:
  BiasedLock& lock_;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SCHEDULER_BIASED_LOCK_H_
