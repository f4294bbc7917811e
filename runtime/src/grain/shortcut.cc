#include "grain/shortcut.h"

#include <typeinfo>

#include "actor/mailbox_cell.h"
#include "actor/turn.h"
#include "grain/activation.h"
#include "grain/grain_host.h"
#include "grain/visits.h"
#include "scheduler/scheduler.h"
#include "scheduler/worker.h"
#include "system/system_core.h"

namespace quern::internal {

Shortcut::~Shortcut() {
  if (Activation* activation = to_.load(std::memory_order_acquire); activation != nullptr) {
    activation->Release();  // who still used it would hold the Ref
  }
}

bool Shortcut::open() const {
  if (to_.load(std::memory_order_relaxed) == nullptr) return false;
  if (core_.router_number() == 0) return true;
  const Worker* worker = Worker::Current();
  return worker != nullptr && !NeedsStamp(*worker);
}

Worker* Shortcut::Visitor() const {
  Worker* worker = Worker::Current();
  if (worker == nullptr || &worker->scheduler() != &core_.scheduler()) return nullptr;
  return core_.stopping() ? nullptr : worker;
}

bool Shortcut::NeedsStamp(const Worker& worker) const {
  if (core_.router_number() == 0) [[likely]]
    return false;
  const Turn* turn = worker.turn();
  return turn != nullptr && typeid(*turn->cell) == typeid(Activation);
}

bool Shortcut::Passes(const Activation& activation, const Worker& worker) const {
  const uint32_t router = core_.router_number();
  if (router == 0) [[likely]]
    return true;
  return activation.passage() == router && core_.grain_host().ServesAt(worker.now());
}

bool Shortcut::Post(Envelope* envelope) {
  Worker* worker = Visitor();
  if (worker == nullptr || (envelope->flags & Envelope::kExtra) != 0) return false;
  if (NeedsStamp(*worker)) return false;
  if (const Turn* turn = worker->turn(); turn != nullptr) envelope->sender_id = turn->cell_id;
  return Put(*worker, envelope);
}

bool Shortcut::PostStamped(Envelope* envelope) {
  Worker* worker = Visitor();
  return worker != nullptr && Put(*worker, envelope);
}

bool Shortcut::Put(Worker& worker, Envelope* envelope) {
  if (envelope->is_ask()) worker.tells().End();  // what was told before comes before
  Activation* closed = nullptr;
  {
    const Visit visit(core_.grain_host().visits(), worker, to_);
    if (!visit || !Passes(*visit.get(), worker)) return false;
    if (visit->Admit(envelope)) [[likely]]
      return true;
    if (visit->TakesOffers()) return false;
    closed = visit.get();
  }
  End(closed);
  return false;
}

bool Shortcut::PostChain(MailboxNode* first, MailboxNode* last) {
  Worker* worker = Visitor();
  if (worker == nullptr) return false;
  const Visit visit(core_.grain_host().visits(), *worker, to_);
  return visit && Passes(*visit.get(), *worker) && visit->AdmitChain(first, last);
}

void Shortcut::LeadTo(CellPtr<Activation> activation) {
  if (Visitor() == nullptr || !activation->TakesVisits()) return;
  if (!core_.options().grain_filters.empty()) return;  // they see every call
  if (to_.load(std::memory_order_relaxed) == activation.get()) return;
  LetGo(to_.exchange(activation.release(), std::memory_order_seq_cst));
}

void Shortcut::End(Activation* closed) {
  if (to_.compare_exchange_strong(closed, nullptr, std::memory_order_seq_cst)) LetGo(closed);
}

void Shortcut::LetGo(Activation* activation) {
  if (activation == nullptr) return;
  core_.grain_host().visits().AwaitNone(activation);
  activation->Release();
}

}  // namespace quern::internal
