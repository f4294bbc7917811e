// The actors that a worker runs next: a slot for the one made ready last, whose message is still in
// the cache, an intrusive FIFO, and behind these the newborn ones, the youngest first: so a tree of
// actors is walked in depth, and few of those that live for one message are alive at a time. Each
// is bounded in how many of it run while others wait. The owner's, but for Steal(), which takes the
// oldest: in a tree they lead to the most.

#ifndef QUERN_RUNTIME_SRC_SCHEDULER_RUN_QUEUE_H_
#define QUERN_RUNTIME_SRC_SCHEDULER_RUN_QUEUE_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <utility>
#include <vector>

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

// Cells before their first turn, by age. Grows as it must, and gives back what it has grown by.
class Newborn {
 public:
  static constexpr size_t kMax = size_t{1} << 14;  // what is copied under a lock has an end

  bool empty() const { return size_ == 0; }
  bool full() const { return size_ == kMax; }
  size_t size() const { return size_; }

  // Room for a few, before a lock is taken.
  void Prepare() { Resize(kMin); }

  // Not into a full one.
  void Push(MailboxCell* cell) {
    if (size_ == cells_.size()) Resize(std::max(kMin, size_ * 2));
    At(size_++) = cell;
  }
  // Not of an empty one.
  MailboxCell* PopYoungest() {
    MailboxCell* cell = At(--size_);
    ShrinkIfEmpty();
    return cell;
  }
  MailboxCell* PopOldest() {
    MailboxCell* cell = At(0);
    ++oldest_;
    --size_;
    ShrinkIfEmpty();
    return cell;
  }

 private:
  static constexpr size_t kMin = 64;  // a power of two, as kMax

  MailboxCell*& At(size_t age) { return cells_[(oldest_ + age) & (cells_.size() - 1)]; }
  [[gnu::noinline]] void Resize(size_t capacity) {
    std::vector<MailboxCell*> cells(capacity);
    for (size_t i = 0; i < size_; ++i) cells[i] = At(i);
    cells_ = std::move(cells);
    oldest_ = 0;
  }
  void ShrinkIfEmpty() {
    if (size_ == 0 && cells_.size() > kMin) [[unlikely]] {
      Resize(kMin);
    }
  }

  size_t oldest_ = 0;  // modulo the capacity
  size_t size_ = 0;
  std::vector<MailboxCell*> cells_;
};

class RunQueue {
 public:
  // Taken by another worker; each in the order in which it waited.
  struct Loot {
    CellList waiting;
    Newborn newborn;

    size_t size() const { return waiting.size() + newborn.size(); }
  };

  // A thief may be faster: what is popped next may be null all the same. Thread-safe.
  bool empty() const { return Slot() == nullptr && waiting_.load(std::memory_order_relaxed) == 0; }
  // Without the one in front.
  size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
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

  // Its first turn.
  void PushNewborn(MailboxCell* cell) {
    BiasedLockHolder lock(lock_);
    AddNewborn(cell);
    ShowWaiting();
  }

  // The same, in exchange for the one that has waited longest.
  MailboxCell* SwapNewborn(MailboxCell* cell) {
    BiasedLockHolder lock(lock_);
    MailboxCell* oldest = newborn_.empty() ? cell : newborn_.PopOldest();
    if (oldest != cell) newborn_.Push(cell);
    return oldest;
  }

  void PushBack(MailboxCell* cell) {
    BiasedLockHolder lock(lock_);
    list_.PushBack(cell);
    ShowWaiting();
  }

  // Null when there is none.
  MailboxCell* Pop() {
    BiasedLockHolder lock(lock_);
    if (newborn_burst_ > 0 && !newborn_.empty()) return PopNewborn();
    if (MailboxCell* cell = Slot();
        cell != nullptr && (slot_streak_ < kSlotStreakMax || OnlySlot())) {
      ++slot_streak_;
      SetSlot(nullptr);
      return cell;
    }
    slot_streak_ = 0;
    if (!newborn_.empty() && (list_.empty() || ++list_streak_ > kListStreakMax)) {
      list_streak_ = 0;
      newborn_burst_ = kNewbornBurst;
      return PopNewborn();
    }
    MailboxCell* cell = list_.PopFront();
    ShowWaiting();
    return cell;
  }

  // Out of order; `position` is below size(). For a StepDriver, which has no newborn ones: between
  // cells nothing is promised.
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

  // By another worker, which has prepared `to`: the half of each kind that has waited longest, at
  // most `max`; the slot stays with its owner. `all`: everything, the slot too. False: none.
  // Thread-safe.
  bool Steal(Loot* to, bool all, size_t max) {
    if (!lock_.TryLockOther()) return false;
    if (all) {
      to->waiting.Append(&list_);
      if (MailboxCell* next = Slot(); next != nullptr) to->waiting.PushBack(next);
      SetSlot(nullptr);
      std::swap(to->newborn, newborn_);
    } else {
      size_t count = std::min((list_.size() + 1) / 2, max);
      for (; count > 0; --count) to->waiting.PushBack(list_.PopFront());
      count = std::min((newborn_.size() + 1) / 2, max - to->waiting.size());
      for (; count > 0; --count) to->newborn.Push(newborn_.PopOldest());
    }
    ShowWaiting();
    lock_.UnlockOther();
    return to->size() != 0;
  }

  // What has been stolen from another one waits here as it did there.
  void Add(Loot* stolen) {
    BiasedLockHolder lock(lock_);
    list_.Append(&stolen->waiting);
    if (newborn_.empty()) std::swap(newborn_, stolen->newborn);
    while (!stolen->newborn.empty()) AddNewborn(stolen->newborn.PopOldest());
    ShowWaiting();
  }

 private:
  static constexpr int kSlotStreakMax = 16;
  static constexpr int kListStreakMax = 16;
  static constexpr int kNewbornBurst = 16;       // before what they have told somebody is looked at
  static constexpr unsigned kOldestEvery = 256;  // of the newborn, for it must not wait for ever

  MailboxCell* Slot() const { return slot_.load(std::memory_order_relaxed); }
  void SetSlot(MailboxCell* cell) { slot_.store(cell, std::memory_order_relaxed); }
  void ShowWaiting() { waiting_.store(list_.size() + newborn_.size(), std::memory_order_relaxed); }
  // Beyond its room they wait with all the others.
  void AddNewborn(MailboxCell* cell) {
    if (newborn_.full()) list_.PushBack(newborn_.PopOldest());
    newborn_.Push(cell);
  }
  bool OnlySlot() const { return list_.empty() && newborn_.empty(); }
  [[gnu::noinline]] MailboxCell* PopNewborn() {
    --newborn_burst_;
    const bool oldest = ++newborn_turns_ % kOldestEvery == 0;
    MailboxCell* cell = oldest ? newborn_.PopOldest() : newborn_.PopYoungest();
    ShowWaiting();
    return cell;
  }

  BiasedLock lock_;  // the owner's; thieves are others
  int slot_streak_ = 0;
  int list_streak_ = 0;    // while newborn ones wait
  int newborn_burst_ = 0;  // so many more
  unsigned newborn_turns_ = 0;
  CellList list_;
  std::atomic<MailboxCell*> slot_{nullptr};
  std::atomic<size_t> waiting_{0};  // the sizes of list_ and newborn_
  Newborn newborn_;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SCHEDULER_RUN_QUEUE_H_
