// The actors that a worker runs next: an intrusive FIFO with a slot in front for the one made ready
// last, whose message is still in the cache (bounded, so that two actors cannot keep the queue
// out). Owner only.

#ifndef QUERN_RUNTIME_SRC_SCHEDULER_RUN_QUEUE_H_
#define QUERN_RUNTIME_SRC_SCHEDULER_RUN_QUEUE_H_

#include <cstddef>
#include <utility>

#include "actor/mailbox_cell.h"

namespace quern::internal {

// An intrusive FIFO of cells through MailboxCell::run_next_.
class CellList {
 public:
  bool empty() const { return head_ == nullptr; }
  size_t size() const { return size_; }

  void PushBack(MailboxCell* cell) {
    cell->run_next_ = nullptr;
    (head_ == nullptr ? head_ : tail_->run_next_) = cell;
    tail_ = cell;
    ++size_;
  }

  MailboxCell* PopFront() {
    MailboxCell* cell = head_;
    if (cell == nullptr) return nullptr;
    head_ = cell->run_next_;
    --size_;
    return cell;
  }

 private:
  MailboxCell* head_ = nullptr;
  MailboxCell* tail_ = nullptr;
  size_t size_ = 0;
};

class RunQueue {
 public:
  bool empty() const { return slot_ == nullptr && list_.empty(); }
  size_t size() const { return list_.size() + (slot_ != nullptr ? 1 : 0); }

  // Made ready by the running actor: next, and the former next goes to the back.
  void PushNext(MailboxCell* cell) {
    if (MailboxCell* former = std::exchange(slot_, cell); former != nullptr) list_.PushBack(former);
  }

  void PushBack(MailboxCell* cell) { list_.PushBack(cell); }

  MailboxCell* Pop() {
    if (slot_ != nullptr && (slot_streak_ < kSlotStreakMax || list_.empty())) {
      ++slot_streak_;
      return std::exchange(slot_, nullptr);
    }
    slot_streak_ = 0;
    return list_.PopFront();
  }

  // Out of order; `position` is below size(). For a StepDriver: between cells nothing is promised.
  MailboxCell* PopAt(size_t position) {
    if (slot_ != nullptr && position == list_.size()) return std::exchange(slot_, nullptr);
    for (; position > 0; --position) list_.PushBack(list_.PopFront());
    return list_.PopFront();
  }

 private:
  static constexpr int kSlotStreakMax = 16;

  MailboxCell* slot_ = nullptr;
  int slot_streak_ = 0;
  CellList list_;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SCHEDULER_RUN_QUEUE_H_
