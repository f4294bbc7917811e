// The command line of `flights`.
//
//   Command command = ParseCommandLine({"demo", "--rows", "20000"});
//   if (auto* stop = std::get_if<StopHere>(&command)) { ..print stop->text..; return stop->code; }
//
// Pure: prints nothing, looks at nothing but its arguments.

#ifndef QUERN_SAMPLES_FLIGHTS_OPTIONS_H_
#define QUERN_SAMPLES_FLIGHTS_OPTIONS_H_

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace flights {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitInterrupted = 130;

// "us-west/node-1"
struct NodeName {
  std::string datacenter;
  std::string node;

  std::string ToString() const { return datacenter + "/" + node; }
  auto operator<=>(const NodeName&) const = default;
};

// Nothing when `text` is not DC/NODE.
std::optional<NodeName> ParseNodeName(std::string_view text);

// `nodes` nodes in each datacenter, west first.
std::vector<NodeName> NodeNames(int nodes);

struct DemoOptions {
  std::string data_path;
  std::string airports_path;
  int nodes = 2;  // in each datacenter
  double border_west = 95;
  uint64_t row_limit = 0;  // 0: all
  bool strict = false;
  bool json = false;
  bool keep = false;  // the folder of the run
  bool no_kill = false;
  std::optional<NodeName> kill;
  std::optional<NodeName> pause;
};

// How the launcher starts a node process.
struct NodeProcessOptions {
  NodeName name;
  std::string nats_url;
  std::string global_nats_url;
  std::string airports_path;
  double border_west = 95;
  int lease_divisor = 1;
  int control_fd = -1;
};

// The program ends here: help on standard output (code 0), or a line on standard error.
struct StopHere {
  int code = kExitOk;
  std::string text;
};

using Command = std::variant<DemoOptions, NodeProcessOptions, StopHere>;

// `arguments` without the program's own name; `data_folder` holds the default data.
Command ParseCommandLine(std::vector<std::string> arguments, const std::string& data_folder);

// The arguments that ParseCommandLine turns into `options` again.
std::vector<std::string> ToArguments(const NodeProcessOptions& options);

// The candidate closest to `word`, if it is close enough to be what was meant (at most a third of
// it edited).
std::optional<std::string> DidYouMean(std::string_view word,
                                      const std::vector<std::string>& candidates);

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_OPTIONS_H_
