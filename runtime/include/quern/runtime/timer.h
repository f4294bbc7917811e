// The timers of actors and grains: messages that it tells itself, later and again.
//
//   struct Tick {};
//   struct Poller : quern::Actor<PollerApi> {
//     quern::Status OnStart() {
//       return Cron("0 30 8 * * MON-FRI", "Europe/Berlin", Report{}).status();
//     }
//     void On(const Start&) { tick_ = Every(1s, Tick{}); }
//     void On(const Stop&) { Cancel(tick_); }
//     quern::TimerId tick_ = 0;
//   };
//
//   After                once
//   Every                by a rhythm; what is due while the last tick waits is left out
//   EveryWithFixedDelay  a period after the last tick was handled
//   EveryAtFixedRate     by a rhythm; what is due meanwhile is made up for, one tick after another,
//                        kTimerCatchUpMax of them at most
//   Cron                 by the calendar (cron.h); what was missed is left out
//
// A tick is an ordinary message in the mailbox, behind what is there, and of one timer at most one
// is under way. Timers belong to their actor and end with a stop or a restart. They cost about a
// hundred bytes each, no fiber. Owner only: calls on another turn, or outside a System, do nothing.

#ifndef QUERN_RUNTIME_TIMER_H_
#define QUERN_RUNTIME_TIMER_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "quern/runtime/clock.h"
#include "quern/runtime/internal/cell.h"
#include "quern/runtime/internal/envelope.h"
#include "quern/runtime/protocol.h"
#include "quern/runtime/status.h"

namespace quern {

using TimerId = uint64_t;  // 0: no timer; of one actor never used again

enum class TimerKind : uint8_t { kOnce, kEvery, kFixedDelay, kFixedRate, kCron };

struct TimerInfo {
  TimerId id = 0;
  TimerKind kind = TimerKind::kOnce;
  bool paused = false;
  // kNever: paused, or a fixed delay that begins when the last tick has been handled.
  Time due = kNever;
  std::string_view message;  // its type, as the compiler writes it
};

namespace internal {

// Makes one tick's envelope. May throw what the message's copy constructor throws.
class TickSource {
 public:
  virtual ~TickSource() = default;
  virtual Envelope* Make(bool last) = 0;
  virtual std::string_view message_name() const = 0;
};

template <typename S, typename M>
class TickOf final : public TickSource {
 public:
  TickOf(uint16_t index, M message) : index_(index), message_(std::move(message)) {}

  Envelope* Make(bool last) override {
    if constexpr (std::is_copy_constructible_v<M>) {
      if (!last) return MakeEnvelope<S>(index_, /*ask=*/false, std::as_const(message_));
    }
    return MakeEnvelope<S>(index_, /*ask=*/false, std::move(message_));
  }
  std::string_view message_name() const override { return kSignature<S>.message_name; }

 private:
  const uint16_t index_;
  M message_;
};

// All on the turn of `cell`, which may be null.
StatusOr<TimerId> StartTimer(Cell* cell, TimerKind kind, Duration delay,
                             std::unique_ptr<TickSource> tick);
StatusOr<TimerId> StartCron(Cell* cell, std::string_view expression, std::string_view zone,
                            std::unique_ptr<TickSource> tick);
bool CancelTimer(Cell* cell, TimerId id);
bool PauseTimer(Cell* cell, TimerId id);
bool ResumeTimer(Cell* cell, TimerId id);
std::vector<TimerInfo> ListTimers(Cell* cell);

template <typename Api, typename M>
std::unique_ptr<TickSource> MakeTick(M&& message) {
  using Told = std::remove_cvref_t<M>;
  using Entry = SignatureFor<Api, Told>;
  constexpr uint16_t kIndex = IndexIn<Entry>(static_cast<const SignaturesOf<Api>*>(nullptr));
  return std::make_unique<TickOf<Entry, Told>>(kIndex, std::forward<M>(message));
}

template <typename Message>
void this_message_is_sent_more_than_once_and_must_be_copyable() = delete;
template <typename M>
constexpr void MustCopy() {
  if constexpr (!std::is_copy_constructible_v<M>) {
    this_message_is_sent_more_than_once_and_must_be_copyable<M>();
  }
}

template <typename Api, typename M>
TimerId StartTick(Cell* cell, TimerKind kind, Duration delay, M&& message) {
  if (cell == nullptr) return 0;
  return StartTimer(cell, kind, delay, MakeTick<Api>(std::forward<M>(message))).value_or(0);
}

// The calls, for the base of an actor or grain. `Self` has a timer_cell(); `Api` is what it may
// tell itself.
template <typename Self, typename Api>
class TimerCalls {
 protected:
  // Tells itself `message` once, `delay` from now on the system's clock. 0: there is no such timer,
  // for it is stopping or has kTimersPerActorMax already. So for the others.
  template <typename M>
    requires Accepts<Api, M>
  TimerId After(Duration delay, M&& message) {
    return StartTick<Api>(timer_owner(), TimerKind::kOnce, delay, std::forward<M>(message));
  }

