// The asker's end of an ask that is awaited later: memory for the reply, and the two sides that may
// let go of it in any order.
//
//   asker     StartAsk .. LinkAwait, AwaitAsk, CancelAsk .. FreePending
//   replier   ClaimReply, writes the slot, Done()
//
// Whoever is last frees it: FreePending(), or Done() when the asker has gone meanwhile. A deadline
// is looked at when the ask is awaited: until then nothing runs for it.

#ifndef QUERN_RUNTIME_SRC_ACTOR_PENDING_ASK_H_
#define QUERN_RUNTIME_SRC_ACTOR_PENDING_ASK_H_

#include <atomic>

#include <absl/base/thread_annotations.h>

#include "actor/answer_wait.h"
#include "actor/call_chain.h"
#include "quern/runtime/ask.h"
#include "quern/runtime/clock.h"
#include "quern/runtime/fiber_sync.h"
#include "quern/runtime/internal/cell.h"
#include "quern/runtime/internal/envelope.h"
#include "quern/runtime/limits.h"
#include "quern/runtime/status.h"
#include "scheduler/waiter.h"

namespace quern::internal {

class MailboxCell;
struct Turn;

// A waiter for the first of several.
class FirstDone {
 public:
  explicit FirstDone(SystemCore* core) : waiter_(core) {}

  // Under the lock of one that is done, or of none.
  void Notify() {
    if (!woken_.exchange(true, std::memory_order_acq_rel)) waiter_.Wake();
  }
  // A time-out or cancellation after which Notify() cannot be called any more, or has been.
  void Settle() {
    if (woken_.exchange(true, std::memory_order_acq_rel)) waiter_.Wait();
  }
  Waiter& waiter() { return waiter_; }

 private:
  Waiter waiter_;
  std::atomic<bool> woken_{false};
};

class alignas(kMessageAlignmentMax) PendingAsk final : public Completion {
 public:
  static PendingAsk* New(const Signature& signature, Cell* target);

  // Sends it, or keeps the status that says why not.
  void Start(Envelope* envelope, const AskOptions& options);

  // Owner only, all of them.
  bool answered();
  void Link();
  bool Await(Status* status);
  void Cancel();
  void Free();
  Time deadline() const { return deadline_; }
  AnswerWait wait() const { return {target_.get(), &signature_, envelope_, asked_at_, open_}; }
  // False: it has a result already. Else `first` is notified until StopListening().
  bool Listen(FirstDone* first);
  void StopListening();

  void* slot() { return this + 1; }
  SystemCore* core() const { return target_ ? target_->system_core() : nullptr; }

  // Of the replier.
  void Done() override;

 private:
  PendingAsk(const Signature& signature, Cell* target);
  ~PendingAsk();
  static void Delete(PendingAsk* ask);

  Status Prepare(Turn* turn, Envelope* envelope, const AskOptions& options);
  // Gives the ask up for good, unless a reply stands in the slot or is being written.
  bool Abandon(Status why);
  void AwaitDone();
  void EndLink();
  void LeaveSlot();

  const Signature& signature_;
  const CellPtr<Cell> target_;
  // Owner only. The envelope is null once it is answered for good or has been given up.
  Envelope* envelope_ = nullptr;
  CallChain* link_ = nullptr;   // counted
  CellPtr<MailboxCell> asker_;  // whose asks in flight are counted; else null
  bool open_ = false;
  Status failure_;
  Time asked_at_{};
  Time deadline_ = kNever;

  std::atomic<bool> counted_{false};
  TinyLock lock_;
  bool done_ ABSL_GUARDED_BY(lock_) = false;
  bool asker_gone_ ABSL_GUARDED_BY(lock_) = false;
  FirstDone* listener_ ABSL_GUARDED_BY(lock_) = nullptr;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_PENDING_ASK_H_
