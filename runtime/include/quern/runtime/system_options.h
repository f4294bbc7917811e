// What a System is made of. Everything has a default that suits production.

#ifndef QUERN_RUNTIME_SYSTEM_OPTIONS_H_
#define QUERN_RUNTIME_SYSTEM_OPTIONS_H_

#include <cstddef>
#include <string>

#include "quern/runtime/clock.h"
#include "quern/runtime/grain_filter.h"
#include "quern/runtime/limits.h"

namespace quern {

class Logger;
class Random;
class StateStore;

namespace internal {
class StepDriver;
}

struct SystemOptions {
  std::string name = "quern";
  int workers = 0;  // 0: the CPU quota of the cgroup, else the hardware's threads
  // The four below outlive the System; null means the default.
  Clock* clock = nullptr;             // SystemClock()
  Random* random = nullptr;           // SystemRandom()
  Logger* logger = nullptr;           // warnings and errors to standard error
  StateStore* state_store = nullptr;  // in memory, gone with the System
  Duration default_ask_timeout = kAskTimeoutDefault;
  // Asked before a message leaves for a grain (GrainFilter::BeforeSend), in order.
  GrainFilters grain_filters = {};
  size_t dead_letters_kept = kDeadLettersKeptDefault;  // to look at, at most kDeadLettersKeptMax
  internal::StepDriver* step_driver = nullptr;         // quern::testing::StepSystem: no threads
};

}  // namespace quern

#endif  // QUERN_RUNTIME_SYSTEM_OPTIONS_H_
