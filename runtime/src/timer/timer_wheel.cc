#include "timer/timer_wheel.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace quern::internal {
namespace {

bool IsEmpty(const TimerNode& head) { return head.following == &head; }

void Link(TimerNode& head, TimerNode* node) {
  node->prev = head.prev;
  node->following = &head;
  head.prev->following = node;
  head.prev = node;
}

void Unlink(TimerNode* node) {
  node->prev->following = node->following;
  node->following->prev = node->prev;
  node->prev = nullptr;
  node->following = nullptr;
}

}  // namespace

TimerWheel::TimerWheel(Time now) : tick_(TickOf(now)) {
  for (auto& level : slots_) {
    for (List& list : level) list.head.prev = list.head.following = &list.head;
  }
  for (List* list : {&fresh_, &firing_}) list->head.prev = list->head.following = &list->head;
}

void TimerWheel::Arm(TimerNode* node, Time due, TimerNode::FireFn fire) {
  node->due = due;
  node->fire = fire;
  ++size_;
  Link(fresh_.head, node);
}

void TimerWheel::Cancel(TimerNode* node) {
  if (!node->armed()) return;
  Unlink(node);  // the slot's bit is cleared when somebody looks at the slot
  --size_;
}

// Level l holds the ticks whose highest digit (base 64) that differs from tick_ is the l-th. What
// is due beyond the last level waits in its last slot and is placed again from there.
void TimerWheel::Place(TimerNode* node) {
  const uint64_t horizon = tick_ | ((uint64_t{1} << (kSlotBits * kLevels)) - 1);
  const uint64_t tick = std::clamp(TickOf(node->due), tick_, horizon);
  const uint64_t differs = tick ^ tick_;
  const int level = differs == 0 ? 0 : (63 - std::countl_zero(differs)) / kSlotBits;
  const int slot = static_cast<int>((tick >> (level * kSlotBits)) & (kSlots - 1));
  Link(slots_[level][slot].head, node);
  occupied_[level] |= uint64_t{1} << slot;
}

void TimerWheel::FireDue(List& list, Time now) {
  // Moved aside first: a fired function may arm a timer in this very slot.
  for (TimerNode* node = list.head.following; node != &list.head;) {
    TimerNode* after = node->following;
    if (node->due <= now) {
      Unlink(node);
      Link(firing_.head, node);
    }
    node = after;
  }
  while (!IsEmpty(firing_.head)) {
    TimerNode* node = firing_.head.following;
    Unlink(node);
    --size_;
    node->fire(node);
  }
}

void TimerWheel::PlaceFresh() {
  while (!IsEmpty(fresh_.head)) {
    TimerNode* node = fresh_.head.following;
    Unlink(node);
    Place(node);
  }
}

void TimerWheel::PlaceAgain(List& list) {
  List moving;
  moving.head.prev = moving.head.following = &moving.head;
  while (!IsEmpty(list.head)) {
    TimerNode* node = list.head.following;
    Unlink(node);
    Link(moving.head, node);
  }
  while (!IsEmpty(moving.head)) {
    TimerNode* node = moving.head.following;
    Unlink(node);
    Place(node);
  }
}

uint64_t TimerWheel::NextOccupiedTick() const {
  for (int level = 0; level < kLevels; ++level) {
    const int shift = level * kSlotBits;
    const uint64_t digit = (tick_ >> shift) & (kSlots - 1);
    const uint64_t ahead =
        digit == kSlots - 1 ? 0 : occupied_[level] & (~uint64_t{0} << (digit + 1));
    if (ahead == 0) continue;
    const uint64_t block = (tick_ >> (shift + kSlotBits)) << (shift + kSlotBits);
    return block + (static_cast<uint64_t>(std::countr_zero(ahead)) << shift);
  }
  return std::numeric_limits<uint64_t>::max();
}

void TimerWheel::MoveTo(uint64_t tick) {
  List& left = slots_[0][tick_ & (kSlots - 1)];
  occupied_[0] &= ~(uint64_t{1} << (tick_ & (kSlots - 1)));
  tick_ = tick;
  if (!IsEmpty(left.head)) PlaceAgain(left);  // it was due beyond the last level
  for (int level = kLevels - 1; level >= 1; --level) {
    const int slot = static_cast<int>((tick_ >> (level * kSlotBits)) & (kSlots - 1));
    if (((occupied_[level] >> slot) & 1) == 0) continue;
    occupied_[level] &= ~(uint64_t{1} << slot);
    PlaceAgain(slots_[level][slot]);
  }
}

void TimerWheel::Advance(Time now) {
  const uint64_t target = std::max(TickOf(now), tick_);
  PlaceFresh();
  while (size_ != 0) {
    FireDue(slots_[0][tick_ & (kSlots - 1)], now);
    if (tick_ == target) return;
    MoveTo(std::min(target, NextOccupiedTick()));
  }
  tick_ = target;
}

TimerNode* TimerWheel::First() {
  if (size_ == 0) return nullptr;
  PlaceFresh();
  for (int level = 0; level < kLevels; ++level) {
    const int shift = level * kSlotBits;
    const uint64_t digit = (tick_ >> shift) & (kSlots - 1);
    uint64_t ahead = occupied_[level] & (~uint64_t{0} << digit);
    while (ahead != 0) {
      const int slot = std::countr_zero(ahead);
      ahead &= ahead - 1;
      const List& list = slots_[level][slot];
      if (IsEmpty(list.head)) continue;
      TimerNode* first = list.head.following;
      for (TimerNode* n = first; n != &list.head; n = n->following) {
        if (n->due < first->due) first = n;
      }
      return first;
    }
  }
  return nullptr;
}

Time TimerWheel::NextDue() {
  const TimerNode* first = First();
  return first == nullptr ? kNever : first->due;
}

}  // namespace quern::internal
