#include "quern/runtime/system_options.h"

#include <sched.h>

#include <algorithm>
#include <string>

#include <absl/strings/str_cat.h>

namespace quern {
namespace {

constexpr size_t kNameBytesMax = 255;

Status Wrong(const char* option, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("SystemOptions::", option, ": ", what));
}

Status InRange(const char* option, int64_t value, int64_t least, int64_t most) {
  if (least <= value && value <= most) return absl::OkStatus();
  return Wrong(option, absl::StrCat(value, " is not in ", least, " to ", most));
}

Status Positive(const char* option, Duration value) {
  if (value > Duration::zero()) return absl::OkStatus();
  return Wrong(option, "must be positive");
}

Status ValidName(const std::string& name) {
  const bool valid = !name.empty() && name.size() <= kNameBytesMax &&
                     std::none_of(name.begin(), name.end(), [](char c) {
                       return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
                     });
  if (valid) return absl::OkStatus();
  return Wrong("name", "1 to 255 bytes without control characters");
}

Status AllowedCpus(const std::vector<int>& cpus) {
  if (cpus.empty()) return absl::OkStatus();
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return absl::OkStatus();
  for (int cpu : cpus) {
    if (cpu < 0 || cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, &allowed)) {
      return Wrong("worker_cpus", absl::StrCat("this process may not run on CPU ", cpu));
    }
  }
  return absl::OkStatus();
}

}  // namespace

Status SystemOptions::Validate() const {
  for (const Status& status : {
           ValidName(name),
           InRange("workers", workers, 0, kWorkersMax),
           Positive("default_ask_timeout", default_ask_timeout),
           InRange("turn_messages", turn_messages, 1, kTurnMessagesLimit),
           Positive("turn_time", turn_time),
           Positive("stop_timeout", stop_timeout),
           InRange("watchdog_after", watchdog_after.count(), 0, Duration::max().count()),
           AllowedCpus(worker_cpus),
           InRange("offload_threads", offload_threads, 1, kOffloadThreadsMax),
           InRange("offload_queue", static_cast<int64_t>(offload_queue), 1, kOffloadQueueMax),
           InRange("dead_letters_kept", static_cast<int64_t>(dead_letters_kept), 0,
                   kDeadLettersKeptMax),
       }) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace quern
