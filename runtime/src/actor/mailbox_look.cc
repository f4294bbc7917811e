// What can be seen of a mailbox: how much waits, for how long, and turns that are measured.

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "actor/mailbox_cell.h"
#include "actor/message_loop.h"
#include "actor/turn.h"
#include "mailbox/envelope_extra.h"
#include "mailbox/side_mail.h"
#include "metrics/class_metrics.h"
#include "metrics/turn_sample.h"
#include "quern/runtime/limits.h"
#include "quern/runtime/mailbox.h"
#include "scheduler/worker.h"
#include "system/system_core.h"

namespace quern::internal {
MailboxCell::TurnEnd MailboxCell::RunSampled(Turn& turn) {
  Worker& worker = *turn.worker;
  worker.PublishCounts();
  ClassMetrics::Entry& entry = worker.class_metrics().EntryOf(ClassName());
  entry.depth.Record(CountQueued(kMailboxSampleMax));
  if (worker.WaitSampleDue()) gate_.fetch_or(kTimed, std::memory_order_relaxed);
  TurnSample sample(entry, worker, core_->clock().Now());
  return RunMessages(turn, /*clock_mask=*/0);
}

void MailboxCell::NoteWait(Turn& turn, Time since) {
  const Duration wait = std::max(core_->clock().Now() - since, Duration::zero());
  turn.worker->class_metrics()
      .EntryOf(ClassName())
      .wait_nanos.Record(static_cast<uint64_t>(wait.count()));
}

// While `f` returns true.
template <typename F>
void MailboxCell::ForEachQueued(F f) const {
  const MailboxNode* node = mailbox_.First();
  for (; node != nullptr; node = node->next.load(std::memory_order_acquire)) {
    const auto& envelope = *static_cast<const Envelope*>(node);
    if (!envelope.is_nudge() && !f(envelope)) return;
  }
}

size_t MailboxCell::CountQueued(size_t max) const {
  size_t count = 0;
  const auto add = [&](const Envelope&) { return ++count < max; };
  if (elsewhere_ != 0) {
    const SideMail& side = *const_cast<MailboxCell*>(this)->side_mail(false);
    side.front.ForEach(add);
    if (side.chosen != nullptr) count += side.chosen->counts().queued;
  }
  ForEachQueued(add);
  return std::min(count, max);
}

std::vector<std::string_view> MailboxCell::QueuedNames() const {
  std::vector<std::string_view> names;
  const auto add = [&](const Envelope& envelope) {
    if (names.size() < kMailboxCountMax) names.push_back(envelope.signature->message_name);
    return names.size() < kMailboxCountMax;
  };
  if (elsewhere_ != 0) const_cast<MailboxCell*>(this)->side_mail(false)->front.ForEach(add);
  ForEachQueued(add);
  return names;
}

std::optional<size_t> MailboxCell::CountIfIdle() const {
  if (closed()) return 0;
  // One that takes no messages now may have some in front of its mailbox.
  if (!mailbox_.Idle() || !Accepting()) return std::nullopt;
  const ChosenMailbox* chosen = chosen_mailbox();
  return chosen == nullptr ? 0 : chosen->counts().queued;
}

bool MailboxCell::SignalToCount() {
  Signal(kCountSignal);
  return !ClosedInOrder();
}

// True for the first message after a turn that asked for it.
bool MailboxCell::TakeTimed() {
  constexpr auto kNotTimed = static_cast<uint8_t>(~kTimed);
  return (gate_.fetch_and(kNotTimed, std::memory_order_relaxed) & kTimed) != 0;
}

// With a stamp in front of it.
void MailboxCell::PushStamped(Envelope* envelope) {
  if (!TakeTimed()) return PushNode(envelope);
  Envelope* stamp = AllocateStamp(core_->clock().Now(), *envelope);
  stamp->next.store(envelope, std::memory_order_relaxed);
  if (mailbox_.Push(stamp, envelope)) Wake();
}

std::optional<MailboxCounts> MailboxCountsOf(const Cell* cell) {
  const auto* mailbox_cell = dynamic_cast<const MailboxCell*>(cell);
  const ChosenMailbox* chosen = mailbox_cell == nullptr ? nullptr : mailbox_cell->chosen_mailbox();
  if (chosen == nullptr) return std::nullopt;
  return chosen->counts();
}

bool MailboxCell::HasMessages() const {
  if (elsewhere_ != 0) {
    const SideMail& side = *const_cast<MailboxCell*>(this)->side_mail(false);
    if (!side.front.empty() || (side.chosen != nullptr && !side.chosen->empty())) return true;
  }
  const MailboxNode* node = mailbox_.First();
  while (node != nullptr && static_cast<const Envelope*>(node)->is_nudge()) {
    node = node->next.load(std::memory_order_acquire);
  }
  return node != nullptr;
}

}  // namespace quern::internal
