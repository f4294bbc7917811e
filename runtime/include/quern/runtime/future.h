// Asks for programs that are not made of actors: the answer as a std::future, as a call, or awaited
// in a C++20 coroutine. (Inside a handler Ref::Ask is simpler. For Asio see
// quern/remoting/asio_bridge.h.)
//
//   std::future<quern::StatusOr<int>> total = quern::AskFuture(counter, Get{}, 200ms);
//   quern::PendingAsk ask = quern::AskThen(counter, Get{}, 200ms, [](quern::StatusOr<int> total) {
//     queue.Push(std::move(total));
//   });
//   quern::StatusOr<int> now = co_await quern::AskAwaitable(counter, Get{}, 200ms);
//
// Thread-safe, never suspend; failure codes are those of Ref::Ask, and CANCELLED. Callbacks run,
// and coroutines go on, on the thread that ends the ask: a worker of the system, or at once on the
// calling thread if the ask is refused. They must be short: no Ask, no wait, no lock that is held
// for long; a callback must not throw. Hand the answer to a thread of your own if there is more to
// do. An ask sent in a handler adds no edge to the call chain.

#ifndef QUERN_RUNTIME_FUTURE_H_
#define QUERN_RUNTIME_FUTURE_H_

#include <coroutine>
#include <future>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "quern/runtime/clock.h"
#include "quern/runtime/internal/callback_ask.h"
#include "quern/runtime/protocol.h"
#include "quern/runtime/ref.h"

namespace quern {

// An ask under way. May be dropped: the ask goes on.
class PendingAsk {
 public:
  PendingAsk() = default;
  explicit PendingAsk(std::shared_ptr<internal::CallbackAsk> ask) : ask_(std::move(ask)) {}

  // Ends it with CANCELLED, on this thread, unless it has ended; the handler may run all the same.
  // Thread-safe.
  void Cancel() const {
    if (ask_ != nullptr) ask_->Cancel();
  }

 private:
  std::shared_ptr<internal::CallbackAsk> ask_;
};

// Calls `callback(StatusOr<Reply>)`, for void `callback(Status)`, once. It may be move-only.
template <typename Api, typename M, typename Callback>
  requires Accepts<Api, M>
PendingAsk AskThen(const Ref<Api>& ref, M&& message, Duration timeout, Callback&& callback) {
  return PendingAsk(internal::SendWithCallback<Api>(ref.cell(), std::forward<M>(message), timeout,
                                                    std::forward<Callback>(callback)));
}

// A future that is waited on blocks its thread: never on a worker.
template <typename Api, typename M>
  requires Accepts<Api, M>
std::future<internal::ReplySlot<ReplyOf<Api, M>>> AskFuture(
    const Ref<Api>& ref, M&& message, Duration timeout = internal::kDefaultTimeout) {
  std::promise<internal::ReplySlot<ReplyOf<Api, M>>> promise;
  auto future = promise.get_future();
  internal::SendWithCallback<Api>(ref.cell(), std::forward<M>(message), timeout,
                                  [promise = std::move(promise)](auto answer) mutable {
                                    promise.set_value(std::move(answer));
                                  });
  return future;
}

// What AskAwaitable() gives: the ask is sent when it is awaited, once.
template <typename Api, typename M>
class AwaitableAsk {
 public:
  using Answer = internal::ReplySlot<ReplyOf<Api, M>>;

  AwaitableAsk(Ref<Api> ref, M message, Duration timeout)
      : ref_(std::move(ref)), message_(std::move(message)), timeout_(timeout) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    // The coroutine may go on, and this object be gone, before the call returns.
    internal::SendWithCallback<Api>(ref_.cell(), std::move(message_), timeout_,
                                    [this, waiting](Answer answer) {
                                      answer_.emplace(std::move(answer));
                                      waiting.resume();
                                    });
  }
  Answer await_resume() { return *std::move(answer_); }

 private:
  const Ref<Api> ref_;
  M message_;
  const Duration timeout_;
  std::optional<Answer> answer_;
};

template <typename Api, typename M>
  requires Accepts<Api, M>
AwaitableAsk<Api, std::remove_cvref_t<M>> AskAwaitable(
    const Ref<Api>& ref, M&& message, Duration timeout = internal::kDefaultTimeout) {
  return {ref, std::forward<M>(message), timeout};
}

}  // namespace quern

#endif  // QUERN_RUNTIME_FUTURE_H_
