#include "scheduler/worker_algorithm.h"

#include <cxxabi.h>

#include <cstddef>
#include <iterator>
#include <utility>

#include "scheduler/fiber_stack.h"
#include "scheduler/worker.h"

namespace quern::internal {

// The layout is fixed by the Itanium C++ ABI, section 2.2.2.
ExceptionState* ThreadExceptionState() {
  return reinterpret_cast<ExceptionState*>(abi::__cxa_get_globals());
}

WorkerAlgorithm::WorkerAlgorithm(Worker* worker)
    : worker_(worker), exceptions_(ThreadExceptionState()) {
  worker->algorithm_ = this;
}

void WorkerAlgorithm::awakened(Context* context) noexcept {
  if (context->is_context(boost::fibers::type::dispatcher_context)) {
    dispatcher_ = context;
  } else {
    context->ready_link(ready_);
  }
}

WorkerAlgorithm::Context* WorkerAlgorithm::pick_next() noexcept {
  const Runner* leaving = worker_->runner();
  Context* active = leaving != nullptr ? leaving->context : Context::active();
  worker_->tells().End();  // of a handler that suspends on its own
  Context* next = Pick(active);
  if (next == nullptr || next == active) return next;
  auto* runner = static_cast<Runner*>(next->get_properties());
  SwitchExceptionState(active, runner);
  worker_->SetRunner(runner);
  worker_->Beat();
#if defined(__SANITIZE_ADDRESS__)
  NoteStack(runner != nullptr ? runner->stack_top : nullptr);
#endif
  return next;
}

[[gnu::always_inline]] inline WorkerAlgorithm::Context* WorkerAlgorithm::Pick(Context* active) {
  // Never the fiber that is just suspending: Boost.Context cannot resume it into itself.
  if (++picks_ >= kDispatchEvery || boost_pending_.load(std::memory_order_relaxed)) {
    if (Context* dispatcher = TakeDispatcher(); dispatcher != nullptr) {
      picks_ = 0;
      return dispatcher;
    }
  }
  const bool cells_wait = woken_streak_ >= kWokenStreakMax && !worker_->queue_.empty();
  if (cells_wait) {
    woken_streak_ = 0;
    if (Context* runner = TakeIdleRunner(active); runner != nullptr) return runner;
  }
  if (Context* woken = TakeWoken(active); woken != nullptr) return woken;
  woken_streak_ = 0;
  if (!worker_->queue_.empty()) {
    if (Context* runner = TakeIdleRunner(active); runner != nullptr) return runner;
  }
  return TakeDispatcher();
}

WorkerAlgorithm::Context* WorkerAlgorithm::TakeDispatcher() {
  // Cleared before its pass: what comes during it asks for another one.
  if (dispatcher_ != nullptr) boost_pending_.store(false, std::memory_order_seq_cst);
  return std::exchange(dispatcher_, nullptr);
}

WorkerAlgorithm::Context* WorkerAlgorithm::TakeWoken(Context* active) {
  auto it = ready_.begin();
  if (it != ready_.end() && &*it == active) ++it;
  if (it == ready_.end()) return nullptr;
  ++woken_streak_;
  Context* context = &*it;
  ready_.erase(it);
  return context;
}

WorkerAlgorithm::Context* WorkerAlgorithm::TakeWokenAt(size_t position) {
  const auto it = std::next(ready_.begin(), static_cast<ptrdiff_t>(position));
  Context* context = &*it;
  ready_.erase(it);
  return context;
}

WorkerAlgorithm::Context* WorkerAlgorithm::TakeIdleRunner(Context* active) {
  Runner** link = &worker_->idle_;
  if (*link != nullptr && (*link)->context == active) link = &(*link)->next_idle;
  Runner* runner = *link;
  if (runner == nullptr) return nullptr;
  *link = runner->next_idle;
  --worker_->idle_count_;
  return runner->context;
}

[[gnu::always_inline]] inline void WorkerAlgorithm::SwitchExceptionState(Context* active,
                                                                         Runner* next) {
  ExceptionState& thread = *exceptions_;
  if (thread.caught != nullptr || thread.uncaught != 0) [[unlikely]] {
    // Only runners run users' code; main and dispatcher are never inside a catch block.
    if (auto* out = static_cast<Runner*>(active->get_properties()); out != nullptr) {
      out->exceptions = std::exchange(thread, {});
    }
  }
  if (next != nullptr && (next->exceptions.caught != nullptr || next->exceptions.uncaught != 0))
      [[unlikely]] {
    thread = std::exchange(next->exceptions, {});
  }
}

bool WorkerAlgorithm::has_ready_fibers() const noexcept {
  return !ready_.empty() || (worker_->idle_ != nullptr && !worker_->queue_.empty());
}

void WorkerAlgorithm::suspend_until(const std::chrono::steady_clock::time_point& limit) noexcept {
  // Consume the flag and return, or sleep: clearing it and sleeping would lose a wake-up.
  if (boost_pending_.exchange(false, std::memory_order_acq_rel)) return;
  worker_->IdleUntil(limit);
}

void WorkerAlgorithm::notify() noexcept {
  boost_pending_.store(true, std::memory_order_seq_cst);
  worker_->Notify();
}

}  // namespace quern::internal
