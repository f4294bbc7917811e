// Whether a timer's tick is under way. The tick's envelope ends it, by whatever way and on whatever
// thread; a timer that waits for that is told through its cell. Shared by the two.

#ifndef QUERN_RUNTIME_SRC_TIMER_TICK_MARK_H_
#define QUERN_RUNTIME_SRC_TIMER_TICK_MARK_H_

#include <atomic>
#include <cstdint>

#include "quern/runtime/clock.h"

namespace quern::internal {

class MailboxCell;

class TickMark {
 public:
  // For the timer, on the turn of its cell.
  bool under_way() const { return under_way_.load(std::memory_order_seq_cst); }
  void Begin() { under_way_.store(true, std::memory_order_seq_cst); }
  // Of the last one that has ended.
  Time ended_at() const { return Time(Duration(ended_at_.load(std::memory_order_seq_cst))); }
  // From here on `cell` is signalled at each end; null: no more. Look at under_way() afterwards.
  void Notify(MailboxCell* cell) { cell_.store(cell, std::memory_order_seq_cst); }

  // For the envelope. The cell is alive: it, or whoever refused the tick, holds it.
  void End();

 private:
  std::atomic<bool> under_way_{false};
  std::atomic<int64_t> ended_at_{Time::min().time_since_epoch().count()};
  std::atomic<MailboxCell*> cell_{nullptr};
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_TIMER_TICK_MARK_H_
