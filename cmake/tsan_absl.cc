// What ThreadSanitizer has to know of abseil's Mutex, CondVar and Notification. Debian's library is
// not built for it, so that everything a Mutex guards would look like a race, and no order of locks
// would be seen. The linker (--wrap, see quern.cmake) sends the program's own calls here, where
// they are announced as abseil itself does it when it is built for the sanitizer. Readers' locks
// and waits until a Time are not used.

#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>
#include <absl/time/time.h>
#include <sanitizer/tsan_interface.h>

using absl::Condition;
using absl::CondVar;
using absl::Mutex;
using absl::Notification;

// The names as the linker knows them; `debian3` is the inline namespace of Debian's package.
#define QUERN_REAL_(name) asm("__real__ZN4absl7debian35Mutex" name)
#define QUERN_WRAP_(name) asm("__wrap__ZN4absl7debian35Mutex" name)
#define QUERN_REAL_CONDVAR_(name) asm("__real__ZN4absl7debian37CondVar" name)
#define QUERN_WRAP_CONDVAR_(name) asm("__wrap__ZN4absl7debian37CondVar" name)
#define QUERN_REAL_NOTIFICATION_(k, name) asm("__real__ZN" k "4absl7debian312Notification" name)
#define QUERN_WRAP_NOTIFICATION_(k, name) asm("__wrap__ZN" k "4absl7debian312Notification" name)

extern "C" {
void RealDestroy(Mutex*) QUERN_REAL_("D1Ev");
void RealLock(Mutex*) QUERN_REAL_("4LockEv");
bool RealTryLock(Mutex*) QUERN_REAL_("7TryLockEv");
void RealUnlock(Mutex*) QUERN_REAL_("6UnlockEv");
void RealAwait(Mutex*, const Condition&) QUERN_REAL_("5AwaitERKNS0_9ConditionE");
bool RealAwaitWithTimeout(Mutex*, const Condition&, absl::Duration)
    QUERN_REAL_("16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE");

void WrapDestroy(Mutex*) QUERN_WRAP_("D1Ev");
void WrapLock(Mutex*) QUERN_WRAP_("4LockEv");
bool WrapTryLock(Mutex*) QUERN_WRAP_("7TryLockEv");
void WrapUnlock(Mutex*) QUERN_WRAP_("6UnlockEv");
void WrapAwait(Mutex*, const Condition&) QUERN_WRAP_("5AwaitERKNS0_9ConditionE");
bool WrapAwaitWithTimeout(Mutex*, const Condition&, absl::Duration)
    QUERN_WRAP_("16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE");

void RealWait(CondVar*, Mutex*) QUERN_REAL_CONDVAR_("4WaitEPNS0_5MutexE");
bool RealWaitWithTimeout(CondVar*, Mutex*, absl::Duration)
    QUERN_REAL_CONDVAR_("15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE");
void WrapWait(CondVar*, Mutex*) QUERN_WRAP_CONDVAR_("4WaitEPNS0_5MutexE");
bool WrapWaitWithTimeout(CondVar*, Mutex*, absl::Duration)
    QUERN_WRAP_CONDVAR_("15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE");

void RealNotify(Notification*) QUERN_REAL_NOTIFICATION_("", "6NotifyEv");
void RealWaitFor(const Notification*) QUERN_REAL_NOTIFICATION_("K", "19WaitForNotificationEv");
bool RealWaitForWithTimeout(const Notification*, absl::Duration)
    QUERN_REAL_NOTIFICATION_("K", "30WaitForNotificationWithTimeoutENS0_8DurationE");
void WrapNotify(Notification*) QUERN_WRAP_NOTIFICATION_("", "6NotifyEv");
void WrapWaitFor(const Notification*) QUERN_WRAP_NOTIFICATION_("K", "19WaitForNotificationEv");
bool WrapWaitForWithTimeout(const Notification*, absl::Duration)
    QUERN_WRAP_NOTIFICATION_("K", "30WaitForNotificationWithTimeoutENS0_8DurationE");
}

namespace {

// A wait gives the lock up and takes it again. Its condition may be evaluated by whoever unlocks,
// under the lock: between the two calls memory is not looked at.
template <typename Wait>
auto Announced(Mutex* mutex, Wait wait) {
  __tsan_mutex_pre_unlock(mutex, 0);
  __tsan_mutex_post_unlock(mutex, 0);
  __tsan_mutex_pre_lock(mutex, 0);
  const auto result = wait();
  __tsan_mutex_post_lock(mutex, 0, 0);
  return result;
}

}  // namespace

void WrapDestroy(Mutex* mutex) {
  RealDestroy(mutex);
  __tsan_mutex_destroy(mutex, __tsan_mutex_not_static);
}

void WrapLock(Mutex* mutex) {
  __tsan_mutex_pre_lock(mutex, 0);
  RealLock(mutex);
  __tsan_mutex_post_lock(mutex, 0, 0);
}

bool WrapTryLock(Mutex* mutex) {
  __tsan_mutex_pre_lock(mutex, __tsan_mutex_try_lock);
  const bool locked = RealTryLock(mutex);
  __tsan_mutex_post_lock(mutex, __tsan_mutex_try_lock | (locked ? 0 : __tsan_mutex_try_lock_failed),
                         0);
  return locked;
}

void WrapUnlock(Mutex* mutex) {
  __tsan_mutex_pre_unlock(mutex, 0);
  RealUnlock(mutex);
  __tsan_mutex_post_unlock(mutex, 0);
}

void WrapAwait(Mutex* mutex, const Condition& condition) {
  Announced(mutex, [&] {
    RealAwait(mutex, condition);
    return true;
  });
}

bool WrapAwaitWithTimeout(Mutex* mutex, const Condition& condition, absl::Duration timeout) {
  return Announced(mutex, [&] { return RealAwaitWithTimeout(mutex, condition, timeout); });
}

void WrapWait(CondVar* changed, Mutex* mutex) {
  Announced(mutex, [&] {
    RealWait(changed, mutex);
    return true;
  });
}

bool WrapWaitWithTimeout(CondVar* changed, Mutex* mutex, absl::Duration timeout) {
  return Announced(mutex, [&] { return RealWaitWithTimeout(changed, mutex, timeout); });
}

void WrapNotify(Notification* notification) {
  __tsan_release(notification);
  RealNotify(notification);
}

void WrapWaitFor(const Notification* notification) {
  RealWaitFor(notification);
  __tsan_acquire(const_cast<Notification*>(notification));
}

bool WrapWaitForWithTimeout(const Notification* notification, absl::Duration timeout) {
  const bool notified = RealWaitForWithTimeout(notification, timeout);
  if (notified) __tsan_acquire(const_cast<Notification*>(notification));
  return notified;
}
