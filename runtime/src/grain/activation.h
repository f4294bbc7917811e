// One grain while it is here: the object, its mailbox and its life from claim to end, all on its
// own turn.
//
//   kActivating   messages wait; State is claimed, the object made, OnActivate runs
//   kActive       messages run, unless the host is fenced: then they answer UNAVAILABLE; of a
//                 reentrant kind several handlers may wait, and an end that is asked for comes
//                 after the last of them (leaving.cc)
//   kDeactivating nothing is accepted; OnDeactivate runs, the object is destroyed, and what still
//                 stood in the mailbox goes back to the owner
//
// The owner (the grain host) holds the cell from Begin() until OnEnded(). Offer, RequestEnd and the
// accessors are thread-safe; the rest belongs to the activation's turn.

#ifndef QUERN_RUNTIME_SRC_GRAIN_ACTIVATION_H_
#define QUERN_RUNTIME_SRC_GRAIN_ACTIVATION_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/base/thread_annotations.h>

#include "actor/actor_timers.h"
#include "actor/made_once.h"
#include "actor/mailbox_cell.h"
#include "mailbox/side_mail.h"
#include "quern/runtime/fiber_sync.h"
#include "quern/runtime/grain.h"
#include "quern/runtime/grain_info.h"
#include "quern/runtime/network_port.h"
#include "quern/runtime/state_store.h"

namespace quern::internal {

// A grain class as it is hosted. Constant.
struct GrainKind {
  std::string kind;
  GrainType type;
  GrainOptions options;
  StateStore* state_store = nullptr;
};

class Activation;

// What an activation asks of, and tells, the host. Called on the activation's turn.
class ActivationOwner {
 public:
  // No turn may start now.
  virtual bool Fenced() const = 0;

  // OnActivate has returned OK.
  virtual void OnActivated(Activation& activation) = 0;

  // The grain is gone; `unhandled` are the messages that it did not run, in order. The owner's
  // count may be given up: the activation touches nothing of itself afterwards.
  virtual void OnEnded(Activation& activation, std::vector<Envelope*> unhandled) = 0;

 protected:
  ~ActivationOwner() = default;
};

class Activation final : public MailboxCell {
 public:
  Activation(ActivationOwner* owner, SystemCore* core, const GrainKind* kind, GrainId id,
             const Epoch& epoch);

  // Schedules the first turn. Once.
  void Begin() {
    Signal(kBeginSignal);
    Start();
  }

  // Before Begin(): takes them all, whatever the mailbox holds.
  void TakeFirst(const std::vector<Envelope*>& first);

  // Takes the message; nothing when the grain is on its way out: the message is untouched.
  std::optional<Delivery> Offer(Envelope* envelope);

  // The same from inside a Visit, of a kind that TakesVisits(). False: it is on its way out, or
  // waits for who asks here; the message is untouched.
  bool Admit(Envelope* envelope);
  // All of them or none; tells from one sender.
  bool AdmitChain(MailboxNode* first, MailboxNode* last);
  // Nobody but its mailbox has a say in what it takes, and that takes everything.
  bool TakesVisits() const;
  // The number of the router that lets messages come past itself; 0: none does.
  void SetPassage(uint32_t router) { passage_.store(router, std::memory_order_release); }
  uint32_t passage() const { return passage_.load(std::memory_order_acquire); }
  // Not on its way out.
  bool TakesOffers() const { return (offers_.load(std::memory_order_relaxed) & kOfferClosed) == 0; }

  // Ends the activation once the handlers that have begun have returned.
  void RequestEnd(Status why);

  const GrainId& grain_id() const { return id_; }
  const Epoch& epoch() const { return epoch_; }
  const GrainKind& kind() const { return *kind_; }
  ActivationState state() const { return state_.load(std::memory_order_acquire); }
  GrainInfo Info() const;
  // Accepted and not yet handled, the one that is being handled with them; ticks are not counted.
  size_t messages() const;

  // Time of the end of the last handler.
  Time last_active() const { return Time(Duration(last_active_.load(std::memory_order_relaxed))); }

  // Nothing has happened for the idle timeout: ends it, unless a message has run meanwhile. One
  // that is just coming is routed again, like everything that meets a grain on its way out.
  static constexpr uint32_t kIdleSignal = kOwnSignals << 2;

  // MailboxCell:
  ActorTimers* Timers(bool make) override;

