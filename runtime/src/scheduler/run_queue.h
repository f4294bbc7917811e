// The actors that a worker runs next: an intrusive FIFO with a slot in front for the one made ready
// last, whose message is still in the cache (bounded, so that two actors cannot keep the queue
// out). The owner's, but for Steal().

#ifndef QUERN_RUNTIME_SRC_SCHEDULER_RUN_QUEUE_H_
#define QUERN_RUNTIME_SRC_SCHEDULER_RUN_QUEUE_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <utility>

#include "actor/mailbox_cell.h"
#include "scheduler/biased_lock.h"

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

  // Takes all of `other`, in its order.
  void Append(CellList* other) {
    if (other->empty()) return;
    (head_ == nullptr ? head_ : tail_->run_next_) = other->head_;
    tail_ = other->tail_;
    size_ += other->size_;
    *other = CellList();
  }

 private:
  MailboxCell* head_ = nullptr;
  MailboxCell* tail_ = nullptr;
  size_t size_ = 0;
};

class RunQueue {
 public:
  // A thief may be faster: what is popped next may be null all the same. Thread-safe.
  bool empty() const { return Slot() == nullptr && waiting_.load(std::memory_order_relaxed) == 0; }
  size_t size() const {
    return waiting_.load(std::memory_order_relaxed) + (Slot() == nullptr ? 0 : 1);
  }

  // Made ready by the running actor: next, and the former next goes to the back.
  void PushNext(MailboxCell* cell) {
    BiasedLockHolder lock(lock_);
    MailboxCell* former = Slot();
    SetSlot(cell);
    if (former == nullptr) return;
    list_.PushBack(former);
    ShowWaiting();
  }

  void PushBack(MailboxCell* cell) {
    BiasedLockHolder lock(lock_);
    list_.PushBack(cell);
    ShowWaiting();
  }

  // All of `cells`, behind all others.
  void Append(CellList* cells) {
    BiasedLockHolder lock(lock_);
    list_.Append(cells);
    ShowWaiting();
  }

  // Null when there is none.
  MailboxCell* Pop() {
    BiasedLockHolder lock(lock_);
    if (MailboxCell* cell = Slot();
        cell != nullptr && (slot_streak_ < kSlotStreakMax || list_.empty())) {
      ++slot_streak_;
      SetSlot(nullptr);
      return cell;
    }
    slot_streak_ = 0;
    MailboxCell* cell = list_.PopFront();
    ShowWaiting();
    return cell;
  }

  // Out of order; `position` is below size(). For a StepDriver: between cells nothing is promised.
  MailboxCell* PopAt(size_t position) {
    BiasedLockHolder lock(lock_);
    MailboxCell* cell = Slot();
    if (cell != nullptr && position == list_.size()) {
      SetSlot(nullptr);
    } else {
      for (; position > 0; --position) list_.PushBack(list_.PopFront());
      cell = list_.PopFront();
    }
    ShowWaiting();
    return cell;
  }

  // By another worker: the half that has waited longest, at most `max`; the slot stays with its
  // owner. `all`: everything, the slot too. False: none. Thread-safe.
  bool Steal(CellList* to, bool all, size_t max) {
    if (!lock_.TryLockOther()) return false;
    if (all) {
      to->Append(&list_);
      if (MailboxCell* next = Slot(); next != nullptr) to->PushBack(next);
      SetSlot(nullptr);
    } else {
      size_t count = std::min((list_.size() + 1) / 2, max);
      for (; count > 0; --count) to->PushBack(list_.PopFront());
    }
    ShowWaiting();
    lock_.UnlockOther();
    return !to->empty();
  }

 private:
  static constexpr int kSlotStreakMax = 16;

  MailboxCell* Slot() const { return slot_.load(std::memory_order_relaxed); }
  void SetSlot(MailboxCell* cell) { slot_.store(cell, std::memory_order_relaxed); }
  void ShowWaiting() { waiting_.store(list_.size(), std::memory_order_relaxed); }

  BiasedLock lock_;  // the owner's; thieves are others
  int slot_streak_ = 0;
  CellList list_;
  std::atomic<MailboxCell*> slot_{nullptr};
  std::atomic<size_t> waiting_{0};  // the size of list_
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SCHEDULER_RUN_QUEUE_H_
