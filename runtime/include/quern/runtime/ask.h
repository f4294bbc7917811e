// Asks that are awaited later, several at a time.
//
//   quern::Pending<Quote> fast = rates.AskAsync(Convert{m.price}, 200ms);    // sent; nobody waits
//   quern::Pending<Stock> stock = store.AskAsync(Check{m.item});
//   auto [quote, left] = quern::AwaitAll(fast, stock);                       // both StatusOr
//   auto first = quern::AwaitAny(mirrors);                                   // {index, result}
//   auto totals = quern::AwaitAll(quern::BatchAsk(shard, queries));          // in order
//
// Until it is awaited such an ask holds nobody up and is no part of the chain of those who wait for
// one another; from then on it is, and a cycle that can never be answered fails at once. (AwaitAny
// over more than one adds no link: another of them may answer.) A reply that has come is returned
// even if the deadline has passed meanwhile; one that comes too late is dropped and counted.
//
// A Pending belongs to the actor or thread that asked. Owner only.

#ifndef QUERN_RUNTIME_ASK_H_
#define QUERN_RUNTIME_ASK_H_

#include <concepts>
#include <cstddef>
#include <iterator>
#include <memory>
#include <new>
#include <ranges>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "quern/runtime/clock.h"
#include "quern/runtime/delivery.h"
#include "quern/runtime/internal/cell.h"
#include "quern/runtime/internal/signature.h"
#include "quern/runtime/reentrancy.h"
#include "quern/runtime/status.h"

namespace quern {

template <typename Api>
class Ref;

template <typename R>
class Pending;

namespace internal {

class PendingAsk;

// Behind the templates (src/actor/pending_ask.cc). Each PendingAsk ends by one FreePending().
PendingAsk* StartAsk(Cell* cell, Envelope* envelope, const AskOptions& options);
bool IsAnswered(PendingAsk& ask);
void LinkAwait(PendingAsk& ask);
// True: the reply stands in SlotOfAsk() and is the caller's to destroy.
bool AwaitAsk(PendingAsk& ask, Status* status);
void* SlotOfAsk(PendingAsk& ask);
void CancelAsk(PendingAsk& ask);
void FreePending(PendingAsk* ask);
// The index of one that is answered, or whose time is over.
size_t AwaitAnyOf(std::span<PendingAsk* const> asks);

struct PendingAccess {
  template <typename R>
  static PendingAsk* Get(const Pending<R>& pending) {
    return pending.ask_.get();
  }
};

}  // namespace internal

template <typename R>
class [[nodiscard]] Pending {
 public:
  using Result = internal::ReplySlot<R>;  // StatusOr<R>; Status for void

  // Awaits nothing: FAILED_PRECONDITION.
  Pending() = default;
  Pending(Pending&&) noexcept = default;
  Pending& operator=(Pending&&) noexcept = default;
  // Gives the ask up, if nobody has awaited it: its handler may or may not run.
  ~Pending() = default;

  // The result, once; afterwards FAILED_PRECONDITION. Codes as for Ref::Ask, and CANCELLED after
  // Cancel(). Suspends; blocks a plain thread.
  Result Await() {
    if (ask_ == nullptr) return absl::FailedPreconditionError("nothing is pending: awaited before");
    const std::unique_ptr<internal::PendingAsk, Free> ask = std::move(ask_);
    Status status;
    if (!internal::AwaitAsk(*ask, &status)) return status;
    return TakeReply(internal::SlotOfAsk(*ask));
  }

  // Gives the ask up: Await() says CANCELLED, unless the reply had come before. Its handler may or
  // may not run. Never suspends.
  void Cancel() {
    if (ask_ != nullptr) internal::CancelAsk(*ask_);
  }

  // Await() would return at once. Never suspends.
  bool ready() const { return ask_ == nullptr || internal::IsAnswered(*ask_); }

  // For the runtime itself.
  explicit Pending(internal::PendingAsk* ask) : ask_(ask) {}

 private:
  friend struct internal::PendingAccess;

  static Result TakeReply(void* slot) {
    auto* reply = std::launder(static_cast<Result*>(slot));
    Result result = std::move(*reply);
    std::destroy_at(reply);
    return result;
  }

  struct Free {
    void operator()(internal::PendingAsk* ask) const { internal::FreePending(ask); }
  };

  std::unique_ptr<internal::PendingAsk, Free> ask_;
};

namespace internal {
template <typename R>
void LinkPending(const Pending<R>& pending) {
  if (PendingAsk* ask = PendingAccess::Get(pending); ask != nullptr) LinkAwait(*ask);
}
}  // namespace internal

// All of them, each within its own deadline; in order. Suspends; blocks a plain thread.
template <typename... R>
std::tuple<typename Pending<R>::Result...> AwaitAll(Pending<R>&... pending) {
  (internal::LinkPending(pending), ...);
  return {pending.Await()...};
}
template <typename R>
std::vector<typename Pending<R>::Result> AwaitAll(std::vector<Pending<R>>& pending) {
  for (const Pending<R>& one : pending) internal::LinkPending(one);
  std::vector<typename Pending<R>::Result> results;
  results.reserve(pending.size());
  for (Pending<R>& one : pending) results.push_back(one.Await());
  return results;
}
template <typename R>
std::vector<typename Pending<R>::Result> AwaitAll(std::vector<Pending<R>>&& pending) {
  return AwaitAll(pending);
}

template <typename R>
struct Awaited {
  size_t index;
  typename Pending<R>::Result result;
};

// The first that has a result, good or bad; the others stay pending. Those awaited before do not
// count; with none left, FAILED_PRECONDITION at index 0. Suspends; blocks a plain thread.
template <typename R>
Awaited<R> AwaitAny(std::vector<Pending<R>>& pending) {
  std::vector<internal::PendingAsk*> asks;
  std::vector<size_t> indices;
  for (size_t i = 0; i < pending.size(); ++i) {
    internal::PendingAsk* ask = internal::PendingAccess::Get(pending[i]);
    if (ask == nullptr) continue;
    asks.push_back(ask);
    indices.push_back(i);
  }
  if (asks.empty()) return {0, Pending<R>().Await()};
  const size_t index = indices[internal::AwaitAnyOf(asks)];
  return {index, pending[index].Await()};
}

// Tells every message, in order, which the target keeps. What became of each. Thread-safe.
template <typename Api, std::ranges::input_range Messages>
std::vector<Delivery> BatchTell(const Ref<Api>& to, Messages&& messages) {
  std::vector<Delivery> deliveries;
  for (auto&& message : messages) {
    deliveries.push_back(to.Tell(std::forward<decltype(message)>(message)));
  }
  return deliveries;
}

// Asks everything at once, in order, which the target keeps; each within `timeout`. Never suspends.
template <typename Api, std::ranges::input_range Messages>
auto BatchAsk(const Ref<Api>& to, Messages&& messages,
              Duration timeout = internal::kDefaultTimeout) {
  std::vector<decltype(to.AskAsync(*std::ranges::begin(messages), timeout))> pending;
  for (auto&& message : messages) {
    pending.push_back(to.AskAsync(std::forward<decltype(message)>(message), timeout));
  }
  return pending;
}

}  // namespace quern

#endif  // QUERN_RUNTIME_ASK_H_
