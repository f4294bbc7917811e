// One node process: a member of its datacenter's cluster that hosts airports and readers, and does
// what the launcher says over the control channel.

#ifndef QUERN_SAMPLES_FLIGHTS_NODE_MAIN_H_
#define QUERN_SAMPLES_FLIGHTS_NODE_MAIN_H_

#include <string_view>

#include "flights/airports.h"
#include "flights/options.h"
#include "quern/datacenter/node.h"

namespace flights {

inline constexpr std::string_view kClusterId = "flights";

// Of an airport's grain its airport's home; the same in every process.
quern::datacenter::HomeRule HomeRuleOf(const Airports& airports);

// Until the launcher says leave or goes away. Returns the process's exit code.
int RunNode(const NodeProcessOptions& options);

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_NODE_MAIN_H_
