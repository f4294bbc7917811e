// Whether a handler should give up: its actor has been asked to stop, or nobody waits for its
// answer any more.
//
//   Status On(const Import& m, quern::Context& context) {
//     for (const Row& row : m.rows) {
//       if (context.stop_token().stop_requested()) return context.stop_token().status();
//       Insert(row);
//     }
//     return {};
//   }
//
// Asks and sleeps of a handler are cancelled by themselves; this is for loops that do neither, and
// for functions that a handler waits for on another thread.
//
// Thread-safe; may be copied anywhere, but is looked at only while the handler has not returned.

#ifndef QUERN_RUNTIME_STOP_TOKEN_H_
#define QUERN_RUNTIME_STOP_TOKEN_H_

#include "quern/runtime/clock.h"
#include "quern/runtime/status.h"

namespace quern {

namespace internal {
class Envelope;
class MailboxCell;
}  // namespace internal

class StopToken {
 public:
  // OK: go on. CANCELLED: the actor has been asked to stop, or the asker has given up.
  // DEADLINE_EXCEEDED: the deadline of the ask has passed on the system's clock. Never suspends.
  Status status() const;

  // It is not OK. Costs a reading of the clock when an ask is being handled.
  bool stop_requested() const;

  // For the runtime itself. `envelope` may be null: no message is being handled.
  StopToken(const internal::MailboxCell* cell, const internal::Envelope* envelope, Time deadline)
      : cell_(cell), envelope_(envelope), deadline_(deadline) {}

 private:
  bool stopping() const;
  bool abandoned() const;
  bool expired() const;

  const internal::MailboxCell* cell_;
  const internal::Envelope* envelope_;
  Time deadline_;
};

}  // namespace quern

#endif  // QUERN_RUNTIME_STOP_TOKEN_H_
