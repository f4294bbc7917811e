// What a Supervisor holds.

#ifndef QUERN_RUNTIME_SRC_ACTOR_SUPERVISOR_POLICY_H_
#define QUERN_RUNTIME_SRC_ACTOR_SUPERVISOR_POLICY_H_

#include <optional>
#include <vector>

#include "quern/runtime/supervision.h"

namespace quern {

struct Supervisor::Policy {
  struct Rule {
    Matcher matcher;  // null: by code
    absl::StatusCode code;
    Directive directive;
  };

  std::vector<Rule> rules;
  std::optional<Directive> otherwise;
  Strategy strategy = Strategy::kOneForOne;
  int restarts_max = kRestartsMax;
  Duration restart_window = kRestartWindow;
  Directive when_spent = Directive::kStop;
  RestartBackoff backoff;
  bool fail_on_returned_errors = false;
  int skip_after = 0;  // crashes by one message; 0: it is gone after the first
};

}  // namespace quern

#endif  // QUERN_RUNTIME_SRC_ACTOR_SUPERVISOR_POLICY_H_
