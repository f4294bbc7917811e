#include "quern/runtime/shutdown.h"

#include <array>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/strings/str_cat.h>
#include <absl/synchronization/mutex.h>

#include "actor/mailbox_cell.h"
#include "quern/runtime/limits.h"
#include "quern/runtime/logger.h"
#include "scheduler/waiter.h"
#include "system/system_core.h"

namespace quern {
namespace internal {

class ShutdownHooks {
 public:
  explicit ShutdownHooks(SystemCore* core) : core_(core) {}

  struct Entry {
    std::string name;
    Shutdown::Hook hook;
    HookPolicy policy;
  };

  Status Add(ShutdownPhase phase, Entry entry) {
    absl::MutexLock lock(&mutex_);
    std::optional<std::vector<Entry>>& entries = phases_[static_cast<size_t>(phase)];
    if (!entries.has_value()) {
      return absl::UnavailableError(absl::StrCat("shutdown hook ", entry.name, ": its phase ",
                                                 std::string(ShutdownPhaseName(phase)),
                                                 " has begun"));
    }
    if (count_ >= kShutdownHooksMax) {
      return absl::ResourceExhaustedError(
          absl::StrCat("shutdown hook ", entry.name, ": there are ", kShutdownHooksMax));
    }
    ++count_;
    entries->push_back(std::move(entry));
    return absl::OkStatus();
  }

  void Run(ShutdownPhase phase, Time deadline) {
    std::optional<std::vector<Entry>> entries;
    {
      absl::MutexLock lock(&mutex_);
      entries = std::exchange(phases_[static_cast<size_t>(phase)], std::nullopt);
    }
    if (!entries.has_value()) return;
    for (const Entry& entry : *entries) {
      if (chain_ended_) return;
      if (Status status = RunOne(entry, deadline); !status.ok()) Note(phase, entry, status);
    }
  }

  Status status() const {
    absl::MutexLock lock(&mutex_);
    return status_;
  }

 private:
  Status RunOne(const Entry& entry, Time deadline) {
    for (int left = entry.policy.retries;; --left) {
      Status status = RunGuarded(entry);
      const Time next = core_->clock().Now() + entry.policy.retry_every;
      if (status.ok() || left == 0 || next >= deadline) return status;
      Waiter(core_).Wait(next);
    }
  }

  static Status RunGuarded(const Entry& entry) {
    std::exception_ptr thrown;
    try {
      return entry.hook();
    } catch (...) {  // on a plain thread: no fiber is unwound here
      thrown = std::current_exception();
    }
    return DescribeException(thrown, entry.name);
  }

  void Note(ShutdownPhase phase, const Entry& entry, const Status& status) {
    core_->logger().Log(
        LogLevel::kError, "shutdown hook failed",
        {{"hook", entry.name}, {"phase", ShutdownPhaseName(phase)}, {"why", status.ToString()}});
    chain_ended_ = entry.policy.on_failure == HookFailure::kFail;
    absl::MutexLock lock(&mutex_);
    const std::string text = absl::StrCat("shutdown hook ", entry.name, ": ", status.message());
    status_ = status_.ok() ? Status(status.code(), text)
                           : Status(status_.code(), absl::StrCat(status_.message(), "; ", text));
  }

  SystemCore* const core_;
  bool chain_ended_ = false;  // of the thread that stops
  mutable absl::Mutex mutex_;
  // Gone once the phase has begun.
  std::array<std::optional<std::vector<Entry>>, 3> phases_ ABSL_GUARDED_BY(mutex_) = {
      std::vector<Entry>(), std::vector<Entry>(), std::vector<Entry>()};
  size_t count_ ABSL_GUARDED_BY(mutex_) = 0;
  Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace internal

std::string_view ShutdownPhaseName(ShutdownPhase phase) {
  static constexpr std::string_view kNames[] = {"before_stop", "before_actors_stop",
                                                "after_actors_stop"};
  return kNames[static_cast<size_t>(phase)];
}

Shutdown::Shutdown(internal::SystemCore* core)
    : hooks_(std::make_unique<internal::ShutdownHooks>(core)) {}
Shutdown::~Shutdown() = default;

Status Shutdown::On(ShutdownPhase phase, std::string_view name, Hook hook, HookPolicy policy) {
  if (name.empty() || hook == nullptr || policy.retries < 0 ||
      policy.retry_every < Duration::zero()) {
    return absl::InvalidArgumentError(
        absl::StrCat("shutdown hook \"", std::string(name),
                     "\": it needs a name, a function, and retries of zero or more"));
  }
  return hooks_->Add(phase, {std::string(name), std::move(hook), policy});
}

void Shutdown::Run(ShutdownPhase phase, Time deadline) { hooks_->Run(phase, deadline); }
Status Shutdown::status() const { return hooks_->status(); }

}  // namespace quern
