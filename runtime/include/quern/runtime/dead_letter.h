// A message that nobody handled, and why: counted by reason, kept in a ring to look at, logged a
// group at a time, published as an event.
//
//   for (const quern::DeadLetter& d : system.RecentDeadLetters()) Print(d.target, d.message);
//   auto letters = system.events().Subscribe<quern::DeadLetter>().value();
//
// An ask that fails is told to its asker and is no dead letter; one that nobody waits for any more
// is.

#ifndef QUERN_RUNTIME_DEAD_LETTER_H_
#define QUERN_RUNTIME_DEAD_LETTER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "quern/runtime/clock.h"
#include "quern/runtime/status.h"

namespace quern {

enum class DeadLetterReason : uint8_t {
  kStopped,         // the target has stopped, or stopped with the message still queued
  kSystemStopping,  // the same, because the whole system stops; counted, not logged
  kFull,            // a bounded mailbox or a peer's credit was used up
  kDropped,         // an older message that a bounded mailbox gave up for a newer one
  kUnhandled,       // the target has no handler for it, or refused it
  kExpired,         // the deadline passed before it was handled
  kPoison,          // the same message made its handler fail too often
  kFailed,          // the handler of a tell returned an error
  kNotFound,        // no such actor or kind
  kUnreachable,     // another node, and no way there
};
inline constexpr size_t kDeadLetterReasons = 10;

// "stopped", "system_stopping", "full", ...: for logs and metrics.
std::string_view DeadLetterReasonName(DeadLetterReason reason);

// One sentence: what to do about it.
std::string_view DeadLetterAdvice(DeadLetterReason reason);

// The reason of a message that was refused with `status`.
DeadLetterReason DeadLetterReasonOf(const Status& status);

struct DeadLetter {
  std::string target;   // path
  std::string message;  // type, as the compiler writes it
  std::string sender;   // path where it is known, else "#id"; "" a plain thread or nobody
  DeadLetterReason reason = DeadLetterReason::kStopped;
  std::string why;  // more than the reason says; may be empty
  Time at;
};

}  // namespace quern

#endif  // QUERN_RUNTIME_DEAD_LETTER_H_