  // Of the grain, on its turn.
  void SetIdleTimeout(Duration timeout);

  // Cell:
  std::string Path() const override { return id_.ToString(); }
  std::string_view PathView() override {
    return path_.Get([this] { return Path(); });
  }
  std::string_view ClassName() const override { return kind_->kind; }
  void RequestStop() override;
  void FillSender(SenderStamp* stamp) const override;

  // Of the grain, on its turn. After LoseState no handler begins here any more, and the asks being
  // handled are answered with `why`.
  void LoseState(const Status& why);
  const Status& state_lost() const { return state_lost_; }

  // OK until the activation ended or failed for a reason; on its turn, or in OnEnded.
  const Status& outcome() const { return outcome_; }
  // OnActivate has returned OK once.
  bool was_active() const { return was_active_; }

 protected:
  friend class MailboxCell;
  void RunTurn(Worker& worker) override;
  TurnEnd RunMessages(Turn& turn, int clock_mask) override;
  After OnSignals(Turn& turn, uint32_t bits) override;
  After OnMessage(Turn& turn, Envelope* envelope) override;
  void OnTurnEnd(Turn& turn) override;
  bool Accepting() const override;

 private:
  static constexpr uint32_t kBeginSignal = kOwnSignals;
  static constexpr uint32_t kEndSignal = kOwnSignals << 1;
  // offers_: senders inside, visits apart, in the low 31 bits, then "closed", then how many were
  // accepted.
  static constexpr uint64_t kOfferClosed = 1u << 31;
  static constexpr uint64_t kOfferMask = (uint64_t{1} << 32) - 1;
  static constexpr uint64_t kOfferAccepted = uint64_t{1} << 32;

  ~Activation() override;
  void Dispose() noexcept override;

  SideMail* side_mail(bool make) override;
  After Activate(Turn& turn);
  Status TryUntilActive(Turn& turn);
  // Once; asks of OnActivate end at `until`.
  Status TryToActivate(Turn& turn, Time until);
  Status MakeGrain(Turn& turn);
  Status ClaimState();
  void WatchIdleness(Turn& turn);
  Failed RunFiltered(Turn& turn, Envelope* envelope, Thunk thunk);
  void PublishEnd() const;
  void NoteHandled(bool counted);
  After End(Turn& turn, Status why);
  void CloseOffers();
  bool CountIn(uint64_t messages);

  // leaving.cc
  // What somebody asked for.
  After EndOnRequest(Turn& turn);
  // After a failure: those that wait are cancelled.
  After EndAlone(Turn& turn, Status why);
  bool MayWait(Turn& turn, Envelope* envelope);
  void LetIn(Turn& turn, Envelope* envelope);
  // Makes a Message of what is not handled here. False: it cannot be one, and has been ended.
  bool Label(Envelope* envelope);
  Status UnknownMessage() const;

  void LeaveOffer(uint64_t accepted);
  bool IsIdle(const Turn& turn) const;
  void NoteActivity(const Turn& turn);

  ActivationOwner* const owner_;
  const GrainKind* const kind_;
  const GrainId id_;
  const Epoch epoch_;

  // Turn only.
  GrainInstance instance_;
  bool begun_ = false;
  bool was_active_ = false;
  bool ran_message_ = false;  // in this turn
  bool leaving_ = false;      // once the handlers that wait have ended
  uint32_t let_in_ = 0;       // messages in front that are handled nevertheless
  Status state_lost_;
  Status outcome_;
  Duration idle_timeout_;
  CellTimer* idle_timer_ = nullptr;
  std::unique_ptr<ActorTimers> timers_;  // made by the first
  std::unique_ptr<SideMail> side_mail_;

  MadeOnce<const std::string> path_;
  std::atomic<ActivationState> state_{ActivationState::kActivating};
  std::atomic<int64_t> last_active_{0};
  static constexpr int64_t kNotYet = INT64_MIN;
  std::atomic<int64_t> active_since_{kNotYet};
  std::atomic<uint32_t> handled_{0};  // of what was accepted; written on the turn
  std::atomic<uint32_t> passage_{0};
  std::atomic<uint64_t> offers_{0};

  TinyLock lock_;
  std::optional<Status> end_requested_ ABSL_GUARDED_BY(lock_);
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_GRAIN_ACTIVATION_H_
