#include "quern/runtime/fiber_group.h"

#include <exception>
#include <list>
#include <utility>

#include "actor/call_chain.h"
#include "actor/mailbox_cell.h"
#include "actor/turn.h"
#include "quern/runtime/check.h"
#include "quern/runtime/context.h"
#include "scheduler/waiter.h"
#include "scheduler/worker.h"

namespace quern {

// On the heap and on one worker: the fibers and their owner run one at a time.
struct FiberGroup::Shared {
  internal::Turn* owner = nullptr;
  std::list<internal::Turn> turns;  // one a fiber, until it has returned
  internal::Waiter* waiting = nullptr;
  Status failure;

  void Run(std::list<internal::Turn>::iterator turn, const std::function<void()>& fn);
};

FiberGroup::FiberGroup() : shared_(std::make_unique<Shared>()) {
  shared_->owner = internal::CurrentTurn();
  QUERN_CHECK(shared_->owner != nullptr);
}

FiberGroup::~FiberGroup() { QUERN_CHECK(shared_->turns.empty()); }

void FiberGroup::Go(std::function<void()> fn) {
  internal::Turn& owner = *shared_->owner;
  const auto turn = shared_->turns.emplace(shared_->turns.end());
  turn->cell = owner.cell;
  turn->cell_id = owner.cell_id;
  turn->worker = owner.worker;
  turn->envelope = owner.envelope;
  turn->deadline = owner.deadline;
  turn->cancelled = owner.cancelled;
  turn->in_group = true;
  turn->piped = owner.piped;
  owner.worker->StartFiber(
      &*turn, [shared = shared_.get(), turn, fn = std::move(fn)] { shared->Run(turn, fn); });
}

void FiberGroup::Shared::Run(std::list<internal::Turn>::iterator turn,
                             const std::function<void()>& fn) {
  std::exception_ptr thrown;
  try {
    fn();
  } catch (const boost::context::detail::forced_unwind&) {
    throw;
  } catch (...) {
    thrown = std::current_exception();
  }
  if (thrown != nullptr && failure.ok()) failure = internal::DescribeException(thrown, "a fiber");
  if (turn->inner_chain != nullptr) internal::CallChain::Release(turn->inner_chain);
  turn->worker->tells().End();
  turn->worker->SetTurn(nullptr);
  turns.erase(turn);
  if (turns.empty() && waiting != nullptr) std::exchange(waiting, nullptr)->Wake();
}

Status FiberGroup::Wait() {
  QUERN_CHECK(internal::CurrentTurn() == shared_->owner);
  if (!shared_->turns.empty()) {
    internal::Waiter waiter;
    shared_->waiting = &waiter;
    const auto outcome = waiter.Wait(kNever, /*cancellable=*/true);
    if (outcome != internal::Waiter::Outcome::kWoken) {
      // The actor has been asked to stop: what its fibers wait for is cancelled as well.
      for (internal::Turn& turn : shared_->turns) internal::Waiter::CancelTurn(turn);
      waiter.Wait();
    }
  }
  return std::exchange(shared_->failure, absl::OkStatus());
}

size_t FiberGroup::running() const { return shared_->turns.size(); }

Status SleepFor(Duration duration) {
  internal::Turn* turn = internal::CurrentTurn();
  if (turn == nullptr) return absl::FailedPreconditionError("only a handler can sleep");
  return Context(turn).Sleep(duration);
}

}  // namespace quern
