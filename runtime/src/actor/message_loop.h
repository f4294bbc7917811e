// One turn of a cell, from the run queue to idle: what happens for every message there is. Made
// once for each kind of cell, so that its hooks are plain calls which the compiler sees through. A
// kind is `final`, names MailboxCell its friend, and says
//
//   void Kind::RunTurn(Worker& worker) { TurnOf(*this, worker); }
//   MailboxCell::TurnEnd Kind::RunMessages(Turn& turn, int clock_mask) {
//     return MessageLoop(*this, turn, clock_mask);
//   }

#ifndef QUERN_RUNTIME_SRC_ACTOR_MESSAGE_LOOP_H_
#define QUERN_RUNTIME_SRC_ACTOR_MESSAGE_LOOP_H_

#include <exception>
#include <memory>
#include <utility>

#include <boost/context/fiber.hpp>

#include "actor/mailbox_cell.h"
#include "mailbox/prefetch.h"
#include "mailbox/worker_blocks.h"
#include "quern/runtime/context.h"
#include "scheduler/schedule.h"
#include "scheduler/worker.h"
#include "system/system_core.h"

// Calls of these functions stand in one loop; a call that saves registers costs as much as they do.
#define QUERN_ALWAYS_INLINE [[gnu::always_inline]] inline

namespace quern::internal {

// Begins and ends the handling of one envelope inside a turn: deadline, chain, what was told.
inline void BeginMessage(Turn& turn, Envelope* envelope) {
  turn.envelope = envelope;
  if (envelope->is_ask()) turn.deadline = envelope->ask().deadline;
}
void ReleaseChain(Turn& turn);
inline void EndMessage(Turn& turn) {
  turn.worker->tells().End();
  turn.envelope = nullptr;
  turn.deadline = kNever;
  if (turn.inner_chain != nullptr) ReleaseChain(turn);
}

template <typename Kind>
QUERN_ALWAYS_INLINE void MailboxCell::TurnOf(Kind& self, Worker& worker) {
  if ((gate_.load(std::memory_order_relaxed) & kTakesTurns) != 0) [[unlikely]] {
    Worker* pinned = parked_worker();
    if (pinned != nullptr && pinned != &worker) return ScheduleOn(*pinned);
  }
  Turn turn;
  turn.cell = this;
  turn.cell_id = id();
  turn.worker = &worker;
  worker.SetTurn(&turn);
  TurnEnd end;
  if (worker.SampleDue()) [[unlikely]] {
    end = RunSampled(turn);
  } else {
    end = MessageLoop(self, turn, worker.clock_mask());
  }
  worker.SetTurn(nullptr);
  worker.tells().Flush();  // of constructors and destructors
  // Only a cell that used up its budget is still ours to touch.
  if (end == TurnEnd::kBudgetUsed) worker.Requeue(this);
}

template <typename Kind>
QUERN_ALWAYS_INLINE MailboxCell::TurnEnd MailboxCell::MessageLoop(Kind& self, Turn& turn,
                                                                  int clock_mask) {
  Time started = kNever;
  int handled = 0;
  for (;;) {
    if (signals_.load(std::memory_order_seq_cst) != 0 && RunSignals(turn) == After::kEnded) {
      return TurnEnd::kGone;
    }
    if (!self.Accepting() || ((elsewhere_ & kShared) != 0 && HeldBack())) [[unlikely]] {
      turn.over = true;
      if (LeaveWaiting()) return TurnEnd::kGone;
      turn.over = false;
      continue;
    }
    Envelope* envelope = elsewhere_ == 0 ? nullptr : TakeElsewhere(turn);
    if (envelope == nullptr) {
      envelope = static_cast<Envelope*>(mailbox_.Pop(&turn.spent));
      if (envelope == nullptr) {
        self.OnTurnEnd(turn);
        turn.over = true;
        if (mailbox_.TryIdle()) return TurnEnd::kGone;
        turn.over = false;
        continue;
      }
      PrefetchToRead(NamedBy(*envelope));
      if (envelope->is_nudge()) [[unlikely]] {
        EndNudge(turn, *envelope);
        continue;
      }
    }
    const After after = self.OnMessage(turn, envelope);
    if (after == After::kEnded) [[unlikely]] {
      return TurnEnd::kGone;
    }
    if (!turn.consuming) [[unlikely]] {
      turn.over = true;
      EndAway(turn);
      return TurnEnd::kGone;
    }
    FreeSpentOn(*turn.worker, std::exchange(turn.spent, nullptr));
    if ((++handled & clock_mask) == 0 && BudgetUsed(turn, handled, &started, &clock_mask)) {
      self.OnTurnEnd(turn);
      return TurnEnd::kBudgetUsed;
    }
    // Who signals it wakes it: no look at signals before it goes idle.
    if (elsewhere_ == 0 && mailbox_.Empty() && self.Accepting()) {
      self.OnTurnEnd(turn);
      turn.over = true;
      if (mailbox_.TryIdle()) return TurnEnd::kGone;
      turn.over = false;
    }
  }
}

// What FreeSpent() does, for a tell without a call.
QUERN_ALWAYS_INLINE void MailboxCell::FreeSpentOn(Worker& worker, MailboxNode* spent) {
  if (spent == nullptr) return;
  auto* envelope = static_cast<Envelope*>(spent);
  if (envelope->is_ask()) {
    ReleaseBlock(envelope);
  } else {
    FreeBlockOn(worker, envelope, envelope->size_class);
  }
}

// FinishEnvelope(): a call only when there is something to do.
QUERN_ALWAYS_INLINE void FinishHandled(Envelope* envelope) {
  constexpr uint8_t kRare = Envelope::kAsk | Envelope::kExtra;
  const bool stays = (envelope->flags & (kRare | Envelope::kQueued)) == Envelope::kQueued;
  if (!stays || envelope->signature->destroy_message != nullptr) FinishEnvelope(envelope);
}

QUERN_ALWAYS_INLINE MailboxCell::Failed MailboxCell::RunMessage(Turn& turn, Envelope* envelope,
                                                                Thunk thunk, void* self) {
  if (envelope->is_ask() && !BeginAsk(turn, envelope)) return nullptr;
  BeginMessage(turn, envelope);
  Context context(&turn);
  std::exception_ptr* thrown = nullptr;  // nothing to destroy on the way that all take
  try {
    thunk(self, envelope, context);
  } catch (const boost::context::detail::forced_unwind&) {
    throw;
  } catch (...) {
    thrown = new std::exception_ptr(std::current_exception());
  }
  if (thrown != nullptr) [[unlikely]] {
    return EndThrown(turn, envelope, std::unique_ptr<std::exception_ptr>(thrown));
  }
  EndMessage(turn);
  if (turn.fate != Fate::kFinish) [[unlikely]] {
    Settle(turn, envelope);
  } else {
    FinishHandled(envelope);
  }
  return nullptr;
}

// It was idle.
QUERN_ALWAYS_INLINE void MailboxCell::Wake() {
  if ((gate_.load(std::memory_order_acquire) & (kClosed | kTakesTurns)) != 0) [[unlikely]] {
    return WakeAtGate();
  }
  core_->scheduler().Schedule(this);
}

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_MESSAGE_LOOP_H_
