// What only some envelopes carry: those that go to or came from another node, and timer ticks.

#ifndef QUERN_RUNTIME_SRC_MAILBOX_ENVELOPE_EXTRA_H_
#define QUERN_RUNTIME_SRC_MAILBOX_ENVELOPE_EXTRA_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "quern/runtime/internal/cell.h"
#include "quern/runtime/internal/envelope.h"
#include "quern/runtime/internal/wire_table.h"
#include "quern/runtime/network_port.h"

namespace quern::internal {

class Shortcut;
class SystemCore;
class TickMark;

class EnvelopeExtra {
 public:
  EnvelopeExtra() = default;
  ~EnvelopeExtra();
  EnvelopeExtra(const EnvelopeExtra&) = delete;
  EnvelopeExtra& operator=(const EnvelopeExtra&) = delete;

  // Of a message that came from a peer: keeps the system, and names what it is for.
  void ComesTo(SystemCore* system, std::string_view kind);

  // Of a message that a network layer may hold.
  SystemCore& core() const { return target ? *target->system_core() : *core_; }
  std::string TargetName() const { return target ? target->Path() : kind_; }

  // One a message that leaves for another node: from the worker's magazines.
  static void* operator new(size_t bytes);
  static void operator delete(void* memory, size_t bytes);

  SenderStamp sender;
  const WireEntry* wire = nullptr;      // how the message and its reply are encoded
  CellPtr<Cell> target;                 // of a message that was sent here; keeps the system
  Shortcut* shortcut = nullptr;         // of `target`, when that is a grain's
  std::vector<std::string> call_chain;  // as paths; see Message::call_chain()
  std::shared_ptr<TickMark> tick;       // of a timer that waits for this tick's end
  bool is_tick = false;
  int crashes = 0;  // of handlers, by this message (Supervisor::SkipAfter)
  std::shared_ptr<std::atomic<int64_t>> load;  // of a routee: one less when the message has ended

 private:
  SystemCore* core_ = nullptr;  // counted
  std::string kind_;
};

// The envelope's extra block, made if there is none; keeps the sender's id.
EnvelopeExtra& ExtraOf(Envelope& envelope);
inline EnvelopeExtra* FindExtra(const Envelope& envelope) {
  return (envelope.flags & Envelope::kExtra) ? envelope.extra : nullptr;
}
inline uint64_t SenderIdOf(const Envelope& envelope) {
  return (envelope.flags & Envelope::kExtra) ? envelope.extra->sender.actor_id : envelope.sender_id;
}

// A tell that waits in a chain names another one behind it, in the word that only an ask needs: so
// many steps of 16 bytes from here. By an ask any address is named.
inline const void* NamedBy(const Envelope& envelope) {
  const auto steps = static_cast<int32_t>(envelope.ask_state.load(std::memory_order_relaxed));
  return reinterpret_cast<const char*>(&envelope) + ptrdiff_t{steps} * 16;
}
inline void SetNamed(Envelope& envelope, const Envelope& behind) {
  const auto here = reinterpret_cast<intptr_t>(&envelope);
  const auto bytes = reinterpret_cast<intptr_t>(&behind) - here;
  envelope.ask_state.store(static_cast<uint32_t>(bytes / 16), std::memory_order_relaxed);
}

// For the mailbox: the node is no longer anybody's stub. Frees the block, or for an ask leaves that
// to the asker.
void ReleaseBlock(Envelope* envelope);
// For the asker: it will not look at the ask any more.
void ReleaseAsker(Envelope* envelope);
// For the asker: true when no reply will ever come, and the envelope is no longer the asker's.
bool AbandonAsk(Envelope* envelope);

// For a Deferred: it may answer, and the block stays until it is ended or dropped.
void BeginDeferral(Envelope* envelope);
// True for the one that may construct the reply and must call FinishReply().
bool ClaimDeferred(Envelope* envelope);
// After an answer, its own or somebody else's.
void EndDeferral(Envelope* envelope);
// Without an answer: the ask is ABORTED, unless its handler still runs and may yet throw.
void DropDeferral(Envelope* envelope);

// An envelope that carries nothing and only makes a turn happen.
Envelope* AllocateNudge();
// One that waits in the mailbox as `message` behind it does, from `now` on.
Envelope* AllocateStamp(Time now, const Envelope& message);
Time TimeOfStamp(const Envelope& stamp);

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_MAILBOX_ENVELOPE_EXTRA_H_
