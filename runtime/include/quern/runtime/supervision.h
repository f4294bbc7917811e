// What follows when an actor fails: an immutable value, built once and given to any number of
// actors.
//
//   const auto careful = quern::Supervisor()
//                            .On<std::domain_error>(quern::Directive::kResume)
//                            .On(absl::StatusCode::kUnavailable, quern::Directive::kRestart)
//                            .Otherwise(quern::Directive::kEscalate)
//                            .Restarts(5, 10s)
//                            .Backoff({.min = 100ms, .max = 1s});
//   auto db = context.Spawn<Database>({.supervisor = careful}, "db");
//   auto log = context.Spawn<Journal>({.supervisor = quern::Directive::kStop}, "journal");
//
// A failure is whatever the constructor, OnStart or a handler throws, and an error that OnStart
// returns. An error that a handler returns is an answer; FailOnReturnedErrors() makes one that
// nobody waits for (a tell's) a failure too. Rules are tried in the order in which they were given,
// the first that matches decides.
//
// No rule matches and there is no Otherwise(): kRestart, an error in the log and an
// ActorUnsupervised event. A supervisor without any rule restarts, that is no accident and only a
// warning. The default: restart, at most 10 within a minute, pauses from 50 ms to 30 s, then stop.
//
// Thread-safe: a constant. Copies share it.

#ifndef QUERN_RUNTIME_SUPERVISION_H_
#define QUERN_RUNTIME_SUPERVISION_H_

#include <cstdint>
#include <exception>
#include <memory>
#include <string>

#include "quern/runtime/clock.h"
#include "quern/runtime/limits.h"
#include "quern/runtime/status.h"

namespace quern {

// What happens to the actor that failed. The message that it failed on is gone (but for
// SkipAfter()), an ask has been answered UNKNOWN with what was thrown; the rest of its mailbox
// waits.
enum class Directive : uint8_t {
  kStop,      // at once, with its children; OnStop does not run, for the object cannot be trusted
  kResume,    // goes on with the same object and its timers; a constructor or OnStart that failed
              // left no object, and runs again as for kRestart
  kRestart,   // a new object from the kept arguments, after the pause; timers and watches end. Refs
              // stay valid. Children that OnStart spawned are stopped before, for it will spawn
              // them anew; the others restart in place, as do theirs. Arguments that cannot be
              // copied: kStop
  kEscalate,  // the parent fails, as if it had thrown; this one handles nothing until the parent's
              // supervisor has decided. What the root is given stops the system
};

// Who shares the directives kStop and kRestart of a failed actor: its siblings are all that live
// under the same parent.
enum class Strategy : uint8_t {
  kOneForOne,   // nobody
  kOneForAll,   // all siblings; they restart at once, the failed one after its pause
  kRestForOne,  // the siblings spawned after it
};

// The pause before a restart: `min`, then twice the last one up to `max`; `min` again once no
// failure has come for `reset_after`. Nobody is held up by it, least of all the parent.
struct RestartBackoff {
  Duration min = kRestartBackoffMin;
  Duration max = kRestartBackoffMax;
  Duration reset_after = kRestartWindow;
};

// One failure, as rules see it and as the parent is told.
struct Failure {
  Status status;              // UNKNOWN with its what() for an exception
  std::exception_ptr thrown;  // null: an error that was returned
  std::string message;        // the type of the message being handled; "": none was
};

class Supervisor {
 public:
  // Everything by default; SystemOptions::supervisor stands in for it.
  Supervisor() = default;
  // For every failure alike.
  Supervisor(Directive directive)  // NOLINT: {.supervisor = Directive::kStop}
      : Supervisor(Supervisor().Otherwise(directive)) {}

  // Exceptions that a `catch (const E&)` would take.
  template <typename E>
  [[nodiscard]] Supervisor On(Directive directive) const {
    return OnThrown(&IsA<E>, directive);
  }
  // Errors that were returned, and those inside a StatusOr whose value() threw.
  [[nodiscard]] Supervisor On(absl::StatusCode code, Directive directive) const;
  // What no rule matches.
  [[nodiscard]] Supervisor Otherwise(Directive directive) const;

  [[nodiscard]] Supervisor For(Strategy strategy) const;

  // At most `count` restarts within `window`, counted from the first of them; the next failure is
  // met by `when_spent`, which is kStop or kEscalate. 0: never restarts.
  [[nodiscard]] Supervisor Restarts(int count, Duration window,
                                    Directive when_spent = Directive::kStop) const;
  [[nodiscard]] Supervisor Backoff(RestartBackoff backoff) const;

  // A message whose handler threw is kept and handled again, before all others, once the actor goes
  // on; after so many crashes by the same message it is dead-lettered (kPoison), an ask answered
  // with what was thrown, and the next message is handled. For handlers that take it by const
  // reference and without a Deferred: others may have changed it, and it is gone after the first
  // crash. 0, the default: gone after the first crash, always.
  [[nodiscard]] Supervisor SkipAfter(int crashes) const;

  // An error that a handler returns to a tell is a failure.
  [[nodiscard]] Supervisor FailOnReturnedErrors() const;

  // INVALID_ARGUMENT: a negative number or duration, a pause whose min is above its max, more than
  // kSupervisorRulesMax rules, a when_spent that is neither kStop nor kEscalate. A spawn with such
  // a supervisor fails with it.
  Status Validate() const;

  // For the runtime itself.
  struct Policy;
  struct Decision {
    Directive directive;
    bool by_rule;  // false: nothing was said about such a failure
  };
  Decision Decide(const Failure& failure) const;
  const Policy& policy() const;
  bool is_default() const { return policy_ == nullptr; }

 private:
  using Matcher = bool (*)(const std::exception_ptr& thrown);

  template <typename E>
  static bool IsA(const std::exception_ptr& thrown) {
    try {
      std::rethrow_exception(thrown);
    } catch (const E&) {
      return true;
    } catch (...) {
      return false;
    }
  }
  Supervisor OnThrown(Matcher matcher, Directive directive) const;
  template <typename Change>
  Supervisor With(Change change) const;

  std::shared_ptr<const Policy> policy_;  // shared by all copies; null: the default
};

}  // namespace quern

#endif  // QUERN_RUNTIME_SUPERVISION_H_
