// A typed handle to an actor or grain, here or on another node.
//
//   quern::Ref<CounterApi> counter = ...;
//   counter.Tell(Add{2});                                          // Delivery; never waits
//   quern::StatusOr<int64_t> total = counter.Ask(Get{}, 200ms);    // parks the fiber
//   quern::Ref<ReadOnlyApi> narrow = counter;                      // fewer messages, same target
//
// One pointer; copies are cheap. Thread-safe like a shared_ptr: different Refs to one target may be
// used from any thread. It may outlive its actor and its System; an empty one answers, never
// crashes.

#ifndef QUERN_RUNTIME_REF_H_
#define QUERN_RUNTIME_REF_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "quern/runtime/ask.h"
#include "quern/runtime/clock.h"
#include "quern/runtime/delivery.h"
#include "quern/runtime/internal/cell.h"
#include "quern/runtime/internal/signature.h"
#include "quern/runtime/protocol.h"
#include "quern/runtime/status.h"

namespace quern {

namespace internal {
// What a wrong Tell or Ask appears to return: the sentence that the compiler prints.
struct this_message_is_not_in_the_Api_of_this_Ref;

// Looked into at a call alone: an Api may be incomplete until then.
template <typename Api, typename M>
struct TravelMistake {
  using Type = SignatureMistake<SignatureFor<Api, std::remove_cvref_t<M>>>;
};
template <typename Api, typename M>
inline constexpr bool kCannotTravel = !std::is_void_v<typename TravelMistake<Api, M>::Type>;

// Memory for a reply that may or may not come.
template <typename R>
class ReplyMemory {
 public:
  void* get() { return bytes_; }
  ReplySlot<R> Take() {
    auto* slot = std::launder(reinterpret_cast<ReplySlot<R>*>(bytes_));
    ReplySlot<R> reply = std::move(*slot);
    std::destroy_at(slot);
    return reply;
  }

 private:
  alignas(ReplySlot<R>) unsigned char bytes_[sizeof(ReplySlot<R>)];
};
}  // namespace internal

template <typename Api>
class Ref {
 public:
  Ref() = default;

  // From a Ref that accepts everything that this one does.
  template <typename Wide>
    requires(!std::is_same_v<Wide, Api> && Covers<Wide, Api>)
  Ref(Ref<Wide> other) : cell_(std::move(other.cell_)) {}  // NOLINT: a Ref is meant to narrow

  // False: empty. A stopped actor's Ref is not empty.
  explicit operator bool() const { return static_cast<bool>(cell_); }

  // Puts the message into the target's mailbox. Never waits, never fails silently: the result says
  // what became of it. Thread-safe.
  template <typename M>
    requires Accepts<Api, M>
  Delivery Tell(M&& message) const {
    return internal::PostTell(cell_.get(), Envelop(std::forward<M>(message), /*ask=*/false));
  }
  template <typename M>
    requires(!Accepts<Api, M>)
  internal::this_message_is_not_in_the_Api_of_this_Ref Tell(M&& message) const = delete;
  template <typename M>
    requires Accepts<Api, M> && internal::kCannotTravel<Api, M>
  typename internal::TravelMistake<Api, M>::Type Tell(M&& message) const = delete;

  // Sends and waits for the reply. Inside a handler it suspends the fiber, on a plain thread it
  // blocks the thread. The timeout shrinks to the deadline of the ask that is being handled.
  // Failure codes: NOT_FOUND empty Ref or nothing of that kind; INVALID_ARGUMENT a timeout of zero
  // or less, nothing was sent; UNAVAILABLE surely not run; RESOURCE_EXHAUSTED the mailbox is full,
  // kCallChainMax asks wait on one another, or the asker has too many in flight; DEADLINE_EXCEEDED
  // outcome unknown, and the message says who waited for whom; CANCELLED the asking actor is
  // stopping; FAILED_PRECONDITION ask_cycle; UNKNOWN the handler threw; else what the handler
  // returned. Suspends. (A is looked into at the call alone: a message may carry a Ref to the Api
  // that it is one of.)
  template <typename M, typename A = Api>
    requires Accepts<A, M>
  auto Ask(M&& message, Duration timeout = internal::kDefaultTimeout) const
      -> internal::ReplySlot<ReplyOf<A, M>> {
    return Ask<M, A>(std::forward<M>(message), AskOptions{.timeout = timeout});
  }
  template <typename M, typename A = Api>
    requires Accepts<A, M>
  auto Ask(M&& message, const AskOptions& options) const -> internal::ReplySlot<ReplyOf<A, M>> {
    using R = ReplyOf<A, M>;
    internal::ReplyMemory<R> reply;
    Status status;
    if (internal::AskAndWait(cell_.get(), Envelop(std::forward<M>(message), /*ask=*/true),
                             reply.get(), options, &status)) {
      return reply.Take();
    }
    return status;
  }
  template <typename M>
    requires(!Accepts<Api, M>)
  internal::this_message_is_not_in_the_Api_of_this_Ref Ask(M&& message,
                                                           Duration = {}) const = delete;
  template <typename M, typename A = Api>
    requires Accepts<A, M> && internal::kCannotTravel<A, M>
  typename internal::TravelMistake<A, M>::Type Ask(M&& message, Duration = {}) const = delete;

