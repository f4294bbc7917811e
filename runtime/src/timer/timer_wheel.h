// Deadlines of one worker: a hierarchical timing wheel (Varghese and Lauck, "Hashed and
// hierarchical timing wheels", 1987, scheme 7) of intrusive nodes. Arming and cancelling cost a
// list operation; an ask does both, and is mostly answered before its node has come to a slot.
//
// A node fires at the first Advance(now) with due <= now, never earlier. Owner only.

#ifndef QUERN_RUNTIME_SRC_TIMER_TIMER_WHEEL_H_
#define QUERN_RUNTIME_SRC_TIMER_TIMER_WHEEL_H_

#include <cstddef>
#include <cstdint>

#include "quern/runtime/clock.h"

namespace quern::internal {

struct TimerNode {
  using FireFn = void (*)(TimerNode* node);

  bool armed() const { return prev != nullptr; }

  TimerNode* prev = nullptr;  // null: not armed
  TimerNode* following = nullptr;
  Time due{};
  FireFn fire = nullptr;
};

class TimerWheel {
 public:
  explicit TimerWheel(Time now);
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // `node` is not armed and stays where it is until it fires or is cancelled. A due time in the
  // past fires at the next Advance(); kNever is not allowed.
  void Arm(TimerNode* node, Time due, TimerNode::FireFn fire);
  // Nothing when it is not armed.
  void Cancel(TimerNode* node);

  // Fires what is due, in order of slots. A fired node is no longer armed when its function runs,
  // which may arm and cancel others.
  void Advance(Time now);

  // The armed node that is due first, or null.
  TimerNode* First();

  // No later than the first due time; kNever when nothing is armed. May be earlier than the first
  // due time (a cascade).
  Time NextDue();

  size_t size() const { return size_; }

 private:
  static constexpr int kTickBits = 17;  // 131 us
  static constexpr int kSlotBits = 6;
  static constexpr int kSlots = 1 << kSlotBits;
  static constexpr int kLevels = 6;  // 104 days; later ones wait in the last level

  struct List {
    TimerNode head;
  };

  static uint64_t TickOf(Time t) {
    const int64_t ns = t.time_since_epoch().count();
    return ns <= 0 ? 0 : static_cast<uint64_t>(ns) >> kTickBits;
  }
  void PlaceFresh();
  void Place(TimerNode* node);
  void FireDue(List& list, Time now);
  void PlaceAgain(List& list);
  void MoveTo(uint64_t tick);
  uint64_t NextOccupiedTick() const;

  List slots_[kLevels][kSlots];
  List fresh_;  // armed since the wheel was looked at
  List firing_;
  uint64_t occupied_[kLevels] = {};
  uint64_t tick_;  // every earlier tick has fired whole
  size_t size_ = 0;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_TIMER_TIMER_WHEEL_H_