  // Tells itself a copy of `message` every `period`, first after one. A tick that is due while the
  // last one is still queued or running is left out; the rhythm stays. 0 also when `period` is not
  // above zero.
  template <typename M>
    requires Accepts<Api, M>
  TimerId Every(Duration period, M&& message) {
    MustCopy<std::remove_cvref_t<M>>();
    return StartTick<Api>(timer_owner(), TimerKind::kEvery, period, std::forward<M>(message));
  }

  // The same, but the next tick comes `period` after the last one was handled.
  template <typename M>
    requires Accepts<Api, M>
  TimerId EveryWithFixedDelay(Duration period, M&& message) {
    MustCopy<std::remove_cvref_t<M>>();
    return StartTick<Api>(timer_owner(), TimerKind::kFixedDelay, period, std::forward<M>(message));
  }

  // The same by a rhythm, and what is due while the last tick is queued or running follows it, one
  // by one and behind the other mail, so that as many ticks are handled as periods went by; what
  // exceeds kTimerCatchUpMax at once is left out.
  template <typename M>
    requires Accepts<Api, M>
  TimerId EveryAtFixedRate(Duration period, M&& message) {
    MustCopy<std::remove_cvref_t<M>>();
    return StartTick<Api>(timer_owner(), TimerKind::kFixedRate, period, std::forward<M>(message));
  }

  // Tells itself a copy of `message` by the calendar of `zone`: see CronSchedule. It follows the
  // wall clock, also when that is set, and never ticks twice for one instant of the schedule.
  // INVALID_ARGUMENT the expression or the zone, with the field that is wrong; RESOURCE_EXHAUSTED
  // kTimersPerActorMax; FAILED_PRECONDITION it is stopping, or outside a System.
  template <typename M>
    requires Accepts<Api, M>
  StatusOr<TimerId> Cron(std::string_view expression, std::string_view zone, M&& message) {
    MustCopy<std::remove_cvref_t<M>>();
    return StartCron(timer_owner(), expression, zone, MakeTick<Api>(std::forward<M>(message)));
  }

  // True: it will not tick any more (a tick already queued is still handled). False: there is no
  // such timer (any more).
  bool Cancel(TimerId id) { return internal::CancelTimer(timer_owner(), id); }

  // No ticks until ResumeTimer(), which goes on with the time that was left; a rhythm, or a
  // calendar, with the next tick that is still to come. False: there is no such timer. Again
  // changes nothing.
  bool PauseTimer(TimerId id) { return internal::PauseTimer(timer_owner(), id); }
  bool ResumeTimer(TimerId id) { return internal::ResumeTimer(timer_owner(), id); }

  // Those that are still to tick, the oldest first.
  std::vector<TimerInfo> ListTimers() const { return internal::ListTimers(timer_owner()); }

 private:
  Cell* timer_owner() const { return static_cast<const Self*>(this)->timer_cell(); }
};

}  // namespace internal
}  // namespace quern

#endif  // QUERN_RUNTIME_TIMER_H_
