// What a System is made of. Everything has a default that suits production.

#ifndef QUERN_RUNTIME_SYSTEM_OPTIONS_H_
#define QUERN_RUNTIME_SYSTEM_OPTIONS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "quern/runtime/clock.h"
#include "quern/runtime/eviction.h"
#include "quern/runtime/extensions.h"
#include "quern/runtime/grain_filter.h"
#include "quern/runtime/limits.h"
#include "quern/runtime/status.h"
#include "quern/runtime/supervision.h"

namespace quern {

class Logger;
class Random;
class StateStore;

namespace internal {
class StepDriver;
}

struct SystemOptions {
  std::string name = "quern";  // 1 to 255 bytes without control characters; for logs and threads
  int workers = 0;             // 0: the CPU quota of the cgroup, else the hardware's threads
  // The four below outlive the System; null means the default.
  Clock* clock = nullptr;             // SystemClock()
  Random* random = nullptr;           // SystemRandom()
  Logger* logger = nullptr;           // warnings and errors to standard error
  StateStore* state_store = nullptr;  // in memory, gone with the System
  Duration default_ask_timeout = kAskTimeoutDefault;
  // Asked before a message leaves for a grain (GrainFilter::BeforeSend), in order.
  GrainFilters grain_filters = {};
  // A turn of an actor ends after so much; then it goes behind the others. Looked at every few
  // messages.
  int turn_messages = kTurnMessagesMax;
  Duration turn_time = kTurnTimeMax;
  Duration stop_timeout = kStopTimeoutDefault;  // RunUntilSignal()
  // A handler that has held its worker for so long is reported: a log line and a WorkerHeld event,
  // with its stack. While all workers are held, spare ones (kSpareWorkersMax at most) run the other
  // actors; handlers that are parked on a held worker, and its timers, wait for it. Zero: nothing
  // is reported, and there are no spare ones.
  Duration watchdog_after = kWatchdogDefault;
  // Worker i is bound to CPU i of these, round and round; empty: to none.
  std::vector<int> worker_cpus = {};
  Extensions extensions = {};  // found by type: System::Extension, Context::Dependency
  int offload_threads = kOffloadThreadsDefault;        // at most, made when needed; offload.h
  size_t offload_queue = kOffloadQueueDefault;         // functions that wait for one
  size_t dead_letters_kept = kDeadLettersKeptDefault;  // to look at, at most kDeadLettersKeptMax
  internal::StepDriver* step_driver = nullptr;         // quern::testing::StepSystem: no threads
  // Of actors whose SpawnOptions say nothing of their own.
  Supervisor supervisor = {};
  int start_tries = kStartTriesDefault;
  Duration start_timeout = kStartTimeoutDefault;
  EvictionOptions eviction = {};

  // INVALID_ARGUMENT, naming the option and what it may be.
  Status Validate() const;
};

}  // namespace quern

#endif  // QUERN_RUNTIME_SYSTEM_OPTIONS_H_
