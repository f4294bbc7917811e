// An ask without anybody who waits: its end is a call. What futures, callbacks, awaitables and
// routers stand on.
//
//   class Print final : public CallbackAsk { void Finish(const Status* failed) noexcept override;
//   }; auto ask = std::make_shared<Print>(..); ask->Send(cell, envelope, slot, timeout);      //
//   Finish() is called exactly once, maybe at once ask->Cancel(); // any time: CANCELLED, if
//   nothing else came first
//
// Finish runs on the thread that ends the ask: the replier's worker, the worker whose clock runs
// out, the one that cancels or sends. It must be short, and neither suspend nor throw. The ask adds
// no edge to the call chain. Thread-safe.

#ifndef QUERN_RUNTIME_INTERNAL_CALLBACK_ASK_H_
#define QUERN_RUNTIME_INTERNAL_CALLBACK_ASK_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include "quern/runtime/clock.h"
#include "quern/runtime/internal/cell.h"
#include "quern/runtime/internal/envelope.h"
#include "quern/runtime/internal/signature.h"
#include "quern/runtime/protocol.h"
#include "quern/runtime/ref.h"
#include "quern/runtime/status.h"

namespace quern::internal {

class WorkerTimer;

class CallbackAsk : public std::enable_shared_from_this<CallbackAsk>, private Completion {
 public:
  CallbackAsk(const CallbackAsk&) = delete;
  CallbackAsk& operator=(const CallbackAsk&) = delete;

  // Takes the envelope. `slot` is this object's memory for the reply. Codes as Ref::Ask. Once.
  void Send(CellPtr<Cell> cell, Envelope* envelope, void* slot, Duration timeout);
  // The same by a deadline; kNever: only the reply, or the end of the target, ends it.
  void SendUntil(CellPtr<Cell> cell, Envelope* envelope, void* slot, Time deadline);

  // The ask is given up; whether it ran is unknown. Nothing when it has ended.
  void Cancel();

 protected:
  CallbackAsk() = default;
  virtual ~CallbackAsk();

  // Null: the reply stands in the slot, and is destroyed here.
  virtual void Finish(const Status* failed) noexcept = 0;

 private:
  void Done() override;
  void Refuse(Status why);
  void RetireTimer();
  void GiveUp(bool timed_out);
  // The one end: what kept it alive, and nobody's any more once this is gone.
  std::shared_ptr<CallbackAsk> End();

  CellPtr<Cell> cell_;
  Envelope* envelope_ = nullptr;
  const Signature* signature_ = nullptr;
  bool owns_envelope_ = false;  // the asker's side, until the destructor: no one else frees it
  std::atomic<bool> gave_up_{false};  // or tried to: once
  std::atomic<bool> ended_{false};
  std::atomic<WorkerTimer*> timer_{nullptr};
  std::shared_ptr<CallbackAsk> self_;  // until it ends
};

// The same with a function, which is given what Ref::Ask would return.
template <typename R, typename F>
class AskWithFunction final : public CallbackAsk {
 public:
  explicit AskWithFunction(F function) : function_(std::move(function)) {}
  void* slot() { return memory_.get(); }

 private:
  void Finish(const Status* failed) noexcept override {
    // What it holds is let go of at once, not with the last trace of the ask.
    F function = std::move(function_);
    if (failed != nullptr) {
      function(ReplySlot<R>(*failed));
    } else {
      function(memory_.Take());
    }
  }

  F function_;
  ReplyMemory<R> memory_;
};

// An ask of `Api` that is prepared, to be sent once.
template <typename Api, typename M, typename F>
auto NewAskWithFunction(F&& function) {
  return std::make_shared<AskWithFunction<ReplyOf<Api, M>, std::decay_t<F>>>(
      std::forward<F>(function));
}

template <typename Api, typename M>
Envelope* AskEnvelope(M&& message) {
  using Entry = SignatureFor<Api, std::remove_cvref_t<M>>;
  constexpr uint16_t kIndex = IndexIn<Entry>(static_cast<const SignaturesOf<Api>*>(nullptr));
  return MakeEnvelope<Entry>(kIndex, /*ask=*/true, std::forward<M>(message));
}

template <typename Api, typename M, typename F>
std::shared_ptr<CallbackAsk> SendWithCallback(const CellPtr<Cell>& cell, M&& message,
                                              Duration timeout, F&& function) {
  Envelope* envelope = AskEnvelope<Api>(std::forward<M>(message));
  auto ask = NewAskWithFunction<Api, M>(std::forward<F>(function));
  ask->Send(cell, envelope, ask->slot(), timeout);
  return ask;
}

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_INTERNAL_CALLBACK_ASK_H_
