#include "system/parked_handlers.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/strings/str_cat.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "actor/answer_wait.h"
#include "actor/mailbox_cell.h"
#include "actor/turn.h"
#include "scheduler/scheduler.h"
#include "scheduler/waiter.h"
#include "scheduler/worker.h"

namespace quern::internal {
namespace {

// Real time: it is a thread that is waited for, which a test's clock does not move.
constexpr absl::Duration kPatience = absl::Seconds(1);

// Shared with the items, which a held worker runs late.
struct Collected {
  absl::Mutex mutex;
  std::vector<ParkedHandler> handlers ABSL_GUARDED_BY(mutex);
  std::vector<bool> answered ABSL_GUARDED_BY(mutex);
  size_t missing ABSL_GUARDED_BY(mutex) = 0;
};

std::string WhatFor(const AnswerWait* answer) {
  if (answer == nullptr) return "waits";
  return absl::StrCat("asks ", answer->target->Path(), " ",
                      std::string(answer->signature->message_name));
}

Time SinceWhen(const Waiter& waiter) {
  return waiter.answer() != nullptr ? waiter.answer()->since : waiter.since();
}

void CollectHere(Worker& worker, Collected& into) {
  std::vector<ParkedHandler> here;
  const Time now = worker.scheduler().clock().Now();
  for (Runner* runner = worker.runners_list(); runner != nullptr; runner = runner->next) {
    if (runner->turn == nullptr || runner->waiter == nullptr) continue;
    const Turn& turn = *runner->turn;
    const Envelope* envelope = turn.envelope;
    here.push_back(
        {.cell_id = turn.cell_id,
         .path = turn.cell->Path(),
         .message = envelope == nullptr || envelope->signature == nullptr
                        ? std::string()
                        : std::string(envelope->signature->message_name),
         .waits_for = WhatFor(runner->waiter->answer()),
         .waited = std::max(now - SinceWhen(*runner->waiter), Duration::zero()),
         .queued = turn.piped ? turn.cell->CountIfIdle().value_or(0) : turn.cell->CountQueued()});
  }
  absl::MutexLock lock(&into.mutex);
  for (ParkedHandler& handler : here) into.handlers.push_back(std::move(handler));
  into.answered[static_cast<size_t>(worker.index())] = true;
  --into.missing;
}

}  // namespace

ParkedHandlers CollectParked(Scheduler& scheduler) {
  struct Item : InboxItem {
    std::shared_ptr<Collected> into;
  };
  const auto workers = scheduler.workers();
  auto collected = std::make_shared<Collected>();
  {
    absl::MutexLock lock(&collected->mutex);
    collected->missing = workers.size();
    collected->answered.resize(workers.size());
  }
  for (const auto& worker : workers) {
    // The workers of a step system do nothing while their thread is here.
    if (worker.get() == Worker::Current() || scheduler.step_driver() != nullptr) {
      CollectHere(*worker, *collected);
      continue;
    }
    auto* item = new Item;
    item->into = collected;
    item->run = [](Worker& here, InboxItem* raw) {
      std::unique_ptr<Item> owned(static_cast<Item*>(raw));
      CollectHere(here, *owned->into);
    };
    worker->Post(item);
  }
  ParkedHandlers result;
  absl::MutexLock lock(&collected->mutex);
  collected->mutex.AwaitWithTimeout(
      absl::Condition(
          +[](size_t* missing) { return *missing == 0; }, &collected->missing),
      kPatience);
  result.handlers = std::move(collected->handlers);
  for (size_t i = 0; i < collected->answered.size(); ++i) {
    if (!collected->answered[i]) result.silent_workers.push_back(static_cast<int>(i));
  }
  return result;
}

}  // namespace quern::internal
