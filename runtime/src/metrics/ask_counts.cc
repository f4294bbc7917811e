#include "metrics/ask_counts.h"

#include "actor/answer_wait.h"
#include "actor/mailbox_cell.h"
#include "network/proxy_cell.h"
#include "scheduler/scheduler.h"
#include "scheduler/worker.h"
#include "system/system_core.h"

namespace quern::internal {
namespace {

// Of `core`, or null.
Worker* OwnWorker(const SystemCore& core) {
  Worker* worker = Worker::Current();
  return worker != nullptr && &worker->scheduler() == &core.scheduler() ? worker : nullptr;
}

}  // namespace

std::string_view TimeoutCauseName(TimeoutCause cause) {
  static constexpr std::string_view kNames[] = {"not_begun", "running", "waiting", "elsewhere",
                                                "not_sent"};
  return kNames[static_cast<size_t>(cause)];
}

TimeoutCause CauseOf(const AnswerWait& wait) {
  if (wait.asked->ask().begun() == kNever) {
    const bool elsewhere = dynamic_cast<const ProxyCell*>(wait.target) != nullptr;
    return elsewhere ? TimeoutCause::kElsewhere : TimeoutCause::kNotBegun;
  }
  const auto* cell = dynamic_cast<const MailboxCell*>(wait.target);
  ParkedAsk parked;
  const bool waiting = cell != nullptr && cell->LookAtParked(&parked, wait.asked);
  return waiting ? TimeoutCause::kWaiting : TimeoutCause::kRunning;
}

void CountAskBegun(SystemCore& core) {
  if (Worker* worker = OwnWorker(core); worker != nullptr) {
    worker->counts().AskBegun();
  } else {
    core.asks().Begun();
  }
}

void CountAskEnded(SystemCore& core) {
  if (Worker* worker = OwnWorker(core); worker != nullptr) {
    worker->counts().AskEnded();
  } else {
    core.asks().Ended();
  }
}

}  // namespace quern::internal
