// Where an actor's messages wait. The default takes everything in order of arrival; another kind is
// chosen at the spawn.
//
//   auto urgent = [](const quern::QueuedMessage& m) { return m.As<Cancel>() != nullptr ? 1 : 0; };
//   system.Spawn<Worker>({.mailbox = quern::BoundedMailbox(1000)}, "worker");
//   system.Spawn<Printer>({.mailbox = quern::PriorityMailbox(urgent)}, "printer");
//   system.Spawn<Gate>({.mailbox = quern::FairMailbox()}, "gate");
//   system.Spawn<Screen>({.mailbox = quern::CustomMailbox<LatestOnly>()}, "screen");
//
// No kind ever makes a sender wait, so an actor may always send to itself. What there is no room
// for is dropped and counted with its reason: a tell is dead-lettered, and one that was refused
// says kFull; an ask is answered RESOURCE_EXHAUSTED at once. A capacity counts messages that wait,
// not the one being handled; stops and other signals of the runtime pass by the mailbox, and so do
// messages that an actor has taken out and puts back.
//
//   sent = taken + dropped, by reason + queued      holds exactly at any time (MailboxCounts)
//
// Bounds: kFairSendersMax lines in a fair mailbox; senders beyond share one.

#ifndef QUERN_RUNTIME_MAILBOX_H_
#define QUERN_RUNTIME_MAILBOX_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "quern/runtime/dead_letter.h"
#include "quern/runtime/internal/envelope.h"
#include "quern/runtime/internal/signature.h"

namespace quern {

template <typename Api>
class Ref;

namespace internal {
class Cell;
class ChosenMailbox;
}  // namespace internal

// A message that waits. Owns it: destroyed, it is dropped, and an ask answered RESOURCE_EXHAUSTED.
// One thread at a time.
class QueuedMessage {
 public:
  QueuedMessage() = default;  // nothing
  QueuedMessage(QueuedMessage&& other) noexcept
      : envelope_(std::exchange(other.envelope_, nullptr)), priority_(other.priority_) {}
  QueuedMessage& operator=(QueuedMessage&& other) noexcept;
  ~QueuedMessage();

  // False: nothing. Then only this, assignment and destruction are allowed.
  explicit operator bool() const { return envelope_ != nullptr; }

  // The message, if it is an M; else null. Valid as long as this is.
  template <typename M>
  const M* As() const {
    if (envelope_->signature->message_type != &internal::kMessageType<M>) return nullptr;
    return static_cast<const M*>(envelope_->message());
  }

  // As the compiler writes the type: for logs.
  std::string_view name() const { return envelope_->signature->message_name; }
  // Of the actor that sent it; 0: a plain thread, or nobody.
  uint64_t sender_id() const;
  bool is_ask() const { return envelope_->is_ask(); }
  // Given by the function of a PriorityMailbox; else 0.
  int priority() const { return priority_; }

 private:
  friend class internal::ChosenMailbox;

  explicit QueuedMessage(internal::Envelope* envelope) : envelope_(envelope) {}

  internal::Envelope* envelope_ = nullptr;
  int priority_ = 0;
};

// The order and the bound of a mailbox. One's own derives from it. Calls come one at a time, from
// any thread, while the mailbox is locked: they must not send, wait or keep references.
class MailboxQueue {
 public:
  virtual ~MailboxQueue() = default;

  // Takes `message`. Returns what there is no room for: nothing, `message` itself (its Tell says
  // kFull) or another one that made room for it.
  virtual QueuedMessage Enqueue(QueuedMessage message) = 0;

  // The next to be handled; nothing when it is empty.
  virtual QueuedMessage Dequeue() = 0;

  // Messages that Dequeue() would return.
  virtual size_t size() const = 0;
};

// What happens to a message for which there is no room.
enum class WhenFull : uint8_t {
  kReject,      // it is refused: Tell says kFull
  kDropNewest,  // the last in line makes room for it
  kDropOldest,  // the first in line makes room for it
};

// Larger runs first. Called on the sender's thread, once a message; must not send or wait.
using PriorityFunction = std::function<int(const QueuedMessage&)>;

// Of SpawnOptions: made by the functions below. The default is the unbounded mailbox.
struct MailboxOptions {
  enum class Kind : uint8_t { kUnbounded, kBounded, kPriority, kFair, kCustom };

  Kind kind = Kind::kUnbounded;
  WhenFull when_full = WhenFull::kReject;
  size_t capacity = 0;  // 0: no bound
  PriorityFunction priority = nullptr;
  std::function<std::unique_ptr<MailboxQueue>()> custom = nullptr;
};

// In order of arrival, at most `capacity`. The spawn says INVALID_ARGUMENT to 0.
MailboxOptions BoundedMailbox(size_t capacity, WhenFull when_full = WhenFull::kReject);

// By priority, and among equals in order of arrival. With a capacity (0: none), kDropNewest drops
// what is least urgent and, among equals, the last to come, be it the one that comes. The spawn
// says INVALID_ARGUMENT to kDropOldest and to an empty function.
MailboxOptions PriorityMailbox(PriorityFunction priority, size_t capacity = 0,
                               WhenFull when_full = WhenFull::kReject);

// One message of each sender in turn, a sender's own in order; plain threads are one sender. With
// a capacity (0: none) what comes beyond it is refused.
MailboxOptions FairMailbox(size_t capacity = 0);

// A Queue of one's own, made from copies of `args` at the spawn.
template <typename Queue, typename... Args>
MailboxOptions CustomMailbox(Args... args) {
  static_assert(std::is_base_of_v<MailboxQueue, Queue>, "a mailbox derives from MailboxQueue");
  MailboxOptions options;
  options.kind = MailboxOptions::Kind::kCustom;
  options.custom = [args...] { return std::make_unique<Queue>(args...); };
  return options;
}

// What went through a mailbox of a chosen kind since the spawn.
struct MailboxCounts {
  uint64_t sent = 0;
  uint64_t taken = 0;  // handled, being handled, or routed again
  std::array<uint64_t, kDeadLetterReasons> dropped{};
  uint64_t queued = 0;

  uint64_t dropped_for(DeadLetterReason reason) const {
    return dropped[static_cast<size_t>(reason)];
  }
};

namespace internal {
std::optional<MailboxCounts> MailboxCountsOf(const Cell* cell);
}

// Nothing for an actor with the default mailbox, which counts nothing, and for what lives on
// another node. Thread-safe.
template <typename Api>
std::optional<MailboxCounts> MailboxCountsOf(const Ref<Api>& ref) {
  return internal::MailboxCountsOf(ref.cell().get());
}

}  // namespace quern

#endif  // QUERN_RUNTIME_MAILBOX_H_
