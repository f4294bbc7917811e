// A mailbox of another kind than the default: a MailboxQueue behind a lock, with its counts. The
// cell's own intrusive queue then carries only nudges, one whenever a message comes after Take()
// had found none.
//
// Thread-safe. User code runs under the lock only as MailboxQueue says; messages are destroyed
// outside of it.

#ifndef QUERN_RUNTIME_SRC_MAILBOX_CHOSEN_MAILBOX_H_
#define QUERN_RUNTIME_SRC_MAILBOX_CHOSEN_MAILBOX_H_

#include <memory>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "quern/runtime/clock.h"
#include "quern/runtime/delivery.h"
#include "quern/runtime/mailbox.h"
#include "quern/runtime/status.h"

namespace quern::internal {

class ChosenMailbox {
 public:
  // Null for the default kind. INVALID_ARGUMENT: the options contradict themselves.
  static StatusOr<std::unique_ptr<ChosenMailbox>> Make(const MailboxOptions& options);

  struct Offered {
    Delivery delivery = Delivery::kAccepted;
    bool nudge = false;           // the last Take() found nothing: the caller nudges the cell
    Envelope* dropped = nullptr;  // the one offered or another; the caller answers and reports it
    DeadLetterReason reason = DeadLetterReason::kStopped;
  };
  // `arrived`: now, if the message's wait is to be known; at most one at a time.
  Offered Offer(Envelope* envelope, Time arrived = kNever);

  // Null: empty. `*arrived` is set for the message whose wait is to be known.
  Envelope* Take(Time* arrived = nullptr);

  // From now on everything is refused as stopped. What waited, in order.
  std::vector<Envelope*> Close(bool routed_again);

  // For tests of a queue.
  static QueuedMessage Wrap(Envelope* envelope) { return QueuedMessage(envelope); }

  bool empty() const;
  MailboxCounts counts() const;

 private:
  ChosenMailbox(std::unique_ptr<MailboxQueue> queue, PriorityFunction priority)
      : priority_(std::move(priority)), queue_(std::move(queue)) {}

  void Count(DeadLetterReason reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    ++counts_.dropped[static_cast<size_t>(reason)];
  }

  const PriorityFunction priority_;
  mutable absl::Mutex mutex_;
  const std::unique_ptr<MailboxQueue> queue_ ABSL_PT_GUARDED_BY(mutex_);
  MailboxCounts counts_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool drained_ ABSL_GUARDED_BY(mutex_) = true;              // the last Take() found nothing
  const Envelope* timed_ ABSL_GUARDED_BY(mutex_) = nullptr;  // to compare: it may be gone
  Time timed_since_ ABSL_GUARDED_BY(mutex_){};
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_MAILBOX_CHOSEN_MAILBOX_H_
