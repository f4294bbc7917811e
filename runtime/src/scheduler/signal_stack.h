// A stack for signal handlers of the calling thread, for its scope: a handler cannot run on a stack
// that has just run over. Where somebody has set one up already (a sanitizer), that one stays.

#ifndef QUERN_RUNTIME_SRC_SCHEDULER_SIGNAL_STACK_H_
#define QUERN_RUNTIME_SRC_SCHEDULER_SIGNAL_STACK_H_

#include <signal.h>

#include <cstddef>
#include <memory>

namespace quern::internal {

class SignalStack {
 public:
  SignalStack() {
    sigaltstack(nullptr, &former_);
    if ((former_.ss_flags & SS_DISABLE) == 0) return;
    bytes_ = std::make_unique<char[]>(kBytes);
    stack_t own{};
    own.ss_sp = bytes_.get();
    own.ss_size = kBytes;
    sigaltstack(&own, nullptr);
  }
  ~SignalStack() {
    if (bytes_ != nullptr) sigaltstack(&former_, nullptr);
  }
  SignalStack(const SignalStack&) = delete;
  SignalStack& operator=(const SignalStack&) = delete;

 private:
  static constexpr size_t kBytes = 32 * 1024;

  std::unique_ptr<char[]> bytes_;
  stack_t former_{};
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SCHEDULER_SIGNAL_STACK_H_
