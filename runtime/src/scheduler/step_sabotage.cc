#include "scheduler/step_sabotage.h"

#include <utility>

#include "actor/mailbox_cell.h"
#include "grain/local_grain_host.h"
#include "mailbox/envelope_extra.h"
#include "mailbox/mailbox.h"
#include "mailbox/side_mail.h"
#include "system/system_core.h"

namespace quern::internal {
namespace {

bool IsMessage(const MailboxNode* node) {
  return node != nullptr && !static_cast<const Envelope*>(node)->is_nudge();
}

}  // namespace

void StepSabotage::SwapMessages(MailboxCell& cell) {
  if (cell.chosen_mailbox() != nullptr) return SwapChosen(cell);
  MailboxNode* stub = cell.mailbox_.stub();
  MailboxNode* a = stub->next.load();
  MailboxNode* b = a == nullptr ? nullptr : a->next.load();
  MailboxNode* c = b == nullptr ? nullptr : b->next.load();
  if (c == nullptr || !IsMessage(a) || !IsMessage(b)) return;
  if (SenderIdOf(*static_cast<Envelope*>(a)) != SenderIdOf(*static_cast<Envelope*>(b))) return;
  stub->next.store(b);
  b->next.store(a);
  a->next.store(c);
}

void StepSabotage::SwapChosen(MailboxCell& cell) {
  ChosenMailbox& chosen = *cell.side_mail(false)->chosen;
  Envelope* a = chosen.Take();
  Envelope* b = a == nullptr ? nullptr : chosen.Take();
  if (b != nullptr && SenderIdOf(*a) == SenderIdOf(*b)) std::swap(a, b);
  for (Envelope* envelope : {b, a}) {
    if (envelope != nullptr) cell.PushFront(envelope);
  }
}

void StepSabotage::LoseMessage(MailboxCell& cell) {
  if (cell.chosen_mailbox() != nullptr) {
    (void)cell.side_mail(false)->chosen->Take();
    return;
  }
  if (!IsMessage(cell.mailbox_.First())) return;
  MailboxNode* spent = nullptr;
  cell.mailbox_.Pop(&spent);
  cell.FreeSpent(spent);
}

bool StepSabotage::WouldRunHandler(const MailboxCell& cell) {
  return !cell.closed() && cell.signals_.load() == 0 && cell.Accepting() && !cell.takes_turns() &&
         cell.HasMessages();
}

void StepSabotage::ForgetActivation(SystemCore& core) {
  auto& host = static_cast<LocalGrainHost&>(core.grain_host());
  for (ActivationTable::Shard& shard : host.table_.shards()) {
    absl::MutexLock lock(&shard.mutex);
    if (shard.entries.empty()) continue;
    const GrainKey key = shard.entries.begin()->first;
    if (shard.Find(key)->activation->state() == ActivationState::kActivating) continue;
    shard.Remove(key).activation.release();  // it lives on
    return;
  }
}

void StepSabotage::LoseWaiting(SystemCore& core) {
  auto& host = static_cast<LocalGrainHost&>(core.grain_host());
  for (ActivationTable::Shard& shard : host.table_.shards()) {
    absl::MutexLock lock(&shard.mutex);
    for (auto& [key, entry] : shard.entries) {
      if (entry.next == nullptr || entry.next->messages.empty()) continue;
      entry.next->messages.pop_back();
      return;
    }
  }
}

}  // namespace quern::internal
