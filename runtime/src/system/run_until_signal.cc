// SIGINT and SIGTERM for one system of the process. A handler, not a blocked mask: other threads of
// the program may not block the signals, and then it is they who would get them.

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <optional>

#include "quern/runtime/system.h"
#include "scheduler/futex.h"
#include "system/system_core.h"

namespace quern {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM};

// Handlers get no argument of ours: the word of the one system that waits, or null.
std::atomic<std::atomic<uint32_t>*> waiting_word{nullptr};

// Async-signal-safe.
void OnSignal(int number) {
  const int saved = errno;
  std::atomic<uint32_t>* word = waiting_word.load(std::memory_order_acquire);
  if (word != nullptr) {
    const uint32_t old = word->fetch_or(static_cast<uint32_t>(number), std::memory_order_acq_rel);
    if ((old & internal::SystemCore::kSignalMask) != 0) _exit(128 + number);  // a second one
    internal::FutexWakeAll(word);
  }
  errno = saved;
}

// Our handlers in place of whatever was there, which comes back at the end.
class Handlers {
 public:
  Handlers() {
    struct sigaction action{};
    action.sa_handler = &OnSignal;
    action.sa_flags = SA_RESTART;
    sigset_t wanted;
    sigemptyset(&wanted);
    for (size_t i = 0; i < std::size(kSignals); ++i) {
      sigaddset(&wanted, kSignals[i]);
      sigaction(kSignals[i], &action, &former_[i]);
    }
    pthread_sigmask(SIG_UNBLOCK, &wanted, &former_mask_);
  }
  ~Handlers() {
    pthread_sigmask(SIG_SETMASK, &former_mask_, nullptr);
    for (size_t i = 0; i < std::size(kSignals); ++i) {
      sigaction(kSignals[i], &former_[i], nullptr);
    }
  }
  Handlers(const Handlers&) = delete;
  Handlers& operator=(const Handlers&) = delete;

 private:
  struct sigaction former_[std::size(kSignals)];
  sigset_t former_mask_;
};

}  // namespace

Status System::RunUntilSignal() {
  std::atomic<uint32_t>& word = core_->signal_word();
  std::atomic<uint32_t>* nobody = nullptr;
  if (!waiting_word.compare_exchange_strong(nobody, &word, std::memory_order_acq_rel)) {
    return absl::FailedPreconditionError(
        "RunUntilSignal: another system of this process waits for signals already");
  }
  Status status;
  {
    Handlers handlers;
    while (word.load(std::memory_order_acquire) == 0) {
      internal::FutexWait(word, 0, std::nullopt);
    }
    status = core_->StopWithin(core_->options().stop_timeout);
  }
  waiting_word.store(nullptr, std::memory_order_release);
  return status;
}

}  // namespace quern
