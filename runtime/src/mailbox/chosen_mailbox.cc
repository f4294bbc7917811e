#include "mailbox/chosen_mailbox.h"

#include <utility>

#include "mailbox/envelope_extra.h"
#include "mailbox/mailbox_queues.h"

namespace quern {

QueuedMessage& QueuedMessage::operator=(QueuedMessage&& other) noexcept {
  std::swap(envelope_, other.envelope_);
  std::swap(priority_, other.priority_);
  return *this;
}

QueuedMessage::~QueuedMessage() {
  if (envelope_ == nullptr) return;
  internal::DropEnvelope(envelope_,
                         absl::ResourceExhaustedError("the mailbox did away with the message"));
}

uint64_t QueuedMessage::sender_id() const { return internal::SenderIdOf(*envelope_); }

MailboxOptions BoundedMailbox(size_t capacity, WhenFull when_full) {
  MailboxOptions options;
  options.kind = MailboxOptions::Kind::kBounded;
  options.capacity = capacity;
  options.when_full = when_full;
  return options;
}

MailboxOptions PriorityMailbox(PriorityFunction priority, size_t capacity, WhenFull when_full) {
  MailboxOptions options;
  options.kind = MailboxOptions::Kind::kPriority;
  options.capacity = capacity;
  options.when_full = when_full;
  options.priority = std::move(priority);
  return options;
}

MailboxOptions FairMailbox(size_t capacity) {
  MailboxOptions options;
  options.kind = MailboxOptions::Kind::kFair;
  options.capacity = capacity;
  return options;
}

namespace internal {
namespace {

StatusOr<std::unique_ptr<MailboxQueue>> MakeQueue(const MailboxOptions& options) {
  switch (options.kind) {
    case MailboxOptions::Kind::kUnbounded:
      break;
    case MailboxOptions::Kind::kBounded:
      if (options.capacity == 0) {
        return absl::InvalidArgumentError("a bounded mailbox needs a capacity of at least 1");
      }
      return std::make_unique<BoundedQueue>(options.capacity, options.when_full);
    case MailboxOptions::Kind::kPriority:
      if (!options.priority) {
        return absl::InvalidArgumentError("a priority mailbox needs a function of the message");
      }
      if (options.when_full == WhenFull::kDropOldest) {
        return absl::InvalidArgumentError(
            "a priority mailbox cannot drop the oldest: it drops the least urgent (kDropNewest)");
      }
      return std::make_unique<PriorityQueue>(options.capacity, options.when_full);
    case MailboxOptions::Kind::kFair:
      return std::make_unique<FairQueue>(options.capacity);
    case MailboxOptions::Kind::kCustom:
      if (std::unique_ptr<MailboxQueue> queue = options.custom ? options.custom() : nullptr) {
        return queue;
      }
      return absl::InvalidArgumentError("a custom mailbox needs a function that makes its queue");
  }
  return nullptr;
}

}  // namespace

StatusOr<std::unique_ptr<ChosenMailbox>> ChosenMailbox::Make(const MailboxOptions& options) {
  auto queue = MakeQueue(options);
  if (!queue.ok()) return queue.status();
  if (*queue == nullptr) return nullptr;
  return std::unique_ptr<ChosenMailbox>(new ChosenMailbox(*std::move(queue), options.priority));
}

ChosenMailbox::Offered ChosenMailbox::Offer(Envelope* envelope, Time arrived) {
  QueuedMessage message(envelope);
  if (priority_) message.priority_ = priority_(message);
  Offered offered;
  absl::MutexLock lock(&mutex_);
  ++counts_.sent;
  // One that was timed and is gone may have had this one's memory.
  if (arrived != kNever || envelope == timed_) {
    timed_ = arrived != kNever ? envelope : nullptr;
    timed_since_ = arrived;
  }
  if (closed_) {
    offered = {Delivery::kStopped, false, std::exchange(message.envelope_, nullptr),
               DeadLetterReason::kStopped};
    Count(offered.reason);
    return offered;
  }
  QueuedMessage without_room = queue_->Enqueue(std::move(message));
  if (without_room) {
    offered.dropped = std::exchange(without_room.envelope_, nullptr);
    const bool refused = offered.dropped == envelope;
    offered.reason = refused ? DeadLetterReason::kFull : DeadLetterReason::kDropped;
    Count(offered.reason);
    if (refused) {
      offered.delivery = Delivery::kFull;
      return offered;
    }
  }
  offered.nudge = std::exchange(drained_, false);
  return offered;
}

Envelope* ChosenMailbox::Take(Time* arrived) {
  absl::MutexLock lock(&mutex_);
  QueuedMessage next = queue_->Dequeue();
  if (!next) {
    drained_ = true;
    return nullptr;
  }
  ++counts_.taken;
  if (next.envelope_ == timed_) {
    if (arrived != nullptr) *arrived = timed_since_;
    timed_ = nullptr;
  }
  return std::exchange(next.envelope_, nullptr);
}

std::vector<Envelope*> ChosenMailbox::Close(bool routed_again) {
  std::vector<Envelope*> waiting;
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  while (QueuedMessage next = queue_->Dequeue()) {
    waiting.push_back(std::exchange(next.envelope_, nullptr));
    if (routed_again) {
      ++counts_.taken;
    } else {
      Count(DeadLetterReason::kStopped);
    }
  }
  return waiting;
}

bool ChosenMailbox::empty() const {
  absl::MutexLock lock(&mutex_);
  return queue_->size() == 0;
}

MailboxCounts ChosenMailbox::counts() const {
  absl::MutexLock lock(&mutex_);
  MailboxCounts counts = counts_;
  counts.queued = queue_->size();
  // A custom queue may do away with messages on its own: they are what is missing.
  uint64_t known = counts.taken + counts.queued;
  for (uint64_t dropped : counts.dropped) known += dropped;
  counts.dropped[static_cast<size_t>(DeadLetterReason::kDropped)] += counts.sent - known;
  return counts;
}

}  // namespace internal
}  // namespace quern
