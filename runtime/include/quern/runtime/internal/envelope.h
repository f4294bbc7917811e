// A message in flight: an intrusive node of a mailbox, the message by value behind it, and for an
// ask the word that asker and replier race on.
//
//   header (32 bytes) | message | AskBlock (asks only)
//
// Ownership: whoever holds an Envelope* out of a mailbox owns it and must end it by exactly one of
//   FinishEnvelope(e)       the handler ran (an ask not yet answered is answered ABORTED)
//   DropEnvelope(e, why)    it did not run: an ask is answered `why`, which must not be OK
// or by handing it on (Cell::Post). An ask's block outlives both ends: the last of replier and
// asker frees it.

#ifndef QUERN_RUNTIME_INTERNAL_ENVELOPE_H_
#define QUERN_RUNTIME_INTERNAL_ENVELOPE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "quern/runtime/clock.h"
#include "quern/runtime/internal/block_class.h"
#include "quern/runtime/internal/signature.h"
#include "quern/runtime/status.h"

namespace quern::internal {

class CallChain;
class EnvelopeExtra;

struct MailboxNode {
  std::atomic<MailboxNode*> next{nullptr};
};

// Told once, by the replier and on its thread, that the reply stands in the slot.
class Completion {
 public:
  virtual void Done() = 0;

 protected:
  ~Completion() = default;
};

struct AskBlock {
  void* slot;              // raw memory for ReplySlot<R>; written only after a won ClaimReply()
  Completion* completion;  // valid until Done() or a won abandon
  Time deadline;
  CallChain* chain;  // counted; who waits for this answer; may be null
  std::atomic<Time::rep> begun_at{Time::max().time_since_epoch().count()};

  // When its handler began; kNever: not yet.
  Time begun() const { return Time(Duration(begun_at.load(std::memory_order_relaxed))); }
  void Begin(Time now) {
    begun_at.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  }
};

// What is known of an envelope before it is made.
struct EnvelopeShape {
  uint8_t block_class;
  uint8_t flags;
};

class Envelope : public MailboxNode {
 public:
  static constexpr uint8_t kAsk = 1;     // an AskBlock stands behind the message
  static constexpr uint8_t kExtra = 2;   // `extra` instead of `sender_id`
  static constexpr uint8_t kBuilt = 4;   // the message has been constructed
  static constexpr uint8_t kQueued = 8;  // a mailbox still holds it as a node
  static constexpr uint8_t kTaken = 16;  // its handler may move the message out
  static constexpr uint8_t kStamp = 32;  // a nudge that says when the message behind it came

  // Bits of `ask_state`.
  static constexpr uint32_t kClaimed = 1;  // the right to answer is taken (or given up)
  static constexpr uint32_t kReplierGone = 2;
  static constexpr uint32_t kAskerGone = 4;
  static constexpr uint32_t kDeferred = 8;  // a Deferred may answer, and holds the block
  static constexpr uint32_t kHandled = 16;  // with kDeferred: the handler has returned
  static constexpr uint32_t kAside = 32;    // put aside by its handler, whose answer is none
  static constexpr uint32_t kGivenUp = 64;  // the asker went without an answer

  // One that only makes a turn happen.
  explicit Envelope(uint8_t block_class) : size_class(block_class) {}
  Envelope(const Signature* what, uint16_t index, EnvelopeShape shape)
      : signature(what), index_hint(index), flags(shape.flags), size_class(shape.block_class) {}

  bool is_ask() const { return flags & kAsk; }
  bool is_nudge() const { return signature == nullptr; }
  void* message() { return this + 1; }
  AskBlock& ask() {
    return *reinterpret_cast<AskBlock*>(reinterpret_cast<char*>(this + 1) +
                                        ((signature->message_bytes + 7) & ~size_t{7}));
  }
  Time deadline() { return is_ask() ? ask().deadline : kNever; }

  const Signature* signature = nullptr;
  union {
    uint64_t sender_id = 0;  // of the sending cell; 0: a plain thread
    EnvelopeExtra* extra;
  };
  std::atomic<uint32_t> ask_state{0};  // of a tell in a chain: NamedBy()
  uint16_t index_hint = 0;             // of the message in the sender's Api
  uint8_t flags = 0;
  uint8_t size_class = 0;
};
static_assert(sizeof(Envelope) == 32);

constexpr size_t EnvelopeBytes(const Signature& signature, bool ask) {
  const size_t padded = (signature.message_bytes + size_t{7}) & ~size_t{7};
  return sizeof(Envelope) + padded + (ask ? sizeof(AskBlock) : 0);
}
constexpr EnvelopeShape ShapeOf(const Signature& signature, bool ask) {
  return {BlockClassFor(EnvelopeBytes(signature, ask)), ask ? Envelope::kAsk : uint8_t{0}};
}

// Memory for one message; nothing constructed yet. From the worker's magazine, or what another
// thread holds.
Envelope* AllocateEnvelope(const Signature& signature, uint16_t index_hint, EnvelopeShape shape);
// Of an envelope whose message was never constructed.
void FreeEnvelope(Envelope* envelope);

// True for the one caller that may construct the reply in ask().slot and must then call
// FinishReply(). False: answered, or the asker has given up.
inline bool ClaimReply(Envelope* e) {
  uint32_t open = 0;
  return e->ask_state.compare_exchange_strong(open, Envelope::kClaimed, std::memory_order_acquire,
                                              std::memory_order_relaxed);
}
inline void FinishReply(Envelope* e) { e->ask().completion->Done(); }

// Answers an ask with an error. False: somebody has answered already, or it is a tell.
bool FailAsk(Envelope* envelope, Status why);

void FinishEnvelope(Envelope* envelope);
// True: an ask has been answered by it.
bool DropEnvelope(Envelope* envelope, Status why);

template <typename S, typename M>
Envelope* MakeEnvelope(uint16_t index_hint, bool ask, M&& message) {
  using Stored = typename SignatureParts<S>::Message;
  static constexpr EnvelopeShape kTell = ShapeOf(kSignature<S>, /*ask=*/false);
  static constexpr EnvelopeShape kAsk = ShapeOf(kSignature<S>, /*ask=*/true);
  Envelope* e = AllocateEnvelope(kSignature<S>, index_hint, ask ? kAsk : kTell);
  if constexpr (std::is_nothrow_constructible_v<Stored, M&&>) {
    ::new (e->message()) Stored(std::forward<M>(message));
  } else {
    std::unique_ptr<Envelope, void (*)(Envelope*)> guard(e, FreeEnvelope);
    ::new (e->message()) Stored(std::forward<M>(message));
    guard.release();
  }
  e->flags |= Envelope::kBuilt;
  return e;
}

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_INTERNAL_ENVELOPE_H_
