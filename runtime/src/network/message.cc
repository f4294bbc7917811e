// Message: the handle by which a network layer holds an envelope.

#include <utility>

#include "actor/call_chain.h"
#include "actor/dead_letters.h"
#include "grain/epoch_guard.h"
#include "mailbox/envelope_extra.h"
#include "quern/runtime/network_port.h"
#include "system/system_core.h"

namespace quern {

using internal::Envelope;
using internal::EnvelopeExtra;

namespace {

// Every message that a network layer sees was stamped by a proxy or by Decode().
const EnvelopeExtra& Extra(const Envelope* envelope) { return *envelope->extra; }

}  // namespace

Message& Message::operator=(Message&& other) noexcept {
  if (this == &other) return *this;
  if (envelope_ != nullptr) std::move(*this).Fail(absl::AbortedError("nobody answered"));
  envelope_ = std::exchange(other.envelope_, nullptr);
  return *this;
}

Message::~Message() {
  if (envelope_ != nullptr) std::move(*this).Fail(absl::AbortedError("nobody answered"));
}

std::string_view Message::type_name() const { return Extra(envelope_).wire->type_name(); }

bool Message::expects_reply() const { return envelope_->is_ask(); }

Time Message::deadline() const { return envelope_->deadline(); }

const SenderStamp& Message::sender() const { return Extra(envelope_).sender; }

// Those of a peer stand there; those of this process are written down when somebody wants them.
const std::vector<std::string>& Message::call_chain() const {
  std::vector<std::string>& paths = envelope_->extra->call_chain;
  const internal::CallChain* chain = envelope_->is_ask() ? envelope_->ask().chain : nullptr;
  if (paths.empty() && chain != nullptr) paths = chain->Paths();
  return paths;
}

void Message::Encode(std::string* out) const {
  Extra(envelope_).wire->encode(envelope_->message(), out);
}

void Message::Complete(std::string_view encoded_reply, const SenderStamp& from) && {
  Envelope* envelope = std::move(*this).release();
  if (envelope->is_ask()) {
    Status fresh = Extra(envelope).core().sender_epochs().Check(from);
    if (!fresh.ok()) {
      internal::DropEnvelope(envelope, std::move(fresh));
      return;
    }
    if (internal::ClaimReply(envelope)) {
      Extra(envelope).wire->decode_reply(encoded_reply, envelope->ask().slot);
      internal::FinishReply(envelope);
    }
  }
  internal::FinishEnvelope(envelope);
}

void Message::Fail(Status status) && {
  Envelope* envelope = std::move(*this).release();
  if (!envelope->is_ask() && !Extra(envelope).core().stopping()) {
    Extra(envelope).core().dead_letters().Add({.reason = DeadLetterReasonOf(status),
                                               .target = Extra(envelope).TargetName(),
                                               .message = envelope->signature->message_name,
                                               .sender_id = SenderIdOf(*envelope),
                                               .why = std::string(status.message())});
  }
  internal::DropEnvelope(envelope, std::move(status));
}

}  // namespace quern
