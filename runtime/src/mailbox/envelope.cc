#include "quern/runtime/internal/envelope.h"

#include <new>
#include <utility>

#include "actor/call_chain.h"
#include "actor/mailbox_cell.h"
#include "actor/turn.h"
#include "mailbox/envelope_extra.h"
#include "mailbox/worker_blocks.h"
#include "system/system_core.h"
#include "timer/tick_mark.h"

namespace quern::internal {
namespace {

void FreeBlockOf(Envelope* envelope) { FreeBlockMemory(envelope, envelope->size_class); }

// What a message seldom has: extra and chain.
void DestroyRest(Envelope* e) {
  if (e->flags & Envelope::kExtra) {
    e->flags &= static_cast<uint8_t>(~Envelope::kExtra);
    if (e->extra->tick != nullptr) e->extra->tick->End();
    if (e->extra->load != nullptr) e->extra->load->fetch_sub(1, std::memory_order_relaxed);
    delete std::exchange(e->extra, nullptr);
  }
  if (e->is_ask()) CallChain::Release(std::exchange(e->ask().chain, nullptr));
}

// The block stays.
inline void DestroyContents(Envelope* e) {
  if (e->flags & Envelope::kBuilt) {
    e->flags &= static_cast<uint8_t>(~Envelope::kBuilt);
    if (e->signature->destroy_message != nullptr) e->signature->destroy_message(e->message());
  }
  if ((e->flags & (Envelope::kExtra | Envelope::kAsk)) != 0) DestroyRest(e);
}

// The handler ran for nobody: the asker has given up meanwhile.
void CountLateReply() {
  if (Turn* turn = CurrentTurn(); turn != nullptr) turn->cell->core().asks().RepliedLate();
}

// The envelope's holder is done with it; the mailbox frees the block if it is still a node there.
inline void EndEnvelope(Envelope* envelope) {
  DestroyContents(envelope);
  if (!(envelope->flags & Envelope::kQueued)) ReleaseBlock(envelope);
}

constexpr char kNoAnswer[] = "the handler ended without an answer";

// Sets `bits` unless one of `taken` is set already.
bool ClaimUnless(Envelope* envelope, uint32_t taken, uint32_t bits) {
  uint32_t state = envelope->ask_state.load(std::memory_order_relaxed);
  while ((state & taken) == 0) {
    if (envelope->ask_state.compare_exchange_weak(state, state | bits, std::memory_order_acq_rel)) {
      return true;
    }
  }
  return false;
}

// After a won claim.
void AnswerError(Envelope* envelope, Status why) {
  envelope->signature->construct_error(envelope->ask().slot, std::move(why));
  FinishReply(envelope);
}

// The handler has returned; its Deferred answers from now on, unless it is gone already.
void LeaveToDeferred(Envelope* envelope) {
  const uint32_t old = envelope->ask_state.fetch_or(Envelope::kHandled, std::memory_order_acq_rel);
  if ((old & (Envelope::kDeferred | Envelope::kClaimed)) == 0 && ClaimDeferred(envelope)) {
    AnswerError(envelope, absl::AbortedError(kNoAnswer));
  }
}

Envelope* MakeIn(void* memory, const Signature& signature, uint16_t index_hint,
                 EnvelopeShape shape) {
  auto* envelope = ::new (memory) Envelope(&signature, index_hint, shape);
  if (envelope->is_ask()) ::new (&envelope->ask()) AskBlock{nullptr, nullptr, kNever, nullptr};
  return envelope;
}

// Not from a worker that has a block at hand. Apart, or the registers that it saves are saved for
// every message.
[[gnu::noinline]] Envelope* AllocateRareEnvelope(const Signature& signature, uint16_t index_hint,
                                                 EnvelopeShape shape) {
  const bool ask = (shape.flags & Envelope::kAsk) != 0;
  void* memory = AllocateBlock(EnvelopeBytes(signature, ask), shape.block_class);
  return MakeIn(memory, signature, index_hint, shape);
}

}  // namespace

Envelope* AllocateEnvelope(const Signature& signature, uint16_t index_hint, EnvelopeShape shape) {
  void* memory = TakeBlock(shape.block_class);
  if (memory == nullptr) [[unlikely]] {
    return AllocateRareEnvelope(signature, index_hint, shape);
  }
  return MakeIn(memory, signature, index_hint, shape);
}

void FreeEnvelope(Envelope* envelope) { FreeBlockOf(envelope); }

EnvelopeExtra::~EnvelopeExtra() {
  if (core_ != nullptr) core_->Release();
}

void EnvelopeExtra::ComesTo(SystemCore* system, std::string_view kind) {
  system->AddRef();
  core_ = system;
  kind_ = kind;
}

void* EnvelopeExtra::operator new(size_t bytes) {
  return AllocateBlock(bytes, BlockClassFor(bytes));
}

// Not inlined: the compiler would take the free() in it for one too many.
[[gnu::noinline]] void EnvelopeExtra::operator delete(void* memory, size_t bytes) {
  FreeBlockMemory(memory, BlockClassFor(bytes));
}

Envelope* AllocateNudge() {
  constexpr uint8_t kClass = BlockClassFor(sizeof(Envelope));
  return ::new (AllocateBlock(sizeof(Envelope), kClass)) Envelope(kClass);
}

Envelope* AllocateStamp(Time now, const Envelope& message) {
  // A thread that is no worker gets back blocks of the sizes that it sends.
  const uint8_t block_class =
      message.size_class < kBlockClasses ? message.size_class : BlockClassFor(sizeof(Envelope));
  void* memory = AllocateBlock(BlockBytes(block_class), block_class);
  auto* stamp = ::new (memory) Envelope(block_class);
  stamp->flags = Envelope::kStamp;
  stamp->sender_id = static_cast<uint64_t>(now.time_since_epoch().count());
  return stamp;
}

Time TimeOfStamp(const Envelope& stamp) {
  return Time(Duration(static_cast<Time::rep>(stamp.sender_id)));
}

EnvelopeExtra& ExtraOf(Envelope& envelope) {
  if (!(envelope.flags & Envelope::kExtra)) {
    auto* extra = new EnvelopeExtra;
    extra->sender.actor_id = envelope.sender_id;
    envelope.extra = extra;
    envelope.flags |= Envelope::kExtra;
  }
  return *envelope.extra;
}

bool FailAsk(Envelope* envelope, Status why) {
  if (!envelope->is_ask() || !ClaimReply(envelope)) return false;
  AnswerError(envelope, std::move(why));
  return true;
}

void FinishEnvelope(Envelope* envelope) {
  if (envelope->is_ask()) {
    const uint32_t state = envelope->ask_state.load(std::memory_order_relaxed);
    if (state == 0) {
      FailAsk(envelope, absl::AbortedError(kNoAnswer));
    } else if ((state & Envelope::kDeferred) != 0) {
      LeaveToDeferred(envelope);
    } else if ((state & Envelope::kGivenUp) != 0) {
      CountLateReply();
    }
  }
  EndEnvelope(envelope);
}

bool DropEnvelope(Envelope* envelope, Status why) {
  const bool answered = FailAsk(envelope, std::move(why));
  EndEnvelope(envelope);
  return answered;
}

void ReleaseBlock(Envelope* envelope) {
  if (envelope->is_ask()) {
    const uint32_t old =
        envelope->ask_state.fetch_or(Envelope::kReplierGone, std::memory_order_acq_rel);
    if (!(old & Envelope::kAskerGone) || (old & Envelope::kDeferred)) return;
  }
  FreeBlockOf(envelope);
}

void ReleaseAsker(Envelope* envelope) {
  const uint32_t old =
      envelope->ask_state.fetch_or(Envelope::kAskerGone, std::memory_order_acq_rel);
  if ((old & (Envelope::kReplierGone | Envelope::kDeferred)) == Envelope::kReplierGone) {
    FreeBlockOf(envelope);
  }
}

bool AbandonAsk(Envelope* envelope) {
  return ClaimUnless(envelope, Envelope::kClaimed,
                     Envelope::kClaimed | Envelope::kAskerGone | Envelope::kGivenUp);
}

void BeginDeferral(Envelope* envelope) {
  envelope->ask_state.fetch_or(Envelope::kDeferred, std::memory_order_relaxed);
}

bool ClaimDeferred(Envelope* envelope) {
  return ClaimUnless(envelope, Envelope::kClaimed, Envelope::kClaimed);
}

void EndDeferral(Envelope* envelope) {
  constexpr uint32_t kBothGone = Envelope::kReplierGone | Envelope::kAskerGone;
  constexpr uint32_t kLate = Envelope::kGivenUp | Envelope::kHandled;
  const uint32_t old =
      envelope->ask_state.fetch_and(~Envelope::kDeferred, std::memory_order_acq_rel);
  if ((old & kLate) == kLate) CountLateReply();
  if ((old & kBothGone) == kBothGone) FreeBlockOf(envelope);
}

void DropDeferral(Envelope* envelope) {
  uint32_t state = envelope->ask_state.load(std::memory_order_relaxed);
  // While the handler runs, its end is what answers.
  while ((state & (Envelope::kHandled | Envelope::kClaimed)) == 0) {
    if (envelope->ask_state.compare_exchange_weak(state, state & ~Envelope::kDeferred,
                                                  std::memory_order_acq_rel)) {
      return;
    }
  }
  if (ClaimDeferred(envelope)) AnswerError(envelope, absl::AbortedError(kNoAnswer));
  EndDeferral(envelope);
}

}  // namespace quern::internal
