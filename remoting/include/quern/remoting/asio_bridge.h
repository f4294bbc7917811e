// Actors for programs that live on Asio: an ask as an asynchronous operation like any other.
//
//   quern::StatusOr<int> total =
//       co_await quern::AsyncAsk(io.get_executor(), counter, Get{}, 200ms, asio::use_awaitable);
//   std::future<quern::StatusOr<int>> later =
//       quern::AsyncAsk(io.get_executor(), counter, Get{}, 200ms, asio::use_future);
//   quern::AsyncAsk(io.get_executor(), counter, Get{}, 200ms, [](quern::StatusOr<int> total) {});
//
// The handler runs on its associated executor, else on the one given, never inside the call; the
// operation counts as work of it. Cancellation (terminal, partial or total) gives the ask up: the
// answer is CANCELLED and the actor may have run. Failure codes are those of Ref::Ask. Thread-safe.
// The executor's context outlives the system of the Ref: when the handler runs, the worker that has
// posted it may still be on its way out of Asio.

#ifndef QUERN_REMOTING_ASIO_BRIDGE_H_
#define QUERN_REMOTING_ASIO_BRIDGE_H_

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <memory>
#include <type_traits>
#include <utility>

#include "quern/runtime/clock.h"
#include "quern/runtime/internal/callback_ask.h"
#include "quern/runtime/protocol.h"
#include "quern/runtime/ref.h"

namespace quern {

namespace internal {

struct StartAsyncAsk {
  template <typename Handler, typename Executor, typename Api, typename M>
  void operator()(Handler handler, const Executor& executor, const Ref<Api>& ref, M message,
                  Duration timeout) const {
    namespace asio = boost::asio;
    using Answer = ReplySlot<ReplyOf<Api, M>>;
    auto slot = asio::get_associated_cancellation_slot(handler);
    auto on = asio::get_associated_executor(handler, executor);
    auto finish = [handler = std::move(handler), on, slot,
                   work = asio::make_work_guard(on)](Answer answer) mutable {
      asio::post(on, [handler = std::move(handler), slot, work = std::move(work),
                      answer = std::move(answer)]() mutable {
        if (slot.is_connected()) slot.clear();
        work.reset();
        std::move(handler)(std::move(answer));
      });
    };
    Envelope* envelope = AskEnvelope<Api>(std::move(message));
    auto ask = NewAskWithFunction<Api, M>(std::move(finish));
    if (slot.is_connected()) {
      slot.assign([weak = std::weak_ptr<CallbackAsk>(ask)](asio::cancellation_type type) {
        if (type == asio::cancellation_type::none) return;
        if (const std::shared_ptr<CallbackAsk> going = weak.lock()) going->Cancel();
      });
    }
    ask->Send(ref.cell(), envelope, ask->slot(), timeout);
  }
};

}  // namespace internal

template <typename Executor, typename Api, typename M, typename Token>
  requires Accepts<Api, M>
auto AsyncAsk(const Executor& executor, const Ref<Api>& ref, M&& message, Duration timeout,
              Token&& token) {
  using Answer = internal::ReplySlot<ReplyOf<Api, M>>;
  return boost::asio::async_initiate<Token, void(Answer)>(
      internal::StartAsyncAsk(), token, executor, ref, std::forward<M>(message), timeout);
}

}  // namespace quern

#endif  // QUERN_REMOTING_ASIO_BRIDGE_H_
