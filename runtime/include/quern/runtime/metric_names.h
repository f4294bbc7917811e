// Every metric of the runtime, by name: what Prometheus, dashboards and alerts may rely on. A name
// is never given another meaning.

#ifndef QUERN_RUNTIME_METRIC_NAMES_H_
#define QUERN_RUNTIME_METRIC_NAMES_H_

#include <string_view>

namespace quern::metric_names {

// Counters.
inline constexpr std::string_view kDeadLetters = "quern_dead_letters_total";    // reason
inline constexpr std::string_view kTurns = "quern_turns_total";                 // worker
inline constexpr std::string_view kRunnerStalls = "quern_runner_stalls_total";  // worker
inline constexpr std::string_view kWorkerParks = "quern_worker_parks_total";    // worker

// Gauges.
inline constexpr std::string_view kUptime = "quern_uptime_seconds";
inline constexpr std::string_view kWorkers = "quern_workers";
inline constexpr std::string_view kRunners = "quern_runners";  // worker; fibers, idle ones too
inline constexpr std::string_view kOffloadThreads = "quern_offload_threads";

// Summaries, of one turn in kMetricSampleEvery a worker.
inline constexpr std::string_view kTurnSeconds = "quern_turn_seconds";  // class; waits included
inline constexpr std::string_view kMailboxDepth =
    "quern_mailbox_depth";  // class; at a turn's begin

}  // namespace quern::metric_names

#endif  // QUERN_RUNTIME_METRIC_NAMES_H_
