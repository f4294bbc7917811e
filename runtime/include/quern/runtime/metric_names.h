// Every metric of the runtime, by name: what Prometheus, dashboards and alerts may rely on. A name
// is never given another meaning. Each stands with its label, if it has one.

#ifndef QUERN_RUNTIME_METRIC_NAMES_H_
#define QUERN_RUNTIME_METRIC_NAMES_H_

#include <string_view>

namespace quern::metric_names {

// Counters.
inline constexpr std::string_view kAsks = "quern_asks_total";
// cause: what the asked one did when the time was up. "not_begun": the ask waited in its mailbox;
// "running": its handler ran; "waiting": its handler waited; "elsewhere": nobody knows, it is a
// grain or on another node, and has not begun here; "not_sent": no time was left to begin with.
inline constexpr std::string_view kAskTimeouts = "quern_ask_timeouts_total";
inline constexpr std::string_view kLateReplies = "quern_late_replies_total";
inline constexpr std::string_view kDeadLetters = "quern_dead_letters_total";    // reason
inline constexpr std::string_view kRestarts = "quern_restarts_total";           // class
inline constexpr std::string_view kTurns = "quern_turns_total";                 // worker
inline constexpr std::string_view kRunnerStalls = "quern_runner_stalls_total";  // worker
inline constexpr std::string_view kWorkerParks = "quern_worker_parks_total";    // worker

// Gauges. What workers count for themselves is as of a few turns ago.
inline constexpr std::string_view kUptime = "quern_uptime_seconds";
inline constexpr std::string_view kWorkers = "quern_workers";
inline constexpr std::string_view kAsksInFlight = "quern_asks_in_flight";
inline constexpr std::string_view kRunners = "quern_runners";                 // worker
inline constexpr std::string_view kParkedHandlers = "quern_parked_handlers";  // worker
inline constexpr std::string_view kOffloadThreads = "quern_offload_threads";
// High-water marks. Of a class in the turns that were looked at (the first ones, then one in
// kStackSampleEvery samples); of a worker whatever ran on the stacks that were looked at.
inline constexpr std::string_view kStackBytes = "quern_stack_bytes";               // class
inline constexpr std::string_view kRunnerStackBytes = "quern_runner_stack_bytes";  // worker

// Summaries, by class. Of one turn in kMetricSampleEvery a worker: how long each handler held its
// worker, hooks before it included and waits left out; and what waited when the turn began.
inline constexpr std::string_view kHandlerSeconds = "quern_handler_seconds";
inline constexpr std::string_view kMailboxDepth = "quern_mailbox_depth";
// Of the first message after one turn in kWaitSampleEvery: from its arrival to its handler.
inline constexpr std::string_view kMailboxWaitSeconds = "quern_mailbox_wait_seconds";

}  // namespace quern::metric_names

#endif  // QUERN_RUNTIME_METRIC_NAMES_H_
