// Work that an actor starts and does not wait for: it runs on a fiber of its own, beside the
// actor's turns, and what comes of it arrives as a message.
//
//   void On(const Load& m, quern::Context& context) {
//     auto load = [rows = rows_, id = m.id] { return rows.Ask(Fetch{id}); };      // StatusOr<Row>
//     auto told = [](quern::StatusOr<Row> row) { return Loaded{std::move(row)}; };
//     context.PipeTo(Self(), load, told, {.timeout = 200ms});
//   }
//
// An ask that is under way (Pending) may stand for the function: what it is answered arrives.
//
// The function captures values and Refs, never the actor: the actor goes on meanwhile. It may ask
// and sleep as a handler does, and its asks hold nobody up. Failure arrives too: what it returned,
// UNKNOWN for what it threw, DEADLINE_EXCEEDED when its time was up, UNAVAILABLE when a circuit
// breaker refused it. Without the third argument the message is the StatusOr<Row> itself (for void,
// the Status).
//
// It belongs to the actor: when the actor stops or fails, what the function waits for is CANCELLED
// and nothing arrives. kPipesPerActorMax at a time.

#ifndef QUERN_RUNTIME_PIPE_H_
#define QUERN_RUNTIME_PIPE_H_

#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include "quern/runtime/clock.h"
#include "quern/runtime/internal/cell.h"
#include "quern/runtime/internal/envelope.h"
#include "quern/runtime/internal/result_of.h"
#include "quern/runtime/protocol.h"
#include "quern/runtime/ref.h"
#include "quern/runtime/status.h"

namespace quern {

class CircuitBreaker;

struct PipeOptions {
  // The function's asks end with it, and what it waits for is cancelled. kNoTimeout: none.
  static constexpr Duration kNoTimeout = Duration::max();
  Duration timeout = kNoTimeout;
  // While it is open the function is not run (a Pending, which has been sent already, is cancelled)
  // and UNAVAILABLE arrives. It is told what became of the function, a timeout is a failure; a stop
  // of the actor counts as neither. Null: none. Shared: a pipe may end after its actor.
  std::shared_ptr<CircuitBreaker> breaker = nullptr;
};

namespace internal {

struct Turn;

// The function and what becomes of its result, types erased.
class PipeWork {
 public:
  virtual ~PipeWork() = default;
  // Runs the function. May suspend and throw.
  virtual void Run() = 0;
  // What it returned; after Run(), which did not throw.
  virtual const Status& answer() const = 0;
  // The message: of the result, or of `failed` when it is not OK. May throw.
  virtual Envelope* Make(const Status& failed) = 0;
};

template <typename Api, typename Work, typename Map>
class PipeWorkOf final : public PipeWork {
 public:
  using Result = ResultOf<Work>;
  using Message = std::decay_t<std::invoke_result_t<Map&, Result>>;
  using Signature = SignatureFor<Api, Message>;

  PipeWorkOf(Work work, Map map) : work_(std::move(work)), map_(std::move(map)) {}

  void Run() override {
    if constexpr (std::is_void_v<std::invoke_result_t<Work&>>) {
      work_();
      result_ = Status();
    } else {
      result_ = work_();
    }
  }

  const Status& answer() const override { return StatusOf(result_); }

  Envelope* Make(const Status& failed) override {
    if (!failed.ok()) result_ = failed;
    constexpr uint16_t kIndex = IndexIn<Signature>(static_cast<const SignaturesOf<Api>*>(nullptr));
    return MakeEnvelope<Signature>(kIndex, /*ask=*/false, map_(std::move(result_)));
  }

 private:
  Work work_;
  Map map_;
  Result result_ = absl::UnknownError("not run");
};

// Codes as Context::PipeTo().
Status StartPipe(Turn& turn, CellPtr<Cell> to, std::unique_ptr<PipeWork> work,
                 const PipeOptions& options);

// A Pending as a function.
template <typename Pending>
struct AwaitIt {
  Pending pending;
  auto operator()() { return pending.Await(); }
};
template <typename Work>
auto AsWork(Work work) {
  if constexpr (requires { work.Await(); }) {
    return AwaitIt<Work>{std::move(work)};
  } else {
    return work;
  }
}
template <typename Work>
using WorkOf = decltype(AsWork(std::declval<Work>()));

// The result as it is.
struct AsItIs {
  template <typename T>
  T operator()(T result) const {
    return result;
  }
};

}  // namespace internal
}  // namespace quern

#endif  // QUERN_RUNTIME_PIPE_H_
