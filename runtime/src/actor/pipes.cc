#include "actor/pipes.h"

#include <exception>
#include <utility>
#include <vector>

#include "actor/actor_cell.h"
#include "actor/call_chain.h"
#include "actor/dead_letters.h"
#include "quern/runtime/circuit_breaker.h"
#include "quern/runtime/limits.h"
#include "scheduler/waiter.h"
#include "scheduler/worker.h"
#include "system/system_core.h"

namespace quern::internal {
namespace {

// What was thrown as a Status; `fn` may suspend.
template <typename Fn>
Status Guarded(Fn&& fn) {
  std::exception_ptr thrown;
  try {
    fn();
  } catch (const boost::context::detail::forced_unwind&) {
    throw;
  } catch (...) {
    thrown = std::current_exception();
  }
  return thrown == nullptr ? absl::OkStatus() : DescribeException(thrown, "a piped function");
}

}  // namespace

bool Pipes::Add(std::shared_ptr<Pipe> pipe) {
  absl::MutexLock lock(&mutex_);
  if (pipes_.size() >= kPipesPerActorMax) return false;
  pipes_.insert(std::move(pipe));
  return true;
}

void Pipes::Remove(const std::shared_ptr<Pipe>& pipe) {
  absl::MutexLock lock(&mutex_);
  pipes_.erase(pipe);
}

void Pipes::CancelAll() {
  std::vector<std::shared_ptr<Pipe>> pipes;
  {
    absl::MutexLock lock(&mutex_);
    pipes.assign(pipes_.begin(), pipes_.end());
  }
  for (const std::shared_ptr<Pipe>& pipe : pipes) pipe->Cancel();
}

Pipe::Pipe(std::shared_ptr<Pipes> owner, const Turn& starter, CellPtr<Cell> to,
           std::unique_ptr<PipeWork> work, Time deadline, std::shared_ptr<CircuitBreaker> breaker)
    : owner_(std::move(owner)),
      cell_(CellPtr<MailboxCell>::Share(starter.cell)),
      to_(std::move(to)),
      breaker_(std::move(breaker)),
      work_(std::move(work)) {
  turn_.cell = starter.cell;
  turn_.cell_id = starter.cell_id;
  turn_.worker = starter.worker;
  turn_.deadline = deadline;
  turn_.in_group = true;
  turn_.piped = true;
}

void Pipe::Start() {
  if (turn_.deadline != kNever) {
    turn_.worker->timers().Arm(this, turn_.deadline, &Pipe::OnTimer);
  }
  turn_.worker->StartFiber(&turn_, [pipe = shared_from_this()] { pipe->Run(); });
}

Status Pipe::RunWork() {
  return Guarded([this] { work_->Run(); });
}

Status Pipe::AskBreakerAndRun() {
  StatusOr<CircuitBreaker::Permit> permit = breaker_->Allow();
  if (!permit.ok()) return permit.status();
  Status status = RunWork();
  if (cancelled_.load(std::memory_order_acquire)) return status;  // it says nothing of the service
  if (timed_out_ || !status.ok()) {
    permit->Failed();
  } else {
    permit->Answered(work_->answer());
  }
  return status;
}

void Pipe::Run() {
  Status status = breaker_ == nullptr ? RunWork() : AskBreakerAndRun();
  done_ = true;
  turn_.worker->timers().Cancel(this);
  if (timed_out_) status = absl::DeadlineExceededError("a piped function's time was up");
  if (!cancelled_.load(std::memory_order_acquire)) Deliver(status);
  work_.reset();
  if (turn_.inner_chain != nullptr) CallChain::Release(turn_.inner_chain);
  turn_.worker->tells().End();
  turn_.worker->SetTurn(nullptr);
  owner_->Remove(shared_from_this());
}

void Pipe::Deliver(const Status& status) {
  Envelope* envelope = nullptr;
  const Status made = Guarded([&] { envelope = work_->Make(status); });
  if (made.ok()) {
    PostTell(to_.get(), envelope);
    return;
  }
  const std::string path = to_->Path();
  cell_->core().dead_letters().Add(
      {.reason = DeadLetterReason::kFailed,
       .target = path,
       .message = "the result of a piped function",
       .sender_id = cell_->id(),
       .why = std::string_view(made.message().data(), made.message().size())});
}

void Pipe::OnTimer(TimerNode* node) {
  auto* pipe = static_cast<Pipe*>(node);
  pipe->timed_out_ = true;
  Waiter::CancelTurn(pipe->turn_);
}

void Pipe::Cancel() {
  struct CancelItem : InboxItem {
    std::shared_ptr<Pipe> pipe;
  };
  cancelled_.store(true, std::memory_order_release);
  auto* item = new CancelItem;
  item->pipe = shared_from_this();
  item->run = [](Worker&, InboxItem* raw) {
    std::unique_ptr<CancelItem> owned(static_cast<CancelItem*>(raw));
    if (!owned->pipe->done_) Waiter::CancelTurn(owned->pipe->turn_);
  };
  turn_.worker->Post(item);
}

Status StartPipe(Turn& turn, CellPtr<Cell> to, std::unique_ptr<PipeWork> work,
                 const PipeOptions& options) {
  auto* actor = AsActor(turn.cell);
  if (actor == nullptr) return absl::FailedPreconditionError("only an actor has pipes");
  if (!to) return absl::NotFoundError("pipe to an empty Ref");
  if (actor->stopping() || actor->StopRequested()) {
    return absl::UnavailableError(actor->Path() + " is stopping");
  }
  const Time now = turn.worker->ReadClock();
  const Time deadline = options.timeout > kNever - now ? kNever : now + options.timeout;
  std::shared_ptr<Pipes>& pipes = actor->pipes();
  if (pipes == nullptr) pipes = std::make_shared<Pipes>();
  auto pipe = std::make_shared<Pipe>(pipes, turn, std::move(to), std::move(work), deadline,
                                     options.breaker);
  if (!pipes->Add(pipe)) {
    return absl::ResourceExhaustedError(actor->Path() + " has too many pipes open");
  }
  pipe->Start();
  return absl::OkStatus();
}

}  // namespace quern::internal
