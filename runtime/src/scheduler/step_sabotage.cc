#include "scheduler/step_sabotage.h"

#include "actor/mailbox_cell.h"
#include "mailbox/mailbox.h"

namespace quern::internal {
namespace {

bool IsMessage(const MailboxNode* node) {
  return node != nullptr && !static_cast<const Envelope*>(node)->is_nudge();
}

}  // namespace

void StepSabotage::SwapMessages(MailboxCell& cell) {
  MailboxNode* stub = cell.mailbox_.stub();
  MailboxNode* a = stub->next.load();
  MailboxNode* b = a == nullptr ? nullptr : a->next.load();
  MailboxNode* c = b == nullptr ? nullptr : b->next.load();
  if (c == nullptr || !IsMessage(a) || !IsMessage(b)) return;
  if (static_cast<Envelope*>(a)->sender_id != static_cast<Envelope*>(b)->sender_id) return;
  stub->next.store(b);
  b->next.store(a);
  a->next.store(c);
}

void StepSabotage::LoseMessage(MailboxCell& cell) {
  if (!IsMessage(cell.mailbox_.stub()->next.load())) return;
  MailboxNode* spent = nullptr;
  cell.mailbox_.Pop(&spent);
  cell.FreeSpent(spent);
}

bool StepSabotage::WouldRunHandler(const MailboxCell& cell) {
  return !cell.closed() && cell.signals_.load() == 0 && cell.Accepting() &&
         IsMessage(cell.mailbox_.stub()->next.load());
}

}  // namespace quern::internal