  // Sends and returns at once: the reply is awaited later (ask.h). What could not be sent is
  // answered already, with the codes of Ask(). Thread-safe, never suspends.
  template <typename M, typename A = Api>
    requires Accepts<A, M>
  auto AskAsync(M&& message, Duration timeout = internal::kDefaultTimeout) const
      -> Pending<ReplyOf<A, M>> {
    return AskAsync<M, A>(std::forward<M>(message), AskOptions{.timeout = timeout});
  }
  template <typename M, typename A = Api>
    requires Accepts<A, M>
  auto AskAsync(M&& message, const AskOptions& options) const -> Pending<ReplyOf<A, M>> {
    return Pending<ReplyOf<A, M>>(
        internal::StartAsk(cell_.get(), Envelop(std::forward<M>(message), /*ask=*/true), options));
  }
  template <typename M>
    requires(!Accepts<Api, M>)
  internal::this_message_is_not_in_the_Api_of_this_Ref AskAsync(M&& message,
                                                                Duration = {}) const = delete;

  // Asks the actor to stop and returns at once: its parked asks return CANCELLED, the running
  // handler ends, queued messages are dead-lettered. Nothing for a grain. Thread-safe.
  void Stop() const {
    if (cell_) cell_->RequestStop();
  }

  // Asks for a new object in the actor's place, and for its children too (Directive::kRestart);
  // returns at once. It happens after the running handler has returned, whoever asks, the actor
  // itself included; OnStop runs first, the mailbox stays, a suspension ends. NOT_FOUND empty Ref;
  // UNAVAILABLE it has stopped; FAILED_PRECONDITION a grain, on another node, or its arguments
  // cannot be copied. Thread-safe.
  Status Restart() const { return Request(internal::LifeOrder::kRestart); }

  // Asks the actor to handle nothing until it is reinstated; returns at once. The running handler
  // ends first. Messages are accepted and wait, asks within their deadlines; it is not passivated.
  // Codes as for Restart(). Thread-safe.
  Status Suspend() const { return Request(internal::LifeOrder::kSuspend); }
  // Ends a suspension; nothing for an actor that runs. Codes as for Restart(). Thread-safe.
  Status Reinstate() const { return Request(internal::LifeOrder::kReinstate); }

  // "/parent/child", "kind/key", the address of a remote actor; "" when empty.
  std::string path() const { return cell_ ? cell_->Path() : std::string(); }

  // The same, for those who print it again and again: the target makes it at the first call and
  // keeps it. Lives as long as any Ref to it. Thread-safe.
  std::string_view path_view() const { return cell_ ? cell_->PathView() : std::string_view(); }

  // Of the target in its process; 0 when empty.
  uint64_t id() const { return cell_ ? cell_->id() : 0; }

  friend bool operator==(const Ref& a, const Ref& b) { return a.cell_.get() == b.cell_.get(); }

  // For the runtime itself.
  static Ref FromCell(internal::CellPtr<internal::Cell> cell) {
    Ref ref;
    ref.cell_ = std::move(cell);
    return ref;
  }
  const internal::CellPtr<internal::Cell>& cell() const { return cell_; }

 private:
  template <typename Other>
  friend class Ref;

  Status Request(internal::LifeOrder order) const {
    if (!cell_) return absl::NotFoundError("an empty Ref has no actor to restart or suspend");
    return cell_->Request(order);
  }

  template <typename M>
  static internal::Envelope* Envelop(M&& message, bool ask) {
    using Signature = internal::SignatureFor<Api, std::remove_cvref_t<M>>;
    constexpr uint16_t kIndex =
        internal::IndexIn<Signature>(static_cast<const internal::SignaturesOf<Api>*>(nullptr));
    return internal::MakeEnvelope<Signature>(kIndex, ask, std::forward<M>(message));
  }

  internal::CellPtr<internal::Cell> cell_;
};

}  // namespace quern

#endif  // QUERN_RUNTIME_REF_H_
