// The escape hatch for routers, proxies and tools: an actor that takes every message of every Api,
// unread.
//
//   struct Spread : quern::AnyActor {
//     explicit Spread(std::vector<quern::Ref<WorkerApi>> to) : to_(std::move(to)) {}
//     void OnAny(const quern::AnyMessage&, quern::Context& context) {
//       (void)context.Forward(to_[next_++ % to_.size()]);
//     }
//     std::vector<quern::Ref<WorkerApi>> to_;
//     size_t next_ = 0;
//   };
//   auto spread = quern::As<WorkerApi>(system.Spawn<Spread>("spread", workers).value());
//   spread.Ask(Work{});                                  // the answer is a worker's
//
// Nothing is checked by the compiler here: whoever calls As() says which messages the actor is
// ready for. It cannot answer by itself; it forwards, stashes, or reads a message it knows. An ask
// that it does none of this with is ABORTED, as any that its handler leaves without an answer.
//
// Owner only, as every actor.

#ifndef QUERN_RUNTIME_ANY_ACTOR_H_
#define QUERN_RUNTIME_ANY_ACTOR_H_

#include <string_view>

#include "quern/runtime/actor.h"
#include "quern/runtime/context.h"
#include "quern/runtime/internal/actor_class.h"
#include "quern/runtime/internal/envelope.h"
#include "quern/runtime/internal/signature.h"
#include "quern/runtime/ref.h"

namespace quern {

// Of an AnyActor's Ref: it has no message of its own.
struct AnyApi : Protocol<> {};

// A message whose type is not known to the compiler. Valid until the handler returns.
class AnyMessage {
 public:
  // As the compiler writes the type: for logs.
  std::string_view name() const { return envelope_->signature->message_name; }

  // Somebody waits for an answer.
  bool is_ask() const { return envelope_->is_ask(); }

  // The message, if it is an M; else null.
  template <typename M>
  const M* As() const {
    if (envelope_->signature->message_type != &internal::kMessageType<M>) return nullptr;
    return static_cast<const M*>(envelope_->message());
  }

  // For the runtime itself.
  explicit AnyMessage(internal::Envelope* envelope) : envelope_(envelope) {}

 private:
  internal::Envelope* const envelope_;
};

// Derived classes have a public member void OnAny(const AnyMessage&, Context&).
class AnyActor : public Actor<AnyApi> {
 protected:
  AnyActor() = default;
};

// The same actor as one that takes the messages of Api.
template <typename Api>
Ref<Api> As(const Ref<AnyApi>& any) {
  return Ref<Api>::FromCell(any.cell());
}

namespace internal {

template <typename A>
void RunAny(void* actor, Envelope* envelope, Context& context) {
  static_cast<A*>(actor)->OnAny(AnyMessage(envelope), context);
}
template <typename A>
constexpr Thunk AnyThunk() {
  return &RunAny<A>;
}

}  // namespace internal
}  // namespace quern

#endif  // QUERN_RUNTIME_ANY_ACTOR_H_
