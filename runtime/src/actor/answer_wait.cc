#include "actor/answer_wait.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include <absl/strings/str_cat.h>

#include "actor/mailbox_cell.h"
#include "actor/reentry.h"
#include "actor/turn.h"
#include "base/short_name.h"
#include "mailbox/envelope_extra.h"
#include "quern/runtime/limits.h"
#include "scheduler/worker.h"
#include "system/system_core.h"

namespace quern::internal {
namespace {

std::string AskerName(const Turn* turn) {
  return turn == nullptr ? "a thread" : turn->cell->Path();
}

// "On(Withdraw)": the message's type without its namespaces.
std::string HandlerName(std::string_view message) {
  return "On(" + std::string(ShortName(message)) + ")";
}

std::string Milliseconds(Duration d) {
  return absl::StrCat(std::chrono::duration_cast<std::chrono::milliseconds>(d).count(), " ms");
}

// What `target` does about `asked` at this moment, and so on down the line.
std::string WhatTargetDoes(const AnswerWait& wait, Time now) {
  std::string text = wait.target->Path();
  CellPtr<Cell> target = CellPtr<Cell>::Share(wait.target);
  const Envelope* asked = wait.asked;
  std::string_view asked_name = wait.asked->signature->message_name;
  // By the worker's own time, which may be older than the asker's.
  Time begun = std::max(wait.asked->ask().begun(), wait.since);
  for (int hops = 0; hops < kCallChainMax; ++hops) {
    auto* cell = dynamic_cast<MailboxCell*>(target.get());
    ParkedAsk parked;
    if (cell == nullptr || !cell->LookAtParked(&parked, asked)) {
      if (begun != kNever) {
        absl::StrAppend(&text, ", which has run ", HandlerName(asked_name), " for ",
                        Milliseconds(now - begun));
      } else if (cell != nullptr && asked != nullptr) {
        absl::StrAppend(&text, ", which has not begun ", HandlerName(asked_name));
      }
      return text;
    }
    const std::string where =
        parked.message.empty() ? "in a hook" : "in " + HandlerName(parked.message);
    if (!parked.target) return absl::StrCat(text, ", which waits ", where);
    absl::StrAppend(&text, ", which has waited ", Milliseconds(now - parked.since), " ", where,
                    " for ", parked.target->Path());
    target = std::move(parked.target);
    asked = parked.asked;
    asked_name = parked.asked_name;
    begun = std::max(parked.begun, parked.since);
  }
  return text + ", and so on";
}

// Apart from the way that all asks take, and so are the registers that they need.
[[gnu::cold]] Status NoTimeout(const Cell& target, Duration timeout) {
  return absl::InvalidArgumentError(absl::StrCat("ask ", target.Path(), ": a timeout of ",
                                                 Milliseconds(timeout),
                                                 " leaves no time to answer; it was not sent"));
}

[[gnu::cold]] Status StoppedError(const Cell& target) {
  return absl::UnavailableError(target.Path() + " has stopped");
}

[[gnu::cold]] Status NoTimeLeft(const Turn* turn, const Cell& target) {
  target.system_core()->asks().TimedOut(TimeoutCause::kNotSent);
  return absl::DeadlineExceededError(absl::StrCat(AskerName(turn), " has no time left to ask ",
                                                  target.Path(), "; it was not sent"));
}

}  // namespace

void RefuseAsk(Envelope* envelope) {
  envelope->ask_state.store(Envelope::kClaimed | Envelope::kAskerGone, std::memory_order_relaxed);
  DropEnvelope(envelope, absl::OkStatus());
}

bool MayBeOpen(const Turn& turn) {
  return turn.envelope != nullptr && turn.cancellable && !turn.in_group;
}

StatusOr<bool> IsOpenReentrant(Turn* turn, std::optional<Reentrancy> asked_for) {
  Reentry* own = turn == nullptr || turn->piped ? nullptr : turn->cell->reentry();
  const Reentrancy mode = own == nullptr ? Reentrancy::kOff : own->mode;
  if (asked_for == Reentrancy::kAllowAll && mode == Reentrancy::kOff) {
    return absl::FailedPreconditionError(absl::StrCat(
        AskerName(turn), " is not reentrant (SpawnOptions::reentrancy, GrainOptions::reentrancy)"));
  }
  return asked_for.value_or(mode) == Reentrancy::kAllowAll && MayBeOpen(*turn);
}

Status TakeCountedSlot(Turn& turn, const Cell& target) {
  Reentry* own = turn.cell->CountedAsks();
  if (own->TakeSlot()) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(turn.cell->Path(), " has ", own->asks_max,
                                                   " asks in flight already; the one to ",
                                                   target.Path(), " was not sent"));
}

Status PrepareAsk(Turn* turn, Cell& target, Envelope* envelope, Duration timeout, Time* now) {
  SystemCore* core = target.system_core();
  if (timeout <= Duration::zero() && timeout != kDefaultTimeout) return NoTimeout(target, timeout);
  if (core->stopped()) return StoppedError(target);
  if (turn != nullptr && turn->cancelled && turn->cancellable) return CancelledError(turn, target);
  if (timeout == kDefaultTimeout) timeout = core->options().default_ask_timeout;
  Worker* worker = Worker::Current();
  *now = worker == nullptr ? core->clock().Now() : worker->NowForTimeout(timeout);
  Time deadline = timeout > kNever - *now ? kNever : *now + timeout;
  if (turn != nullptr) {
    deadline = std::min(deadline, turn->deadline);
    envelope->sender_id = turn->cell_id;
  }
  envelope->ask().deadline = deadline;
  if (deadline > *now) return absl::OkStatus();
  return NoTimeLeft(turn, target);
}

CallChain* AskersOf(const Turn& turn) {
  return turn.envelope != nullptr && turn.envelope->is_ask() ? turn.envelope->ask().chain : nullptr;
}

Status TimeoutError(const Turn* turn, const AnswerWait& wait, Time now) {
  std::string in;
  if (turn != nullptr && turn->envelope != nullptr) {
    in = " in " + HandlerName(turn->envelope->signature->message_name);
  }
  return absl::DeadlineExceededError(absl::StrCat(
      AskerName(turn), in, " waited ", Milliseconds(now - wait.since), " for ",
      WhatTargetDoes(wait, now), " (in system ", wait.target->system_core()->options().name, ")"));
}

Status CancelledError(const Turn* turn, const Cell& target) {
  return WithReason(absl::CancelledError(absl::StrCat(AskerName(turn), " is stopping; its ask to ",
                                                      target.Path(), " may or may not run")),
                    Reason::kCancelled);
}

}  // namespace quern::internal
