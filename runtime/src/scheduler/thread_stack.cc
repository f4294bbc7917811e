#include "scheduler/thread_stack.h"

#include <errno.h>
#include <execinfo.h>
#include <signal.h>

#include <atomic>
#include <chrono>

#include <absl/base/const_init.h>
#include <absl/debugging/symbolize.h>
#include <absl/strings/str_cat.h>
#include <absl/synchronization/mutex.h>

#include "actor/mailbox_cell.h"
#include "actor/turn.h"
#include "scheduler/futex.h"
#include "scheduler/worker.h"

namespace quern::internal {
namespace {

constexpr int kSignal = SIGURG;
constexpr int kFramesMax = 48;
constexpr int kOwnFrames = 2;  // the handler and the kernel's trampoline
constexpr auto kPatience = std::chrono::milliseconds(200);

// One request at a time, in memory that a handler may reach at any time.
struct Request {
  std::atomic<Worker*> worker{nullptr};  // taken by the handler that answers
  std::atomic<uint32_t> answered{0};
  Cell* cell = nullptr;
  const Signature* signature = nullptr;
  void* frames[kFramesMax];
  int depth = 0;
};
Request request;
absl::Mutex request_mutex(absl::kConstInit);

// On the thread that is asked about; async-signal-safe once backtrace() has been called before.
void OnSignal(int) {
  const int saved = errno;
  Worker* worker = Worker::Current();
  Worker* expected = worker;
  if (worker != nullptr &&
      request.worker.compare_exchange_strong(expected, nullptr, std::memory_order_acq_rel)) {
    const Turn* turn = worker->turn();
    request.cell = turn == nullptr || turn->over ? nullptr : turn->cell;
    if (request.cell != nullptr) request.cell->AddRef();
    request.signature =
        turn == nullptr || turn->envelope == nullptr ? nullptr : turn->envelope->signature;
    request.depth = backtrace(request.frames, kFramesMax);
    request.answered.store(1, std::memory_order_release);
    FutexWake(&request.answered);
  }
  errno = saved;
}

std::string Symbolized(void* const* frames, int depth) {
  std::string text;
  for (int i = kOwnFrames; i < depth; ++i) {
    char name[512];
    // A return address stands behind the call.
    const char* pc = static_cast<const char*>(frames[i]) - 1;
    absl::StrAppend(&text, i == kOwnFrames ? "" : "\n", absl::Hex(frames[i]), " ",
                    absl::Symbolize(pc, name, sizeof(name)) ? name : "?");
  }
  return text;
}

bool InstallHandler() {
  struct sigaction former{};
  sigaction(kSignal, nullptr, &former);
  if (former.sa_handler == &OnSignal) return true;
  if (former.sa_handler != SIG_DFL && former.sa_handler != SIG_IGN) return false;
  void* warm_up[1];
  backtrace(warm_up, 1);  // loads what it needs outside of the handler
  struct sigaction action{};
  action.sa_handler = &OnSignal;
  action.sa_flags = SA_RESTART;
  return sigaction(kSignal, &action, nullptr) == 0;
}

}  // namespace

ThreadStack CaptureStack(Worker& worker, pthread_t thread) {
  ThreadStack stack;
  absl::MutexLock lock(&request_mutex);
  if (!InstallHandler()) return stack;
  request.answered.store(0, std::memory_order_relaxed);
  request.worker.store(&worker, std::memory_order_release);
  pthread_kill(thread, kSignal);
  for (int i = 0; i < 4 && request.answered.load(std::memory_order_acquire) == 0; ++i) {
    FutexWait(request.answered, 0, kPatience / 4);
  }
  Worker* expected = &worker;
  const bool taken_back = request.worker.compare_exchange_strong(expected, nullptr);
  if (taken_back) return stack;
  // The handler has begun: it ends.
  while (request.answered.load(std::memory_order_acquire) == 0) {
    FutexWait(request.answered, 0, kPatience);
  }
  stack.cell = CellPtr<Cell>::Adopt(request.cell);
  if (request.signature != nullptr) stack.message = request.signature->message_name;
  stack.text = Symbolized(request.frames, request.depth);
  return stack;
}

}  // namespace quern::internal
