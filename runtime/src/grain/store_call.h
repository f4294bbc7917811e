// Waits on a fiber for the one callback of a StateStore, which may come inline, later on any
// thread, or, where a store breaks its promise, never.
//
//   StatusOr<StateClaim> saved = AwaitStore<StateClaim>(cell, 5s, [&](auto done) {
//     store.Save(claim, snapshot, 5s, std::move(done));
//   });

#ifndef QUERN_RUNTIME_SRC_GRAIN_STORE_CALL_H_
#define QUERN_RUNTIME_SRC_GRAIN_STORE_CALL_H_

#include <memory>
#include <optional>
#include <utility>

#include "actor/mailbox_cell.h"
#include "quern/runtime/fiber_sync.h"
#include "quern/runtime/status.h"
#include "scheduler/waiter.h"
#include "system/system_core.h"

namespace quern::internal {

// A store answers within its timeout; one that is this much later counts as silent.
inline constexpr Duration kStoreGrace = std::chrono::seconds(1);

// `start` gets the callback. Not cancellable: what was sent must be settled. DEADLINE_EXCEEDED when
// the store stays silent. Suspends.
template <typename T, typename Start>
StatusOr<T> AwaitStore(MailboxCell& cell, Duration timeout, Start start) {
  struct Call {
    TinyLock lock;
    Waiter* waiter ABSL_GUARDED_BY(lock) = nullptr;  // null: answered, or given up
    std::optional<StatusOr<T>> answer ABSL_GUARDED_BY(lock);
  };
  Waiter waiter;
  auto call = std::make_shared<Call>();  // the callback may come after the wait was given up
  {
    TinyLockHolder lock(call->lock);
    call->waiter = &waiter;
  }
  start([call](StatusOr<T> answer) {
    Waiter* waiting = nullptr;
    {
      TinyLockHolder lock(call->lock);
      waiting = std::exchange(call->waiter, nullptr);
      if (waiting != nullptr) call->answer = std::move(answer);
    }
    if (waiting != nullptr) waiting->Wake();
  });
  const Time deadline = cell.core().clock().Now() + timeout + kStoreGrace;
  if (waiter.Wait(deadline) != Waiter::Outcome::kWoken) {
    bool answered = false;
    {
      TinyLockHolder lock(call->lock);
      answered = std::exchange(call->waiter, nullptr) == nullptr;
    }
    if (!answered) return absl::DeadlineExceededError("the state store is silent");
    waiter.Wait();  // the answer stands, its Wake() is on the way
  }
  TinyLockHolder lock(call->lock);
  return *std::move(call->answer);
}

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_GRAIN_STORE_CALL_H_
