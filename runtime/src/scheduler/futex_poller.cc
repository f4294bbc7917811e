#include <atomic>
#include <cstdint>

#include "quern/runtime/poller.h"
#include "scheduler/futex.h"

namespace quern {
namespace {

class FutexPollerImpl : public Poller {
 public:
  void Wait(std::optional<Duration> timeout) override {
    if (word_.exchange(0, std::memory_order_acquire) != 0) return;
    internal::FutexWait(word_, 0, timeout);
    word_.store(0, std::memory_order_relaxed);
  }

  void Wake() override {
    if (word_.exchange(1, std::memory_order_release) == 0) internal::FutexWake(&word_);
  }

 private:
  std::atomic<uint32_t> word_{0};
};

}  // namespace

std::unique_ptr<Poller> FutexPoller() { return std::make_unique<FutexPollerImpl>(); }

}  // namespace quern
